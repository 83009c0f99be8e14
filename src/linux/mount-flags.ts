// mount(2), fsmount(2), mount_setattr(2), open_tree(2) and move_mount(2) flags (include/uapi/linux/mount.h).

export const MS = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  SYNCHRONOUS: 0x10,
  REMOUNT: 0x20,
  MANDLOCK: 0x40,
  DIRSYNC: 0x80,
  NOSYMFOLLOW: 0x100,
  NOATIME: 0x400,
  NODIRATIME: 0x800,
  BIND: 0x1000,
  MOVE: 0x2000,
  REC: 0x4000,
  SILENT: 0x8000,
  UNBINDABLE: 0x20000,
  PRIVATE: 0x40000,
  SLAVE: 0x80000,
  SHARED: 0x100000,
  RELATIME: 0x200000,
  I_VERSION: 0x800000,
  STRICTATIME: 0x1000000,
  LAZYTIME: 0x2000000,
} as const

export const MOUNT_ATTR = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  NOATIME: 0x10,
  STRICTATIME: 0x20,
  NODIRATIME: 0x80,
  IDMAP: 0x100000,
  NOSYMFOLLOW: 0x200000,
} as const

/** The field of MOUNT_ATTR that holds the atime mode; RELATIME is 0 in it. */
export const MOUNT_ATTR_ATIME_MASK = 0x70

export const MNT_DETACH = 0x2

export const OPEN_TREE = { CLONE: 0x1, CLOEXEC: 0x80000 } as const
export const MOVE_MOUNT = { F_EMPTY_PATH: 0x4, T_SYMLINKS: 0x10, T_EMPTY_PATH: 0x40 } as const
export const FSOPEN_CLOEXEC = 0x1
export const FSMOUNT_CLOEXEC = 0x1
export const FSCONFIG = { SET_FLAG: 0, SET_STRING: 1, SET_FD: 5, CMD_CREATE: 6 } as const
