// mounts: each is made detached, gets its flags, and only then appears at its target, which is a descriptor.

import type { Mount, MountOptions } from '../config/types.ts'
import { FSCONFIG, MOUNT_ATTR } from '../linux/mount-flags.ts'
import { STATX } from '../linux/statx.ts'
import type { Routine } from '../plan/step.ts'
import { lowerCgroupMount } from './cgroup-mount.ts'
import type { Context } from './context.ts'
import { lowerCopyUp } from './copy-up.ts'
import { closeIfMany } from './descriptors.ts'
import { isDev, isWrittenFirst, takesModeOfTarget } from './file-system.ts'
import { type FsParameter, isReadonly, needsLegacyCall, splitOption } from './fs-parameters.ts'
import { openInRoot } from './in-root.ts'
import { lowerRootLabel } from './lsm.ts'
import {
  lowerPropagationChanges,
  setBindAttributes,
  setRecursiveAttributes,
  setRemountAttributes,
} from './mount-attributes.ts'
import { attachMount, attachRoutine, openTarget } from './mount-target.ts'
import { setMountAttributes } from './rootfs.ts'
import { pointer, sourceTree } from './sources.ts'
import { statxRoom } from './statx.ts'

const FSPICK_CLOEXEC_EMPTY_PATH = 0x1 | 0x8
const FSCONFIG_CMD_RECONFIGURE = 7

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
  } else lowerFileSystem(context, mount)
}

function lowerBind(context: Context, mount: Mount): void {
  const tree = sourceTree(context, mount)
  const about = `${mount.source} on ${mount.destination}`
  context.plan.call(bindRoutine(context, mount.options), [tree, mount.destination], { about })
}

/** Binds with the same options share one. Parameters: a detached tree, which is closed, and the address of its destination. */
function bindRoutine(context: Context, options: MountOptions): Routine {
  const { plan, binds } = context
  const known = binds.get(options)
  if (known !== undefined) return known
  const routine = plan.routine(`bind_${binds.size + 1}`, ['tree', 'destination'], (tree, destination) => {
    setBindAttributes(context, tree, options)
    const target = openTarget(context, { type: 'bind', destination, options }, { source: tree })
    plan.call(attachRoutine(plan), [tree, target])
    lowerPropagationChanges(context, tree, options)
    plan.syscall('close', [target])
    plan.syscall('close', [tree])
    return undefined
  })
  binds.set(options, routine)
  return routine
}

function lowerFileSystem(context: Context, mount: Mount): void {
  const { plan } = context
  const status = takesModeOfTarget(mount) ? statxRoom(context) : undefined
  const target = openTarget(context, mount, { status })
  const isMade = context.trees.mounts.has(mount.index) || needsLegacyCall(mount)
  const fs = sourceTree(context, mount, isMade ? undefined : status)
  if (status !== undefined && isMade) {
    plan.when([status.field(STATX.mode, 2), 'ne', 0], () =>
      plan.syscall('fchmodat', [fs, '.', status.field(STATX.mode, 2, PERMISSIONS)]),
    )
  }
  if (mount.options.tmpcopyup) lowerCopyUp(context, mount.options, target, fs)
  if (isReadonly(mount) && isDev(mount)) context.unsealed.push({ mount, fs })
  else if (isReadonly(mount) && isWrittenFirst(mount)) setMountAttributes(context, fs, { set: MOUNT_ATTR.RDONLY })
  setRecursiveAttributes(context, fs, mount.options)
  if (mount.type === 'mqueue') lowerRootLabel(context, fs)
  attachMount(context, mount, fs, target)
  lowerPropagationChanges(context, fs, mount.options)
  closeIfMany(context, target, ...(context.unsealed.some((one) => one.fs === fs) ? [] : [fs]))
}

/** Of st_mode, all but the type. */
const PERMISSIONS = 0o7777

/** A read-only /dev is sealed once its devices are in it. */
export function lowerSealDev(context: Context): void {
  for (const { mount, fs } of context.unsealed) {
    context.plan.section(pointer(mount), mount.destination, () =>
      setMountAttributes(context, fs, { set: MOUNT_ATTR.RDONLY }),
    )
  }
}

function lowerRemount(context: Context, mount: Mount): void {
  const { plan } = context
  const target = openInRoot(context, mount.destination)
  setRemountAttributes(context, target, mount.options)
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
