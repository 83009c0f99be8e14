// statx(2): struct statx and what can be asked of it (include/uapi/linux/stat.h).

/** Where struct statx keeps what we look at. Times are {s64 seconds, u32 nanoseconds, 0}, which is a struct timespec. */
export const STATX = {
  links: 16,
  uid: 20,
  gid: 24,
  mode: 28,
  inode: 32,
  size: 40,
  atime: 64,
  btime: 80,
  mtime: 112,
  rdevMajor: 128,
  rdevMinor: 132,
  deviceMajor: 136,
  deviceMinor: 140,
  mountId: 144,
} as const

export const STATX_SIZE = 256
export const STATX_TYPE = 1
export const STATX_BASIC_STATS = 0x7ff
export const STATX_MNT_ID = 0x1000
