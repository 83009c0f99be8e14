// New file systems, detached: by the mount API of fsopen(2) as a rule, by mount(2) where that can't say what is asked for.

import type { Mount } from '../config/types.ts'
import { FSMOUNT_CLOEXEC, MOUNT_ATTR, MOUNT_ATTR_ATIME_MASK, MS, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import type { DataObject } from '../plan/builder.ts'
import type { Label, Value } from '../plan/step.ts'
import { type Context, has, isNew } from './context.ts'
import { closeIfMany } from './descriptors.ts'
import { lowerFsContext, modeRoutine } from './fs-context.ts'
import { fsParameters, legacyArguments, needsLegacyCall } from './fs-parameters.ts'
import { labelOption, labelParameters } from './lsm.ts'
import { setMountAttributes } from './rootfs.ts'

/**
 * A file system of its own, mounted nowhere yet, with the flags of its options; writable, when something is to be made in it.
 * @param status statx(2) of the folder whose mode it is to have, if that is there
 */
export function makeFileSystem(context: Context, mount: Mount, status?: DataObject): Value {
  const { plan } = context
  const { attrSet } = mount.options
  const attributes = isWrittenFirst(mount) ? attrSet & ~MOUNT_ATTR.RDONLY : attrSet
  if (needsLegacyCall(mount)) return mountLegacy(context, mount, attributes)
  const label = labelParameters(context.config.linux.mountLabel, mount.type)
  const refused = mayBeRefused(context, mount) ? plan.label('refused') : undefined
  const fs = lowerFsContext(context, mount.type, [...fsParameters(mount), ...label], refused, (fs) => {
    if (status === undefined) return
    plan.when([status.field(STATX.mode, 2), 'ne', 0], () =>
      plan.call(modeRoutine(plan), [fs, status.field(STATX.mode, 2)]),
    )
  })
  const made = plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, attributes])
  if (refused === undefined) closeIfMany(context, fs)
  else lowerHostSysfs(context, mount, { refused, made })
  return made
}

/** A tmpfs without a mode has that of the folder it covers, as users of other runtimes know it. */
export function takesModeOfTarget({ type, options }: Mount): boolean {
  return type === 'tmpfs' && !options.tmpcopyup && !options.data.some((option) => option.startsWith('mode='))
}

/** Is something made or changed in it before it may become read-only? */
export function isWrittenFirst(mount: Mount): boolean {
  return isDev(mount) || mount.options.tmpcopyup || takesModeOfTarget(mount)
}

export function isDev({ destination }: Mount): boolean {
  return destination === '/dev'
}

/**
 * mount(2) takes a path and attaches at once: so over our own view of the host's /dev, or of the rootfs where the view is the
 * caller's as well, from where it is moved away.
 */
function mountLegacy(context: Context, mount: Mount, attributes: number): Value {
  const { plan, config } = context
  const { flags, data: options } = legacyArguments(mount)
  const data = [options, ...labelOption(config.linux.mountLabel, mount.type)].filter((text) => text !== '').join(',')
  const place = has(config, 'mount') ? '/dev' : config.root.path
  plan.syscall('mount', [mount.source ?? mount.type, place, mount.type, flags, data === '' ? 0 : data])
  const made = plan.syscall('open_tree', [AT.FDCWD, place, OPEN_TREE.CLOEXEC], { name: 'mounted' })
  if (attributes !== 0) setMountAttributes(context, made, { set: attributes, clear: MOUNT_ATTR_ATIME_MASK })
  return made
}

/** A sysfs shows a network namespace, and only its owner may mount one: in a user namespace that isn't the host's. sysfs(5) */
function mayBeRefused({ config, facts }: Context, { type }: Mount): boolean {
  return type === 'sysfs' && !isNew(config, 'network') && (has(config, 'user') || facts.nested)
}

/** … then what shows it already stands in, with all that is mounted there, and read-only as others will see it, too. */
function lowerHostSysfs(
  context: Context,
  mount: Mount,
  { refused, made }: { readonly refused: Label; readonly made: Value },
): void {
  const { plan } = context
  const there = plan.label('sysfs')
  plan.jump(there)
  plan.place(refused)
  const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.RECURSIVE
  plan.syscall('open_tree', [AT.FDCWD, '/sys', flags], { about: "the host's /sys", result: made })
  const { attrSet } = mount.options
  setMountAttributes(context, made, { propagation: MS.SLAVE, recursive: true })
  setMountAttributes(context, made, { set: (attrSet & ~MOUNT_ATTR_ATIME_MASK) | MOUNT_ATTR.RDONLY, recursive: true })
  plan.place(there)
}
