// flock(2) (include/uapi/asm-generic/fcntl.h).

export const LOCK = { EX: 2, NB: 4, UN: 8 } as const
