// linux.namespaces: P0 joins the ones given by path, P1 is born into the new ones.

import { sysctlNamespace, sysctlPath } from '../config/sysctl.ts'
import type { Config } from '../config/types.ts'
import { ERRNO } from '../linux/errno.ts'
import { encodeName } from '../linux/names.ts'
import { NAMESPACES, type NamespaceType } from '../linux/namespaces.ts'
import { AT, O } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import type { Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { isNew } from './context.ts'
import { sysctlPointer } from './procfs.ts'
import { statDescriptor } from './statx.ts'

/** Made by P1 itself: cgroup when it has joined its cgroup, time when its offsets are written. */
const MADE_LATER: readonly NamespaceType[] = ['cgroup', 'time']

/** The mount namespace last: after it, host paths are gone. */
const JOIN_ORDER: readonly NamespaceType[] = ['ipc', 'uts', 'network', 'pid', 'cgroup', 'time', 'mount']

interface Given {
  readonly type: NamespaceType
  readonly path: string
  readonly index: number
}

/**
 * setns(2) into each namespace that has a path, with its type, so that a wrong file is refused by the kernel.
 * A namespace may belong to the host's user namespace or to the one that is joined too: what can't be joined before
 * the user namespace is joined after it.
 */
export function lowerJoinNamespaces(context: Context): void {
  const { plan, config } = context
  const given = givenNamespaces(config)
  if (given.length === 0) return
  const descriptors = new Map<Given, Value>()
  for (const namespace of given) {
    plan.section(pointer(namespace), namespace.path, () => {
      const flags = { kind: 'open-flags', flags: O.RDONLY | O.CLOEXEC } as const
      descriptors.set(namespace, plan.syscall('openat', [AT.FDCWD, namespace.path, flags, 0], { name: 'ns' }))
    })
    requireAnother(context, namespace, descriptors.get(namespace))
  }
  const user = given.find(({ type }) => type === 'user')
  const others = JOIN_ORDER.flatMap((type) => given.filter((namespace) => namespace.type === type))
  const join = (namespace: Given, options: Parameters<typeof plan.syscall>[2] = {}): Value | undefined => {
    const fd = descriptors.get(namespace)
    if (fd === undefined) return undefined
    let result: Value | undefined
    plan.section(pointer(namespace), namespace.path, () => {
      result = plan.syscall('setns', [fd, NAMESPACES[namespace.type].flag], {
        name: `join_${namespace.type}`,
        ...options,
      })
    })
    return result
  }
  if (user === undefined) {
    for (const namespace of others) join(namespace)
    return
  }
  const late = { EPERM: 'it belongs to the user namespace that is joined next' }
  const early = others.map((namespace) => join(namespace, { ignore: late }))
  join(user)
  for (const [index, namespace] of others.entries()) {
    const first = early[index]
    if (first === undefined) continue
    const joined = plan.label('joined')
    plan.branch(first, 'eq', 0, joined)
    join(namespace)
    plan.place(joined)
  }
}

/** A namespace that the config changes must not be the one that the runtime itself is in: the host would be changed. */
function requireAnother(context: Context, { type, path }: Given, given: Value | undefined): void {
  const { plan } = context
  const change = changeOf(context.config, type)
  if (change === undefined || given === undefined) return
  plan.section(change.pointer, path, () => {
    const own = statDescriptor(context, openOwn(context, type))
    const joined = statDescriptor(context, given)
    const about = `${change.what} not allowed in host ${type} namespace: ${path} is the host's own`
    plan.require(joined.field(STATX.inode, 8), 'ne', own.field(STATX.inode, 8), ERRNO.EPERM, about)
  })
}

/**
 * Before others are joined: keep hold of our own namespaces of those types.
 * @returns writes the steps that lead back into them, for who goes on when there is to be no container
 */
export function lowerKeepNamespaces(context: Context): () => void {
  const own = givenNamespaces(context.config).map(({ type }) => ({ type, fd: openOwn(context, type) }))
  return () => {
    for (const { type, fd } of own) {
      context.plan.syscall('setns', [fd, NAMESPACES[type].flag], { name: `back_to_${type}` })
    }
  }
}

function openOwn({ plan }: Context, type: NamespaceType): Value {
  const flags = { kind: 'open-flags', flags: O.RDONLY | O.CLOEXEC } as const
  return plan.syscall('openat', [AT.FDCWD, `/proc/self/ns/${NAMESPACES[type].link}`, flags, 0], { name: 'own_ns' })
}

/** What a container writes into a namespace of this type, be it joined or new. */
function changeOf(
  config: Config,
  type: NamespaceType,
): { readonly pointer: string; readonly what: string } | undefined {
  if (type === 'mount') return { pointer: '/root/path', what: 'a root of its own is' }
  const { linux } = config
  const sysctl = Object.keys(linux.sysctl).find((name) => sysctlNamespace(sysctlPath(name)) === type)
  if (sysctl !== undefined) {
    return { pointer: sysctlPointer(sysctl), what: `sysctl ${JSON.stringify(sysctl)}` }
  }
  if (type !== 'uts') return undefined
  if (config.hostname !== undefined) return { pointer: '/hostname', what: 'a name is' }
  return config.domainname === undefined ? undefined : { pointer: '/domainname', what: 'a name is' }
}

/** clone3(2) flags of the namespaces that P1 is born into. */
export function newNamespaceFlags(config: Config): bigint {
  let flags = 0n
  for (const { type, path } of config.linux.namespaces) {
    if (path === undefined && !MADE_LATER.includes(type)) flags |= BigInt(NAMESPACES[type].flag)
  }
  return flags
}

/** In P1, once it is in its cgroup: that folder becomes the root which the container sees. */
export function lowerCgroupNamespace({ plan, config }: Context): void {
  if (!isNew(config, 'cgroup')) return
  plan.section(pointerOf(config, 'cgroup'), 'cgroup namespace', () => {
    plan.syscall('unshare', [NAMESPACES.cgroup.flag])
  })
}

/** In P1: a time namespace, its offsets while nobody is in it, then in. time_namespaces(7) */
export function lowerTimeNamespace({ plan, config }: Context): void {
  if (!isNew(config, 'time')) return
  plan.section(pointerOf(config, 'time'), 'time namespace', () => plan.syscall('unshare', [NAMESPACES.time.flag]))
  const offsets = config.linux.timeOffsets
  if (offsets !== undefined) {
    plan.section('/linux/timeOffsets', 'timens_offsets', () => {
      const flags = { kind: 'open-flags', flags: O.WRONLY | O.CLOEXEC } as const
      const fd = plan.syscall('openat', [AT.FDCWD, '/proc/self/timens_offsets', flags, 0], { name: 'offsets' })
      const text = Object.entries(offsets)
        .map(([clock, { secs, nanosecs }]) => `${clock} ${secs} ${nanosecs}\n`)
        .join('')
      plan.syscall('write', [fd, text, encodeName(text).length])
    })
  }
  plan.section(pointerOf(config, 'time'), 'time namespace', () => {
    const flags = { kind: 'open-flags', flags: O.RDONLY | O.CLOEXEC } as const
    const fd = plan.syscall('openat', [AT.FDCWD, '/proc/self/ns/time_for_children', flags, 0], { name: 'time_ns' })
    plan.syscall('setns', [fd, NAMESPACES.time.flag])
  })
}

function givenNamespaces(config: Config): Given[] {
  return config.linux.namespaces.flatMap(({ type, path }, index) => (path === undefined ? [] : [{ type, path, index }]))
}

function pointer({ index }: { readonly index: number }): string {
  return `/linux/namespaces/${index}`
}

function pointerOf(config: Config, type: NamespaceType): string {
  return pointer({ index: config.linux.namespaces.findIndex((namespace) => namespace.type === type) })
}
