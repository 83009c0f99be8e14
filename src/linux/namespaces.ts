// Namespace types by OCI name: clone(2) flag and the name of the link in /proc/PID/ns (namespaces(7)).

export const NAMESPACES = {
  user: { flag: 0x10000000, link: 'user' },
  pid: { flag: 0x20000000, link: 'pid' },
  network: { flag: 0x40000000, link: 'net' },
  mount: { flag: 0x00020000, link: 'mnt' },
  uts: { flag: 0x04000000, link: 'uts' },
  ipc: { flag: 0x08000000, link: 'ipc' },
  cgroup: { flag: 0x02000000, link: 'cgroup' },
  time: { flag: 0x00000080, link: 'time' },
} as const satisfies Record<string, { flag: number; link: string }>

export type NamespaceType = keyof typeof NAMESPACES

export const CLONE = {
  PARENT: 0x8000,
  PIDFD: 0x1000,
  PARENT_SETTID: 0x100000,
  CLEAR_SIGHAND: 0x100000000n,
  INTO_CGROUP: 0x200000000n,
} as const
