// Whose the container's cgroup is. config-linux.md, Cgroup ownership

import type { Config } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { MOUNT_ATTR } from '../linux/mount-flags.ts'
import { AT } from '../linux/open-flags.ts'
import { readFileIfPresent } from '../native/file.ts'
import { SyscallError, trySyscall } from '../native/syscall.ts'
import { type Cgroup, UNIFIED } from './cgroup.ts'

const PLACE = '/sys/fs/cgroup'
const TYPES: ReadonlySet<string> = new Set(['cgroup', 'cgroup2'])

/**
 * Is the container to do with its cgroup as it likes? Never on v1, where that isn't safe; only with a cgroup namespace that is
 * made for it, and with the cgroups mounted to be written to.
 */
export function isDelegated({ linux, mounts }: Pick<Config, 'linux' | 'mounts'>, { mode }: Cgroup): boolean {
  if (mode !== 'v2') return false
  if (!linux.namespaces.some(({ type, path }) => type === 'cgroup' && path === undefined)) return false
  const mount = mounts.findLast(({ kind, type, destination }) => {
    return kind === 'filesystem' && TYPES.has(type) && destination === PLACE
  })
  if (mount === undefined) return false
  return ((mount.options.attrSet | mount.options.recursiveSet) & MOUNT_ATTR.RDONLY) === 0
}

/** Where the kernel says which files a delegate may write. It has none before Linux 4.15. cgroup-v2.rst, Delegation */
const LIST = '/sys/kernel/cgroup/delegate'
const DEFAULT_FILES = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']
const NO_CHANGE = 0xffffffff

/**
 * Give a container's folder away, and those of its files that may be; all others stay as they are.
 * @param uid the new owner as this process has it
 * @param list the kernel's, for tests
 * @throws RuntError 'cgroup'
 */
export function delegateCgroup(cgroup: Cgroup, uid: number, list: string = LIST): void {
  const directory = cgroup.directories[UNIFIED]
  if (directory === undefined) return
  const listed = readFileIfPresent(list)?.split('\n').filter(Boolean) ?? DEFAULT_FILES
  for (const path of [directory, ...listed.map((name) => `${directory}/${name}`)]) {
    const result = trySyscall('fchownat', AT.FDCWD, path, uid, NO_CHANGE, AT.SYMLINK_NOFOLLOW)
    if (result === 0 || (result === -ERRNO.ENOENT && path !== directory)) continue // a controller that isn't there
    const cause = new SyscallError('fchownat', -result, path)
    throw new RuntError('cgroup', `cgroup ${cgroup.path}: ${cause.message}`, { cause })
  }
}
