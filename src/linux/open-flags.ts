// Flags of open(2), openat2(2), and of the *at(2) family (include/uapi/asm-generic/fcntl.h, linux/fcntl.h, linux/openat2.h).

/** open(2) flags with x86-64's numbers. A target whose kernel numbers some of them otherwise translates (toArm64). */
export const O = {
  RDONLY: 0,
  WRONLY: 0o1,
  RDWR: 0o2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DIRECT: 0o40000,
  LARGEFILE: 0o100000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
} as const

const ARM64 = [
  [O.DIRECTORY, 0o40000],
  [O.NOFOLLOW, 0o100000],
  [O.DIRECT, 0o200000],
  [O.LARGEFILE, 0o400000],
] as const

/** x86-64's open flags → arm64's (arch/arm64/include/uapi/asm/fcntl.h). */
export function openFlagsToArm64(flags: number): number {
  let rest = flags
  let result = 0
  for (const [x64, arm64] of ARM64) {
    if ((flags & x64) === 0) continue
    rest &= ~x64
    result |= arm64
  }
  return rest | result
}

export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  EACCESS: 0x200,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
  RECURSIVE: 0x8000,
} as const

export const RESOLVE = { NO_XDEV: 0x1, NO_MAGICLINKS: 0x2, NO_SYMLINKS: 0x4, BENEATH: 0x8, IN_ROOT: 0x10 } as const

/** close_range(2): up to the last one there can be. */
export const ALL_FDS = 0xffffffff

export const CLOSE_RANGE_CLOEXEC = 0x4

/** st_mode's file type field and its values (inode(7)). */
export const S_IFMT = 0o170000
/** In st_mode: the group, or everybody, may write. */
export const WRITABLE_BY_OTHERS = 0o022
/** In a folder's st_mode: what is in it is removed and renamed by its owner alone. */
export const STICKY = 0o1000
export const S_IF = {
  FIFO: 0o010000,
  CHR: 0o020000,
  DIR: 0o040000,
  BLK: 0o060000,
  REG: 0o100000,
  LNK: 0o120000,
  SOCK: 0o140000,
} as const
