// linux.maskedPaths and linux.readonlyPaths, before the pivot: their sources are the host's, their targets descriptors.

import { FSMOUNT_CLOEXEC, MOUNT_ATTR, MOVE_MOUNT, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT } from '../linux/open-flags.ts'
import type { Context } from './context.ts'
import { lowerNullDevice } from './devices.ts'
import { openInRoot } from './in-root.ts'
import { lowerFsContext } from './mounts.ts'
import { attach, setMountAttributes } from './rootfs.ts'

/** A masked file is /dev/null, a masked folder an empty read-only tmpfs; a path that doesn't exist stays so. */
export function lowerMaskedPaths(context: Context): void {
  const { plan, config } = context
  if (config.linux.maskedPaths.length === 0) return
  const masks: { device: ReturnType<typeof lowerNullDevice> | undefined } = { device: undefined }
  plan.section('/linux/maskedPaths', '/dev/null', () => {
    masks.device = lowerNullDevice(context)
  })
  const { device } = masks
  if (device === undefined) return
  for (const [index, path] of config.linux.maskedPaths.entries()) {
    plan.section(`/linux/maskedPaths/${index}`, path, () => {
      const absent = plan.label('absent')
      const folder = plan.label('folder')
      const target = openInRoot(context, path, {}, { onError: { ENOENT: absent, ENOTDIR: absent } })
      const tree = plan.syscall('open_tree', [device, '', AT.EMPTY_PATH | OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC], {
        name: 'mask',
      })
      const flags = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH
      plan.syscall('move_mount', [tree, '', target, '', flags], { onError: { ENOTDIR: folder, EINVAL: folder } })
      plan.jump(absent)
      plan.place(folder)
      const fs = lowerFsContext(context, 'tmpfs', [
        ['nr_blocks', '1'],
        ['nr_inodes', '1'],
      ])
      const empty = plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, MOUNT_ATTR.RDONLY], { name: 'empty' })
      attach(context, empty, target)
      plan.place(absent)
    })
  }
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
