// ioctl(2) requests on terminals (include/uapi/asm-generic/ioctls.h; the same on x86-64 and arm64).

export const TIOC = {
  SCTTY: 0x540e,
  GWINSZ: 0x5413,
  SWINSZ: 0x5414,
  GPTPEER: 0x5441,
  GPTN: 0x80045430,
  SPTLCK: 0x40045431,
} as const

export const TCGETS = 0x5401
export const TCSETS = 0x5402
/** The kernel's struct termios is smaller; what it doesn't fill stays zero. */
export const TERMIOS_SIZE = 60
