// From the host's tree to the container's: paths are the container's after this.

import { ERRNO } from '../linux/errno.ts'
import { MNT_DETACH, MOVE_MOUNT, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT, O } from '../linux/open-flags.ts'
import type { Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { has } from './context.ts'
import { lowerUnmountAll } from './unmount.ts'

/** pivot_root(2) with the old root on top of the new one, then away with it. */
export function lowerPivot(context: Context): void {
  const { plan, config, facts, slots } = context
  plan.section('/root/path', config.root.path, () => {
    plan.syscall('fchdir', [slots.root])
    if (!has(config, 'mount')) plan.syscall('chroot', ['.'])
    else if (facts.noPivot) lowerMoveRoot(context)
    else {
      const flags = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
      const old = plan.syscall('openat', [AT.FDCWD, '/', flags, 0], { name: 'old_root' })
      plan.syscall('pivot_root', ['.', '.'])
      plan.pivot()
      // The old root is mounted over the new one now. It is a slave: nothing of the unmount travels back to the host.
      plan.syscall('fchdir', [old])
      plan.syscall('umount2', ['.', MNT_DETACH], { path: 'container' })
      requireGone(context, old)
      plan.syscall('chdir', ['/'], { path: 'container' })
      return
    }
    plan.pivot()
    plan.syscall('chdir', ['/'], { path: 'container' })
  })
}

/**
 * Only mounts of this namespace can be cloned: that the old root can't be is the proof that it was the one unmounted, and
 * not something that lay over it. The host's tree would be one `..` away.
 */
function requireGone({ plan }: Context, old: Value): void {
  const gone = plan.label('gone')
  const clone = AT.EMPTY_PATH | OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
  plan.syscall('open_tree', [old, '', clone], { name: 'still_there', onError: { EINVAL: gone } })
  plan.fail(ERRNO.EBUSY, "the host's root is still mounted below the container's")
  plan.place(gone)
}

/** --no-pivot, for a rootfs on a ramdisk: move the mount over the root, and let nothing of the host's be mounted below it. */
function lowerMoveRoot(context: Context): void {
  const { plan, slots } = context
  plan.syscall('move_mount', [slots.root, '', AT.FDCWD, '/', MOVE_MOUNT.F_EMPTY_PATH])
  lowerUnmountAll(context)
  plan.syscall('fchdir', [slots.root])
  plan.syscall('chroot', ['.'])
}
