// wait4(2) (include/uapi/linux/wait.h).

export const WNOHANG = 1
/** Children by clone(2) too, whatever signal they end with. */
export const WALL = 0x40000000
export const ANY_CHILD = -1

// waitid(2)
export const P_PID = 1
export const WEXITED = 4
export const WNOWAIT = 0x01000000
/** siginfo_t of a child, and si_code of one that has exited. */
export const SIGINFO = { code: 8, status: 24, size: 128 } as const
export const CLD_EXITED = 1
