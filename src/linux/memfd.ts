// memfd_create(2) and file seals, by number (include/uapi/linux/memfd.h, fcntl.h).

export const MFD = { CLOEXEC: 0x1, ALLOW_SEALING: 0x2, EXEC: 0x10 } as const

export const F_ADD_SEALS = 1033

/** SEAL, SHRINK, GROW, WRITE: nothing of it can be changed any more. */
export const SEALS = 0x1 | 0x2 | 0x4 | 0x8
