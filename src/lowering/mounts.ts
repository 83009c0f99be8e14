// mounts: each is made detached, gets its flags, and only then appears at its target, which is a descriptor.

import type { Mount, MountOptions } from '../config/types.ts'
import { FSCONFIG, FSMOUNT_CLOEXEC, MOUNT_ATTR, MOUNT_ATTR_ATIME_MASK } from '../linux/mount-flags.ts'
import type { Operand, Value } from '../plan/step.ts'
import { lowerCgroupMount } from './cgroup-mount.ts'
import type { Context } from './context.ts'
import { moveToSlot } from './descriptors.ts'
import { type FsParameter, lowerFsContext } from './fs-context.ts'
import { openInRoot, openOrMake } from './in-root.ts'
import { labelOption, labelParameters, lowerRootLabel } from './lsm.ts'
import { attach, lowerHostTree, setMountAttributes } from './rootfs.ts'

const FSPICK_CLOEXEC_EMPTY_PATH = 0x1 | 0x8
const FSCONFIG_CMD_RECONFIGURE = 7

/** File systems whose superblock is the kernel's own: read-only is a matter of the mount, never of the superblock. */
const PSEUDO = new Set([
  'proc',
  'sysfs',
  'tmpfs',
  'mqueue',
  'devpts',
  'cgroup',
  'cgroup2',
  'ramfs',
  'securityfs',
  'debugfs',
  'tracefs',
  'bpf',
  'devtmpfs',
])

/** File systems that must not be mounted through a link of the image (CVE-2019-19921, CVE-2023-27561). */
const REAL_TARGET = new Set(['proc', 'sysfs'])

/** In P0: copies of all bind sources, while the host's paths and rights are at hand. */
export function lowerBindSources(context: Context): void {
  const { plan, config, trees } = context
  for (const mount of config.mounts) {
    if (mount.kind !== 'bind' || mount.source === undefined) continue
    const { source } = mount
    plan.section(pointer(mount), mount.destination, () => {
      const tree = lowerHostTree(context, source, mount.options.recursiveBind)
      setTreeAttributes(context, tree, mount.options, true)
      trees.binds.set(mount.index, tree)
    })
  }
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
  } else if (mount.options.legacyFlags !== 0) lowerLegacyMount(context, mount)
  else lowerFileSystem(context, mount)
}

function lowerBind(context: Context, mount: Mount): void {
  const tree = context.trees.binds.get(mount.index)
  if (tree === undefined || mount.source === undefined) throw new Error(`mount ${mount.index}: no source tree`)
  const kind = context.facts.sourceIsDirectory(mount.source) ? 'directory' : 'file'
  const target = openOrMake(context, context.facts.targetOf(mount.destination), kind)
  attach(context, tree, target)
  lowerPropagationChanges(context, tree, mount.options)
  covered(context, mount.destination)
}

/** Below a mount that is not ours, or that lies over a fresh one, nothing is fresh any more. */
function covered({ fresh }: Context, destination: string): void {
  for (const folder of fresh.keys()) if (`${folder}/`.startsWith(`${destination}/`)) fresh.delete(folder)
}

function lowerFileSystem(context: Context, mount: Mount): void {
  covered(context, mount.destination)
  const target = openTarget(context, mount)
  const fs = context.plan.syscall('fsmount', [
    lowerFsContext(context, mount.type, fsParameters(mount, context.config.linux.mountLabel)),
    FSMOUNT_CLOEXEC,
    attributesOfNewMount(mount),
  ])
  setTreeAttributes(context, fs, mount.options, false)
  if (mount.type === 'mqueue') lowerRootLabel(context, fs)
  attach(context, fs, target)
  lowerPropagationChanges(context, fs, mount.options)
  if (mount.type === 'tmpfs') context.fresh.set(mount.destination, fs)
}

function openTarget(context: Context, { destination, type }: Mount): Value {
  if (REAL_TARGET.has(type)) return openOrMake(context, destination, 'directory', { noSymlinks: true })
  return openOrMake(context, context.facts.targetOf(destination), 'directory')
}

function fsParameters(mount: Mount, mountLabel: string | undefined): FsParameter[] {
  const { options, source } = mount
  const parameters: FsParameter[] = []
  if (source !== undefined && source !== '') parameters.push(['source', source])
  for (const flag of options.superblock) parameters.push([flag])
  if ((options.attrSet & MOUNT_ATTR.RDONLY) !== 0 && !PSEUDO.has(mount.type)) parameters.push(['ro'])
  for (const option of options.data) parameters.push(splitOption(option))
  parameters.push(...labelParameters(mountLabel, mount.type))
  return parameters
}

function splitOption(option: string): FsParameter {
  const equals = option.indexOf('=')
  return equals < 0 ? [option] : [option.slice(0, equals), option.slice(equals + 1)]
}

/** A read-only /dev gets its devices first: see lowerSealDev. */
function attributesOfNewMount(mount: Mount): number {
  const set = mount.options.attrSet
  return isDev(mount) ? set & ~MOUNT_ATTR.RDONLY : set
}

/** Once /dev is filled, it may become read-only. */
export function lowerSealDev(context: Context): void {
  for (const mount of context.config.mounts) {
    if (mount.kind !== 'filesystem' || !isDev(mount) || (mount.options.attrSet & MOUNT_ATTR.RDONLY) === 0) continue
    context.plan.section(pointer(mount), mount.destination, () => {
      setMountAttributes(context, openInRoot(context, mount.destination), { set: MOUNT_ATTR.RDONLY })
    })
  }
}

function isDev(mount: Mount): boolean {
  return mount.destination === '/dev'
}

/** Flags of a detached tree: on its top for a bind, and on all of it where the options say so. */
function setTreeAttributes(context: Context, tree: Operand, options: MountOptions, top: boolean): void {
  if (top && (options.attrSet | options.attrClear) !== 0) {
    setMountAttributes(context, tree, wholeAtime(options.attrSet, options.attrClear))
  }
  if ((options.recursiveSet | options.recursiveClear) !== 0) {
    setMountAttributes(context, tree, { ...wholeAtime(options.recursiveSet, options.recursiveClear), recursive: true })
  }
}

/** The atime mode is one field: to change it, all of it is cleared. mount_setattr(2) */
function wholeAtime(set: number, clear: number): { set: number; clear: number } {
  const touched = ((set | clear) & MOUNT_ATTR_ATIME_MASK) !== 0
  return { set, clear: touched ? clear | MOUNT_ATTR_ATIME_MASK : clear }
}

function lowerPropagationChanges(context: Context, mount: Operand, options: MountOptions): void {
  for (const { flag, recursive } of options.propagation) {
    setMountAttributes(context, mount, { propagation: flag, recursive })
  }
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

/** iversion and silent are known to mount(2) only: it gets its target as a descriptor of the host's procfs. */
function lowerLegacyMount(context: Context, mount: Mount): void {
  const { plan, config, slots } = context
  const target = openTarget(context, mount)
  moveToSlot(context, target, slots.path)
  const data = [...mount.options.data, ...labelOption(config.linux.mountLabel, mount.type)].join(',')
  plan.syscall('mount', [
    mount.source ?? mount.type,
    `/proc/self/fd/${slots.path}`,
    mount.type,
    mount.options.legacyFlags,
    data === '' ? 0 : data,
  ])
  const mounted = openInRoot(context, mount.destination, { name: 'mounted' })
  setTreeAttributes(context, mounted, { ...mount.options, attrSet: attributesOfNewMount(mount) }, true)
  lowerPropagationChanges(context, mounted, mount.options)
}

/** The JSON pointer of a mount. */
export function pointer({ index }: Pick<Mount, 'index'>): string {
  return `/mounts/${index}`
}
