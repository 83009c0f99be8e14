// linux.maskedPaths and linux.readonlyPaths, before the pivot: sources and targets are descriptors.

import type { Config } from '../config/types.ts'
import { FSMOUNT_CLOEXEC, MOUNT_ATTR, MOVE_MOUNT, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT, O, RESOLVE } from '../linux/open-flags.ts'
import type { Label, Operand, Routine, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { lowerNullDevice } from './devices.ts'
import { lowerFsContext } from './fs-context.ts'
import { openHow, openWithHow } from './in-root.ts'
import { labelParameters } from './lsm.ts'
import { attach, setMountAttributes } from './rootfs.ts'

/** Of the paths that engines mask, those that are folders where they are: the right mask is tried first. */
const KERNEL_FOLDERS = new Set([
  '/proc/acpi',
  '/proc/asound',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
])

/** A masked file is /dev/null, a masked folder an empty read-only tmpfs; a path that doesn't exist stays so. */
export function lowerMaskedPaths(context: Context): void {
  const { plan, config } = context
  if (config.linux.maskedPaths.length === 0) return
  const masks: Partial<Record<'device' | 'folder', Operand>> = {}
  plan.section('/linux/maskedPaths', 'masks', () => {
    masks.device = lowerNullMask(context)
    masks.folder = lowerEmptyFolder(context)
  })
  const { device, folder: empty } = masks
  if (device === undefined || empty === undefined) return
  for (const [path, pointer] of hiddenPaths(config, 'maskedPaths')) {
    const [first, second] = KERNEL_FOLDERS.has(path) ? [empty, device] : [device, empty]
    plan.section(pointer, path, () => plan.call(maskRoutine(context), [path, first, second]))
  }
}

/** Each path once, and its first place in the config. */
function hiddenPaths({ linux }: Config, list: 'maskedPaths' | 'readonlyPaths'): Map<string, string> {
  const found = new Map<string, string>()
  for (const [index, path] of linux[list].entries()) if (!found.has(path)) found.set(path, `/linux/${list}/${index}`)
  return found
}

/** Parameters: the address of a path, a mount to clone onto it, and another, if that is a file and the path a folder or the reverse. */
function maskRoutine(context: Context): Routine {
  const { plan, config } = context
  const isMany = config.linux.maskedPaths.length > FEW
  return plan.routine('mask', ['path', 'first', 'second'], (path, first, second) => {
    const [absent, other] = [plan.label('absent'), plan.label('other')]
    const clone = AT.EMPTY_PATH | OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
    const target = openAnywhere(context, path, absent)
    const tree = plan.syscall('open_tree', [first, '', clone], { name: 'mask' })
    const flags = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH
    plan.syscall('move_mount', [tree, '', target, '', flags], { onError: { ENOTDIR: other, EINVAL: other } })
    const done = (): void => {
      if (isMany) for (const fd of [target, tree]) plan.syscall('close', [fd])
      plan.return()
    }
    done()
    plan.place(other)
    if (isMany) plan.syscall('close', [tree])
    plan.syscall('open_tree', [second, '', clone], { result: tree })
    attach(context, tree, target)
    done()
    plan.place(absent)
  })
}

/** With no more paths than these, descriptors are left to be closed all at once. */
const FEW = 100

function openAnywhere(context: Context, path: Value, absent: Label): Value {
  const how = openHow(context, O.PATH, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS)
  return openWithHow(context, context.slots.root, path, how, { onError: { ENOENT: absent, ENOTDIR: absent } })
}

/**
 * The null device on a read-only mount, so that nobody changes its inode through a mask. Only a mount of this namespace can be
 * cloned again: it is put over our copy of the host's.
 */
function lowerNullMask(context: Context): Operand {
  const { plan } = context
  const clone = AT.EMPTY_PATH | OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
  const mask = plan.syscall('open_tree', [lowerNullDevice(context), '', clone], { name: 'null_mask' })
  setMountAttributes(context, mask, { set: MOUNT_ATTR.RDONLY })
  const flags = { kind: 'open-flags', flags: O.PATH | O.NOFOLLOW | O.CLOEXEC } as const
  attach(context, mask, plan.syscall('openat', [AT.FDCWD, '/dev/null', flags, 0], { name: 'host_null' }))
  return mask
}

/**
 * An empty read-only tmpfs to clone. Only a mount of this namespace can be cloned, so it is put over our copy of the
 * host's /dev, which nobody needs any more and the pivot takes away. Never over the host's root itself: the unmount that
 * follows the pivot would find this mount instead, and the host's tree would stay.
 */
function lowerEmptyFolder(context: Context): Operand {
  const { plan, config } = context
  const label = labelParameters(config.linux.mountLabel, 'tmpfs')
  const fs = lowerFsContext(context, 'tmpfs', [['nr_inodes', '1'], ...label])
  const empty = plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, MOUNT_ATTR.RDONLY], { name: 'empty' })
  const flags = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
  attach(context, empty, plan.syscall('openat', [AT.FDCWD, '/dev', flags, 0], { name: 'host_dev' }))
  return empty
}

/** Each is bound onto itself, read-only with all that is mounted in it; a path that doesn't exist stays so. */
export function lowerReadonlyPaths(context: Context): void {
  const { plan, config } = context
  const isMany = config.linux.readonlyPaths.length > FEW
  for (const [name, pointer] of hiddenPaths(config, 'readonlyPaths')) {
    const routine = plan.routine('make_readonly', ['path'], (path) => {
      const absent = plan.label('absent')
      const target = openAnywhere(context, path, absent)
      const flags = AT.EMPTY_PATH | AT.RECURSIVE | OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
      const tree = plan.syscall('open_tree', [target, '', flags], { name: 'tree' })
      setMountAttributes(context, tree, { set: MOUNT_ATTR.RDONLY, recursive: true })
      attach(context, tree, target)
      if (isMany) for (const fd of [target, tree]) plan.syscall('close', [fd])
      plan.place(absent)
    })
    plan.section(pointer, name, () => plan.call(routine, [name]))
  }
}
