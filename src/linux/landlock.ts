// Landlock: access rights by the kernel's names, and since which ABI it knows them. include/uapi/linux/landlock.h

interface Right {
  readonly bit: number
  readonly abi: number
}

/** handled_access_fs: LANDLOCK_ACCESS_FS_… */
export const LANDLOCK_FS = {
  execute: { bit: 0, abi: 1 },
  write_file: { bit: 1, abi: 1 },
  read_file: { bit: 2, abi: 1 },
  read_dir: { bit: 3, abi: 1 },
  remove_dir: { bit: 4, abi: 1 },
  remove_file: { bit: 5, abi: 1 },
  make_char: { bit: 6, abi: 1 },
  make_dir: { bit: 7, abi: 1 },
  make_reg: { bit: 8, abi: 1 },
  make_sock: { bit: 9, abi: 1 },
  make_fifo: { bit: 10, abi: 1 },
  make_block: { bit: 11, abi: 1 },
  make_sym: { bit: 12, abi: 1 },
  refer: { bit: 13, abi: 2 },
  truncate: { bit: 14, abi: 3 },
  ioctl_dev: { bit: 15, abi: 5 },
} as const satisfies Record<string, Right>

/** handled_access_net: LANDLOCK_ACCESS_NET_… */
export const LANDLOCK_NET = {
  bind_tcp: { bit: 0, abi: 4 },
  connect_tcp: { bit: 1, abi: 4 },
} as const satisfies Record<string, Right>

/** scoped: LANDLOCK_SCOPE_… */
export const LANDLOCK_SCOPES = {
  abstract_unix_socket: { bit: 0, abi: 6 },
  signal: { bit: 1, abi: 6 },
} as const satisfies Record<string, Right>

export type LandlockFsRight = keyof typeof LANDLOCK_FS
export type LandlockNetRight = keyof typeof LANDLOCK_NET
export type LandlockScope = keyof typeof LANDLOCK_SCOPES

/** What can be said of a file that is no folder. */
export const LANDLOCK_FILE_RIGHTS: readonly LandlockFsRight[] = [
  'execute',
  'write_file',
  'read_file',
  'truncate',
  'ioctl_dev',
]

/** Asks landlock_create_ruleset(2) for its ABI. */
export const LANDLOCK_CREATE_RULESET_VERSION = 1

/** enum landlock_rule_type */
export const LANDLOCK_RULE = { PATH_BENEATH: 1, NET_PORT: 2 } as const

/** The oldest ABI that knows all of these rights. */
export function landlockAbiOf(rights: readonly string[], table: Readonly<Record<string, Right>>): number {
  return Math.max(0, ...rights.map((name) => table[name]?.abi ?? 0))
}
