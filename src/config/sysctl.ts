// Names of kernel parameters: their two spellings, and the namespaces that they belong to.

/**
 * a.b.c or a/b/c → the path below /proc/sys. The separator that comes first rules: in a.b/c the slash stands for a dot
 * in a name, as in net.ipv4.conf.eth0/100.forwarding. sysctl(8)
 */
export function sysctlPath(name: string): string {
  const first = /[./]/.exec(name)?.[0]
  if (first !== '.') return name
  return name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))
}

const IPC = new Set(
  ['auto_msgmni', 'msgmax', 'msgmnb', 'msgmni', 'msg_next_id', 'sem', 'sem_next_id', 'shmall', 'shmmax', 'shmmni']
    .concat('shm_next_id', 'shm_rmid_forced')
    .map((name) => `kernel/${name}`),
)

/** The namespace that a parameter belongs to; undefined for one of the whole machine. */
export function sysctlNamespace(path: string): 'ipc' | 'network' | 'uts' | undefined {
  if (IPC.has(path) || path.startsWith('fs/mqueue/')) return 'ipc'
  if (path.startsWith('net/')) return 'network'
  if (path === 'kernel/domainname' || path === 'kernel/hostname') return 'uts'
  return undefined
}
