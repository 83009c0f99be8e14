// Commands of fcntl(2) (include/uapi/asm-generic/fcntl.h).

export const F = { GETFD: 1, SETFD: 2, GETFL: 3, SETFL: 4 } as const
export const FD_CLOEXEC = 1
