// root and rootfsPropagation: a copy of the root file system, attached in the host's tree. The way into it is in pivot.ts.

import type { MountOptions } from '../config/types.ts'
import { MOUNT_ATTR, MOVE_MOUNT, MS, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT, O } from '../linux/open-flags.ts'
import { type DataObject, u64 } from '../plan/builder.ts'
import type { Label, Operand, Value } from '../plan/step.ts'
import { type Context, has } from './context.ts'
import { moveToSlot } from './descriptors.ts'

/** sizeof(struct mount_attr) */
export const MOUNT_ATTR_SIZE = 32

const PROPAGATION = { shared: MS.SHARED, slave: MS.SLAVE, private: MS.PRIVATE, unbindable: MS.UNBINDABLE } as const

export interface MountAttributes {
  readonly set?: number
  readonly clear?: number
  /** MS_SHARED, MS_SLAVE … */
  readonly propagation?: number
  readonly recursive?: boolean
}

/**
 * mount_setattr(2) on a descriptor of a mount. What is set is not cleared, whatever `clear` says, but for the atime mode.
 * @param locked where to go on when an outer user namespace has locked one of the flags
 */
export function setMountAttributes(
  { plan }: Pick<Context, 'plan'>,
  fd: Operand,
  attributes: MountAttributes,
  locked?: Label,
): void {
  const attr = mountAttr({ plan }, attributes)
  const flags = AT.EMPTY_PATH | (attributes.recursive === true ? AT.RECURSIVE : 0)
  const onError = locked === undefined ? {} : { onError: { EPERM: locked } }
  plan.syscall('mount_setattr', [fd, '', flags, attr.address, MOUNT_ATTR_SIZE], onError)
}

function mountAttr(
  { plan }: Pick<Context, 'plan'>,
  { set = 0, clear = 0, propagation = 0 }: Omit<MountAttributes, 'recursive'>,
): DataObject {
  return plan.constant(
    `mount_attr{set=${set.toString(16)} clear=${clear.toString(16)} propagation=${propagation.toString(16)}}`,
    [u64(set), u64(clear), u64(propagation), u64(0)],
  )
}

/** move_mount(2): a detached mount onto a target, both by descriptor. */
export function attach({ plan }: Pick<Context, 'plan'>, mount: Operand, target: Operand): void {
  plan.syscall('move_mount', [mount, '', target, '', MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH])
}

/** A detached copy of a tree that the host's path leads to. It tells and hears of mounts as its original does. */
export function cloneTree(
  { plan }: Pick<Context, 'plan'>,
  path: string,
  { recursiveBind, nofollow }: Pick<MountOptions, 'recursiveBind'> & Partial<Pick<MountOptions, 'nofollow'>>,
): Value {
  const links = nofollow?.source === true ? AT.SYMLINK_NOFOLLOW : 0
  const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | (recursiveBind ? AT.RECURSIVE : 0) | links
  return plan.syscall('open_tree', [AT.FDCWD, path, flags], { name: 'tree', about: path })
}

/**
 * In a mount namespace of our own: mounts made from here on stay in it. Trees that are to be shared with the host were copied
 * by P0 as they are, so even then the host's own tree can be cut off here.
 */
export function lowerPropagation({ plan }: Pick<Context, 'plan'>): void {
  plan.section('', '/', () => {
    const attr = mountAttr({ plan }, { propagation: MS.SLAVE })
    plan.syscall('mount_setattr', [AT.FDCWD, '/', AT.RECURSIVE, attr.address, MOUNT_ATTR_SIZE])
  })
}

/** In P1: attach the copy of the root file system where its original is, so that hooks of the host find it. */
export function lowerRootfs(context: Context, root: Value): void {
  const { plan, config, slots } = context
  plan.section('/root/path', config.root.path, () => {
    if (config.linux.rootfsPropagation === 'shared') setMountAttributes(context, root, { propagation: MS.PRIVATE })
    // open_tree(2) followed a link at the end of the host's path, so this does too.
    const flags = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_SYMLINKS
    plan.syscall('move_mount', [root, '', AT.FDCWD, config.root.path, flags])
    // The caller's own mounts may be shared: what is mounted in the root from here on is no concern of theirs.
    if (!has(config, 'mount')) setMountAttributes(context, root, { propagation: MS.PRIVATE, recursive: true })
    moveToSlot(context, root, slots.root)
  })
}

/** Where nothing is mounted the folder itself is the root. */
export function lowerBareRoot(context: Context): void {
  const { plan, config, slots } = context
  plan.section('/root/path', config.root.path, () => {
    const root = plan.syscall('openat', [AT.FDCWD, config.root.path, openPath(O.DIRECTORY), 0], { name: 'rootfs' })
    moveToSlot(context, root, slots.root)
  })
}

/** root.readonly and the propagation of the root mount itself, once everything in it is made. */
export function lowerRootAttributes(context: Context): void {
  const { plan, config, slots } = context
  const propagation = config.linux.rootfsPropagation
  if (propagation !== undefined) {
    plan.section('/linux/rootfsPropagation', '/', () =>
      setMountAttributes(context, slots.root, { propagation: PROPAGATION[propagation] }),
    )
  }
  if (config.root.readonly) {
    plan.section('/root/readonly', '/', () => setMountAttributes(context, slots.root, { set: MOUNT_ATTR.RDONLY }))
  }
}

function openPath(flags: number): Operand {
  return { kind: 'open-flags', flags: O.PATH | O.CLOEXEC | flags }
}
