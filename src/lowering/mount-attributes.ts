// What mount options ask of a mount that is there already: flags and propagation, of it alone or of all that is below.

import type { MountOptions } from '../config/types.ts'
import { MOUNT_ATTR_ATIME_MASK } from '../linux/mount-flags.ts'
import type { Operand } from '../plan/step.ts'
import type { Context } from './context.ts'
import { setMountAttributes } from './rootfs.ts'

/** Flags of a detached tree: on its top for a bind, and on all of it where the options say so. */
export function setTreeAttributes(context: Context, tree: Operand, options: MountOptions, top: boolean): void {
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

export function lowerPropagationChanges(context: Context, mount: Operand, options: MountOptions): void {
  for (const { flag, recursive } of options.propagation) {
    setMountAttributes(context, mount, { propagation: flag, recursive })
  }
}
