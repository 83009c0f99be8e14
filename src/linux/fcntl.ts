// Commands of fcntl(2) (include/uapi/asm-generic/fcntl.h, include/uapi/linux/fcntl.h).

export const F = { GETFD: 1, SETFD: 2, GETFL: 3, SETFL: 4, SETPIPE_SZ: 1031 } as const
export const FD_CLOEXEC = 1
