// ID-mapped mounts: a mount that shows other owners than its file system has (mount_setattr(2)).
// The kernel takes the mapping from a user namespace, so one is made for each mapping, by a child that never does anything
// in it. That happens in P0: the file system's own user namespace is the host's, and so must the rights be.

import type { Mappings, Mount, MountIdmap } from '../config/types.ts'
import { propertyError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { MOUNT_ATTR } from '../linux/mount-flags.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import { AT, O } from '../linux/open-flags.ts'
import { PR } from '../linux/prctl.ts'
import { SIGNAL } from '../linux/signals.ts'
import { WALL } from '../linux/wait.ts'
import { u64 } from '../plan/builder.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { MOUNT_ATTR_SIZE } from './rootfs.ts'

const USERNS_FD = 24 // in struct mount_attr
const CLONE_FILES = 0x400n
const SIGSTOP = 19
const WUNTRACED = 2
/** What wait(2) says of a process that has stopped, in the low byte. */
const STOPPED = 0x7f

/**
 * In P0, outside of the container's cgroup, which may have room for one process only: the user namespaces that mappings are
 * taken from.
 */
export function lowerIdmapNamespaces(context: Context): void {
  for (const { index, idmap, destination } of context.config.mounts) {
    if (idmap === undefined || !context.facts.mayMount) continue
    context.plan.section(`/mounts/${index}`, destination, () => userNamespaceOf(context, idmap.mappings, index))
  }
}

/** Give a detached mount its mapping, when the config asks for one. @param tree just made, and not attached yet */
export function lowerIdmap(context: Context, { index, idmap, destination }: Mount, tree: Operand): void {
  if (idmap === undefined) return
  const { plan, facts } = context
  if (!facts.mayMount) {
    throw propertyError('config-unsupported', `/mounts/${index}`, 'only root can make an ID-mapped mount', {
      data: { pointer: `/mounts/${index}` },
    })
  }
  const namespace = userNamespaceOf(context, idmap.mappings, index)
  const attr = plan.struct('mount_attr{idmap}', [u64(MOUNT_ATTR.IDMAP), u64(0), u64(0), u64(0)])
  plan.store(attr.at(USERNS_FD), 8, namespace)
  const flags = AT.EMPTY_PATH | (idmap.recursive ? AT.RECURSIVE : 0)
  plan.syscall('mount_setattr', [tree, '', flags, attr.address, MOUNT_ATTR_SIZE], {
    name: 'idmap',
    about: `idmap of ${destination}`,
  })
}

/** Mounts with equal mappings share a namespace. */
function userNamespaceOf(context: Context, mappings: MountIdmap['mappings'], index: number): Value {
  const { userNamespaces } = context.trees
  const key = JSON.stringify(mappings)
  const namespace =
    userNamespaces.get(key) ??
    (typeof mappings === 'string' ? openJoined(context) : makeUserNamespace(context, mappings, index))
  userNamespaces.set(key, namespace)
  return namespace
}

function openJoined({ plan, config }: Context): Value {
  const path = config.linux.namespaces.find(({ type }) => type === 'user')?.path
  if (path === undefined) throw new Error('no user namespace is joined')
  const flags = { kind: 'open-flags', flags: O.RDONLY | O.CLOEXEC } as const
  return plan.syscall('openat', [AT.FDCWD, path, flags, 0], { name: 'userns', about: path })
}

/**
 * A child is born into a new user namespace, and stops. It shares our descriptors, so the /proc/self that it opens is how
 * we get at its files without knowing its number. When we die, it does.
 */
function makeUserNamespace({ plan, slots }: Context, { uidMappings, gidMappings }: Mappings, index: number): Value {
  const parent = plan.syscall('getpid', [], { name: 'own_pid' })
  const child = plan.fork('userns', BigInt(NAMESPACES.user.flag) | CLONE_FILES, () => {
    const orphan = plan.label('orphan')
    plan.syscall('prctl', [PR.SET_PDEATHSIG, SIGNAL.SIGKILL, 0, 0, 0], { name: 'die_with_parent' })
    plan.branch(plan.syscall('getppid', []), 'ne', parent, orphan) // it died before
    const flags = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
    const self = plan.syscall('openat', [AT.FDCWD, '/proc/self', flags, 0], { name: 'self' })
    plan.syscall('dup3', [self, slots.path, { kind: 'open-flags', flags: O.CLOEXEC }])
    plan.syscall('kill', [plan.syscall('getpid', []), SIGSTOP])
    plan.place(orphan)
    plan.exit(0)
  })
  const status = plan.struct('status', [u64(0)])
  plan.syscall('wait4', [child, status.address, WUNTRACED, 0])
  plan.require(status.field(0, 1), 'eq', STOPPED, ERRNO.ECHILD, 'the process for its user namespace ended')
  for (const [name, file, mappings] of [
    ['uidMappings', 'uid_map', uidMappings],
    ['gidMappings', 'gid_map', gidMappings],
  ] as const) {
    const text = mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('')
    plan.section(`/mounts/${index}/${name}`, file, () => {
      const flags = { kind: 'open-flags', flags: O.WRONLY | O.CLOEXEC } as const
      const fd = plan.syscall('openat', [slots.path, file, flags, 0], { name: file })
      plan.syscall('write', [fd, text, text.length])
      plan.syscall('close', [fd])
    })
  }
  const flags = { kind: 'open-flags', flags: O.RDONLY | O.CLOEXEC } as const
  const namespace = plan.syscall('openat', [slots.path, 'ns/user', flags, 0], { name: 'userns' })
  plan.syscall('kill', [child, SIGNAL.SIGKILL])
  plan.syscall('wait4', [child, 0, WALL, 0], { ignore: { ECHILD: 'with SIGCHLD ignored the kernel reaps it' } })
  return namespace
}
