// seccomp(2) and what its filters return (include/uapi/linux/seccomp.h, include/uapi/linux/audit.h).

export const SECCOMP_SET_MODE_FILTER = 1

export const SECCOMP_FLAG = {
  TSYNC: 0x1,
  LOG: 0x2,
  SPEC_ALLOW: 0x4,
  NEW_LISTENER: 0x8,
  TSYNC_ESRCH: 0x10,
  /** Since Linux 5.19. */
  WAIT_KILLABLE_RECV: 0x20,
} as const

/** What a filter returns: an action, and in the low 16 bits a number for it. */
export const SECCOMP_RET = {
  KILL_PROCESS: 0x80000000,
  KILL_THREAD: 0x00000000,
  TRAP: 0x00030000,
  ERRNO: 0x00050000,
  USER_NOTIF: 0x7fc00000,
  TRACE: 0x7ff00000,
  LOG: 0x7ffc0000,
  ALLOW: 0x7fff0000,
} as const

/** struct seccomp_data, which a filter reads: offsets of its members. */
export const SECCOMP_DATA = { nr: 0, arch: 4, args: 16, size: 64 } as const

/** Instructions that a filter may have. */
export const BPF_MAXINSNS = 4096

/** How a system call says which table its number is from. */
export const AUDIT_ARCH = { X86_64: 0xc000003e, I386: 0x40000003, AARCH64: 0xc00000b7, ARM: 0x40000028 } as const

/** On x86-64, calls of the x32 ABI have this bit in their number, and the same AUDIT_ARCH. */
export const X32_SYSCALL_BIT = 0x40000000
