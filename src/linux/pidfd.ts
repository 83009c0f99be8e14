// What the kernel tells of a process by its pidfd (include/uapi/linux/pidfd.h).

/** ioctl(2): _IOWR(0xff, 11, struct pidfd_info). */
export const PIDFD_GET_INFO = 0xc040ff0b

/** Bit of `mask`: how it ended, for one that has been reaped. Linux 6.15. */
export const PIDFD_INFO_EXIT = 8

/** struct pidfd_info as its first version has it. exitCode is a wait(2) status. */
export const PIDFD_INFO = { mask: 0, exitCode: 60, size: 64 } as const
