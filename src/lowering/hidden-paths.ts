// linux.maskedPaths and linux.readonlyPaths, before the pivot: sources and targets are descriptors.

import { FSMOUNT_CLOEXEC, MOUNT_ATTR, MOVE_MOUNT, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT, O } from '../linux/open-flags.ts'
import type { Operand } from '../plan/step.ts'
import type { Context } from './context.ts'
import { lowerNullDevice } from './devices.ts'
import { lowerFsContext } from './fs-context.ts'
import { openInRoot } from './in-root.ts'
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
  const clone = AT.EMPTY_PATH | OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
  for (const [index, path] of config.linux.maskedPaths.entries()) {
    plan.section(`/linux/maskedPaths/${index}`, path, () => {
      const absent = plan.label('absent')
      const target = openInRoot(context, path, {}, { onError: { ENOENT: absent, ENOTDIR: absent } })
      const [first, second] = KERNEL_FOLDERS.has(path) ? [empty, device] : [device, empty]
      const other = plan.label('other')
      const tree = plan.syscall('open_tree', [first, '', clone], { name: 'mask' })
      const flags = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH
      plan.syscall('move_mount', [tree, '', target, '', flags], { onError: { ENOTDIR: other, EINVAL: other } })
      plan.jump(absent)
      plan.place(other)
      attach(context, plan.syscall('open_tree', [second, '', clone], { name: 'mask' }), target)
      plan.place(absent)
    })
  }
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
  for (const [index, path] of config.linux.readonlyPaths.entries()) {
    plan.section(`/linux/readonlyPaths/${index}`, path, () => {
      const absent = plan.label('absent')
      const target = openInRoot(context, path, {}, { onError: { ENOENT: absent, ENOTDIR: absent } })
      const flags = AT.EMPTY_PATH | AT.RECURSIVE | OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
      const tree = plan.syscall('open_tree', [target, '', flags], { name: 'tree' })
      setMountAttributes(context, tree, { set: MOUNT_ATTR.RDONLY, recursive: true })
      attach(context, tree, target)
      plan.place(absent)
    })
  }
}
