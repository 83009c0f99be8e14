// wait4(2) (include/uapi/linux/wait.h).

export const WNOHANG = 1
/** Children by clone(2) too, whatever signal they end with. */
export const WALL = 0x40000000
export const ANY_CHILD = -1
