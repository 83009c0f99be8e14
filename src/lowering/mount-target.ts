// Where a mount goes: a descriptor in the root file system with the earlier mounts in it, made when it is missing. What is opened
// here is what is mounted on: no path is looked at twice.

import type { Mount } from '../config/types.ts'
import { ERRNO } from '../linux/errno.ts'
import { MOVE_MOUNT } from '../linux/mount-flags.ts'
import { O, RESOLVE, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import type { Argument, DataObject, PlanBuilder } from '../plan/builder.ts'
import type { Field, Operand, Routine, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { openHow, openInRoot, openWithHow, type ResolveOptions } from './in-root.ts'
import { mountPoint } from './mount-point.ts'
import { statAt, statDescriptor, statxRoom } from './statx.ts'

/** File systems that must not be mounted through a link of the image (CVE-2019-19921, CVE-2023-27561). */
const REAL_TARGET = new Set(['proc', 'sysfs'])

interface TargetOptions {
  /** What will be mounted, as far as it is there: a missing target becomes a file or a folder as this is; a folder without it. */
  readonly source?: Operand
  /** statx(2) of a target that was there before goes in here; it stays as it is for one that is made. */
  readonly status?: DataObject | undefined
}

/** @returns an O_PATH descriptor of the mount's target */
export function openTarget(
  context: Context,
  { type, destination, options }: Pick<Mount, 'type' | 'options'> & { readonly destination: Argument },
  { source = context.slots.root, status }: TargetOptions = {},
): Value {
  if (REAL_TARGET.has(type)) return openOrMake(context, destination, { noSymlinks: true })
  if (options.nofollow.destination) {
    // The last one is opened itself; one before it is refused, since it would be for following.
    return openOrMake(context, destination, { noSymlinks: true, flags: O.PATH | O.NOFOLLOW, like: source })
  }
  const room = status?.address ?? 0
  return context.plan.call(targetRoutine(context), [destination, source, room], { name: 'target' })
}

/** Parameters: as of the routine mount_point; the last may be 0. */
function targetRoutine(context: Context): Routine {
  const { plan, slots } = context
  const elsewhere = mountPoint(context)
  return plan.routine('open_target', ['wanted', 'like', 'status'], (wanted, like, status) => {
    const [behind, ignored] = [plan.label('behind'), statxRoom(context)]
    // Without a link on the way it is what the config names, and the config has been looked at.
    const how = openHow(context, O.PATH, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS | RESOLVE.NO_SYMLINKS)
    const target = openWithHow(context, slots.root, wanted, how, { onError: { ENOENT: behind, ELOOP: behind } })
    plan.when([status, 'ne', 0], () => statAt(context, target, status))
    plan.return(target)
    plan.place(behind)
    plan.when([status, 'eq', 0], () => plan.add(ignored.address, 0, status))
    return plan.call(elsewhere, [wanted, like, status])
  })
}

/** A mount onto its target. One may be a file and the other a folder: which is which is told then. */
export function attachMount(
  { plan }: Context,
  { source, type, destination }: Mount,
  tree: Operand,
  target: Operand,
): void {
  plan.call(attachRoutine(plan), [tree, target], { about: `${source ?? type} on ${destination}` })
}

/** Parameters: a mount and its target. */
export function attachRoutine(plan: PlanBuilder): Routine {
  return plan.routine('attach', ['tree', 'target'], (tree, target) => {
    const refused = plan.label('refused')
    const flags = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH
    plan.syscall('move_mount', [tree, '', target, '', flags], { onError: { EINVAL: refused, ENOTDIR: refused } })
    plan.return()
    plan.place(refused)
    const kind = (fd: Operand): Field => statDescriptor({ plan }, fd).field(STATX.mode, 2, S_IFMT)
    const [ours, theirs] = [kind(tree), kind(target)]
    plan.when(
      [ours, 'eq', S_IF.DIR],
      () => {
        const what = 'what is mounted is a folder, and its destination in the container a file, not a directory'
        plan.when([theirs, 'ne', S_IF.DIR], () => plan.fail(ERRNO.ENOTDIR, what))
      },
      () => {
        const what = 'what is mounted is a file, not a directory, and its destination in the container a folder'
        plan.when([theirs, 'eq', S_IF.DIR], () => plan.fail(ERRNO.ENOTDIR, what))
      },
    )
    plan.fail(ERRNO.EINVAL, 'the kernel attaches it nowhere: a mount below is unbindable, or the destination has gone')
  })
}

/**
 * openat2(2) of a path inside the root, which is made when it's missing: folders on the way 0755, the last a folder, or an empty file if `like`
 * isn't one.
 * @param path absolute, lexically clean
 */
export function openOrMake(
  context: Context,
  path: Argument,
  { like = context.slots.root, ...options }: ResolveOptions & { readonly like?: Operand } = {},
): Value {
  const { plan } = context
  const missing = plan.label('missing')
  const there = plan.label('there')
  const target = openInRoot(context, path, options, { onError: { ENOENT: missing } })
  plan.jump(there)
  plan.place(missing)
  plan.call(mountPoint(context), [path, like, statxRoom(context).address])
  openInRoot(context, path, options, { result: target })
  plan.place(there)
  return target
}
