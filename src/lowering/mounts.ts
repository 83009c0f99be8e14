// mounts: each is made detached, gets its flags, and only then appears at its target, which is a descriptor.

import type { Mount } from '../config/types.ts'
import { FSCONFIG, FSMOUNT_CLOEXEC, MOUNT_ATTR, MOUNT_ATTR_ATIME_MASK, MS, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import type { Label, Value } from '../plan/step.ts'
import { lowerCgroupMount } from './cgroup-mount.ts'
import { type Context, has, isNew } from './context.ts'
import { lowerCopyUp } from './copy-up.ts'
import { moveToSlot } from './descriptors.ts'
import { lowerFsContext } from './fs-context.ts'
import {
  type FsParameter,
  fsParameters,
  isReadonly,
  legacyArguments,
  needsLegacyCall,
  splitOption,
} from './fs-parameters.ts'
import { lowerIdmap } from './idmap.ts'
import { openInRoot } from './in-root.ts'
import { labelOption, labelParameters, lowerRootLabel } from './lsm.ts'
import { lowerPropagationChanges, setTreeAttributes } from './mount-attributes.ts'
import { openTarget } from './mount-target.ts'
import { attach, lowerHostTree, setMountAttributes } from './rootfs.ts'
import { statxRoomWith } from './statx.ts'

const FSPICK_CLOEXEC_EMPTY_PATH = 0x1 | 0x8
const FSCONFIG_CMD_RECONFIGURE = 7

/**
 * In P0, while the host's paths and rights are at hand: copies of all bind sources, and the file systems that show their
 * owners as somebody else, which only who owns a file system may ask for.
 */
export function lowerHostMounts(context: Context): void {
  for (const mount of context.config.mounts) {
    context.plan.section(pointer(mount), mount.destination, () => lowerHostMount(context, mount))
  }
}

function lowerHostMount(context: Context, mount: Mount): void {
  const { options, source } = mount
  let tree: Value | undefined
  if (mount.kind === 'bind' && source !== undefined) {
    tree = lowerHostTree(context, source, options.recursiveBind)
    setTreeAttributes(context, tree, options, true)
  } else if (mount.kind === 'filesystem' && mount.idmap !== undefined) tree = makeFileSystem(context, mount)
  if (tree === undefined) return
  lowerIdmap(context, mount, tree)
  context.trees.mounts.set(mount.index, tree)
}

/** In P1: every mount, in the order that the config lists them. */
export function lowerMounts(context: Context): void {
  for (const mount of context.config.mounts) {
    context.plan.section(pointer(mount), mount.destination, () => lowerMount(context, mount))
  }
}

function lowerMount(context: Context, mount: Mount): void {
  if (mount.kind === 'remount') lowerRemount(context, mount)
  else if (mount.kind === 'propagation') {
    lowerPropagationChanges(context, openInRoot(context, mount.destination), mount.options)
  } else if (mount.kind === 'bind') lowerBind(context, mount)
  else if (mount.type === 'cgroup' || (mount.type === 'cgroup2' && context.facts.cgroup.unified)) {
    lowerCgroupMount(context, mount)
  } else if (needsLegacyCall(mount)) lowerLegacyMount(context, mount)
  else lowerFileSystem(context, mount)
}

function lowerBind(context: Context, mount: Mount): void {
  const tree = context.trees.mounts.get(mount.index)
  if (tree === undefined || mount.source === undefined) throw new Error(`mount ${mount.index}: no source tree`)
  const kind = context.facts.sourceIsDirectory(mount.source) ? 'directory' : 'file'
  const target = openTarget(context, mount, kind)
  attach(context, tree, target)
  lowerPropagationChanges(context, tree, mount.options)
  covered(context, mount.destination)
}

/** Below a mount that is not ours, or that lies over a fresh one, nothing is fresh any more. */
export function covered({ fresh }: Context, destination: string): void {
  for (const folder of fresh.keys()) if (`${folder}/`.startsWith(`${destination}/`)) fresh.delete(folder)
}

function lowerFileSystem(context: Context, mount: Mount): void {
  const { plan } = context
  covered(context, mount.destination)
  const status = takesModeOfTarget(mount) ? statxRoomWith(context, TMPFS_MODE) : undefined
  const target = openTarget(context, mount, 'directory', status)
  const fs = context.trees.mounts.get(mount.index) ?? makeFileSystem(context, mount)
  if (status !== undefined) plan.syscall('fchmodat', [fs, '.', status.field(STATX.mode, 2, PERMISSIONS)])
  if (mount.options.tmpcopyup) lowerCopyUp(context, mount.options, target, fs)
  if (isWrittenFirst(mount) && !isDev(mount) && isReadonly(mount)) {
    setMountAttributes(context, fs, { set: MOUNT_ATTR.RDONLY })
  }
  setTreeAttributes(context, fs, mount.options, false)
  if (mount.type === 'mqueue') lowerRootLabel(context, fs)
  attach(context, fs, target)
  lowerPropagationChanges(context, fs, mount.options)
  if (mount.type === 'tmpfs' && !mount.options.tmpcopyup) context.fresh.set(mount.destination, fs)
}

function makeFileSystem(context: Context, mount: Mount): Value {
  const { plan } = context
  const label = labelParameters(context.config.linux.mountLabel, mount.type)
  const refused = mayBeRefused(context, mount) ? plan.label('refused') : undefined
  const fs = lowerFsContext(context, mount.type, [...fsParameters(mount), ...label], refused)
  const made = plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, attributesOfNewMount(mount)])
  if (refused !== undefined) lowerHostSysfs(context, mount, { refused, made })
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

/** Of st_mode, all but the type. */
const PERMISSIONS = 0o7777

/** What a tmpfs gets when neither the config nor a folder that it covers says otherwise. */
const TMPFS_MODE = 0o1777

/** A tmpfs without a mode has that of the folder it covers, as users of other runtimes know it. */
function takesModeOfTarget({ type, options }: Mount): boolean {
  return type === 'tmpfs' && !options.tmpcopyup && !options.data.some((option) => option.startsWith('mode='))
}

function isWrittenFirst(mount: Mount): boolean {
  return isDev(mount) || mount.options.tmpcopyup || takesModeOfTarget(mount)
}

/** A read-only /dev gets its devices first: see lowerSealDev. */
function attributesOfNewMount(mount: Mount): number {
  const set = mount.options.attrSet
  return isWrittenFirst(mount) ? set & ~MOUNT_ATTR.RDONLY : set
}

/** Once /dev is filled, it may become read-only. */
export function lowerSealDev(context: Context): void {
  for (const mount of context.config.mounts) {
    if (mount.kind !== 'filesystem' || !isDev(mount) || !isReadonly(mount)) continue
    context.plan.section(pointer(mount), mount.destination, () => {
      setMountAttributes(context, openInRoot(context, mount.destination), { set: MOUNT_ATTR.RDONLY })
    })
  }
}

function isDev(mount: Mount): boolean {
  return mount.destination === '/dev'
}

function lowerRemount(context: Context, mount: Mount): void {
  const { plan } = context
  const target = openInRoot(context, mount.destination)
  setTreeAttributes(context, target, mount.options, true)
  const parameters: FsParameter[] = [
    ...mount.options.superblock.map((flag) => [flag] as const),
    ...mount.options.data.map(splitOption),
  ]
  if (parameters.length > 0) {
    const fs = plan.syscall('fspick', [target, '', FSPICK_CLOEXEC_EMPTY_PATH], { name: 'fs' })
    for (const [key, value] of parameters) {
      const command = value === undefined ? FSCONFIG.SET_FLAG : FSCONFIG.SET_STRING
      plan.syscall('fsconfig', [fs, command, key, value ?? 0, 0], { about: `option ${key}` })
    }
    plan.syscall('fsconfig', [fs, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0])
  }
  lowerPropagationChanges(context, target, mount.options)
}

/** mount(2) gets its target as a descriptor of the host's procfs. */
function lowerLegacyMount(context: Context, mount: Mount): void {
  const { plan, config, slots } = context
  covered(context, mount.destination)
  const status = takesModeOfTarget(mount) ? statxRoomWith(context, TMPFS_MODE) : undefined
  const target = openTarget(context, mount, 'directory', status)
  moveToSlot(context, target, slots.path)
  const { flags, data: options } = legacyArguments(mount)
  const data = [options, ...labelOption(config.linux.mountLabel, mount.type)].filter((text) => text !== '').join(',')
  plan.syscall('mount', [
    mount.source ?? mount.type,
    `/proc/self/fd/${slots.path}`,
    mount.type,
    flags,
    data === '' ? 0 : data,
  ])
  const mounted = openInRoot(context, mount.destination, { name: 'mounted' })
  if (status !== undefined) plan.syscall('fchmodat', [mounted, '.', status.field(STATX.mode, 2, PERMISSIONS)])
  if (mount.options.tmpcopyup) lowerCopyUp(context, mount.options, target, mounted)
  const attrSet = isDev(mount) ? mount.options.attrSet & ~MOUNT_ATTR.RDONLY : mount.options.attrSet
  setTreeAttributes(context, mounted, { ...mount.options, attrSet }, true)
  lowerPropagationChanges(context, mounted, mount.options)
}

/** The JSON pointer of a mount. */
export function pointer({ index }: Pick<Mount, 'index'>): string {
  return `/mounts/${index}`
}
