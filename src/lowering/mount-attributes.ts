// What mount options ask of a mount that is there already: flags and propagation, of it alone or of all that is below.

import type { MountOptions } from '../config/types.ts'
import { MOUNT_ATTR, MOUNT_ATTR_ATIME_MASK } from '../linux/mount-flags.ts'
import type { Operand } from '../plan/step.ts'
import { type Context, has } from './context.ts'
import { setMountAttributes } from './rootfs.ts'

const { RDONLY, NOSUID, NODEV, NOEXEC, NOSYMFOLLOW, NODIRATIME } = MOUNT_ATTR

/** All flags but those of atime. */
const PLAIN = RDONLY | NOSUID | NODEV | NOEXEC | NOSYMFOLLOW

/**
 * Flags of a bind, as runc has them. Where the options name no flag, it keeps those of its source. Where they name one, it has
 * the flags that they set and no others; its atime mode changes only when they set one, as with mount(8).
 * In a user namespace the kernel has locked the flags of the source (mount_namespaces(7)): then these stay, and only who asks
 * for the opposite is refused.
 */
export function setBindAttributes(context: Context, tree: Operand, options: MountOptions): void {
  const { attrSet: set, attrClear: clear } = options
  if ((set | clear) !== 0) {
    const atime = options.atimeSet || (set & NODIRATIME) !== 0 ? MOUNT_ATTR_ATIME_MASK | NODIRATIME : 0
    const locked = mayBeLocked(context) ? context.plan.label('locked') : undefined
    setMountAttributes(context, tree, { set, clear: PLAIN | atime }, locked)
    if (locked !== undefined) {
      const { plan } = context
      const done = plan.label('flags')
      plan.jump(done)
      plan.place(locked)
      setMountAttributes(context, tree, { set, clear: (clear & PLAIN) | NOSYMFOLLOW | atime }) // which is never locked
      plan.place(done)
    }
  }
  setRecursiveAttributes(context, tree, options)
}

/** Were the mounts here copied into a namespace of a user namespace with fewer rights, now or before? */
function mayBeLocked({ config, facts }: Context): boolean {
  return has(config, 'user') || facts.nested || !facts.mayMount
}

/** A remount changes what its options name. */
export function setRemountAttributes(context: Context, mount: Operand, options: MountOptions): void {
  const { attrSet, attrClear } = options
  if ((attrSet | attrClear) !== 0) setMountAttributes(context, mount, wholeAtime(attrSet, attrClear))
  setRecursiveAttributes(context, mount, options)
}

/** rro, rnosuid …: of a mount and all that is below. */
export function setRecursiveAttributes(
  context: Context,
  tree: Operand,
  { recursiveSet, recursiveClear }: Pick<MountOptions, 'recursiveSet' | 'recursiveClear'>,
): void {
  if ((recursiveSet | recursiveClear) === 0) return
  setMountAttributes(context, tree, { ...wholeAtime(recursiveSet, recursiveClear), recursive: true })
}

/** The atime mode is one field: to change it, all of it is cleared. mount_setattr(2) */
function wholeAtime(set: number, clear: number): { set: number; clear: number } {
  const touched = ((set | clear) & MOUNT_ATTR_ATIME_MASK) !== 0
  return { set, clear: touched ? clear | MOUNT_ATTR_ATIME_MASK : clear }
}

export function lowerPropagationChanges(context: Context, mount: Operand, options: MountOptions): void {
  for (const { flag, recursive } of options.propagation) {
    setMountAttributes(context, mount, { propagation: flag, recursive })
  }
}
