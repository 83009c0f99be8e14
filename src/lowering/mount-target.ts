// Where a mount goes: a descriptor in the root file system with the earlier mounts in it, made when it is missing. What is opened
// here is what is mounted on: no path is looked at twice.

import type { Mount } from '../config/types.ts'
import { ERRNO } from '../linux/errno.ts'
import { MOVE_MOUNT } from '../linux/mount-flags.ts'
import { S_IF, S_IFMT } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import type { DataObject, PlanBuilder } from '../plan/builder.ts'
import type { Field, Operand, Routine, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { openInRoot, type ResolveOptions } from './in-root.ts'
import { mountPoint } from './mount-point.ts'
import { statDescriptor, statxRoom } from './statx.ts'

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
  { type, destination }: Mount,
  { source = context.slots.root, status }: TargetOptions = {},
): Value {
  const { plan } = context
  if (REAL_TARGET.has(type)) return openOrMake(context, destination, { noSymlinks: true })
  const [elsewhere, there] = [plan.label('elsewhere'), plan.label('there')]
  // Without a link on the way it is what the config names, and the config has been looked at.
  const target = openInRoot(
    context,
    destination,
    { noSymlinks: true },
    { onError: { ENOENT: elsewhere, ELOOP: elsewhere } },
  )
  if (status !== undefined) statDescriptor(context, target, {}, status)
  plan.jump(there)
  plan.place(elsewhere)
  const room = status ?? statxRoom(context)
  plan.call(mountPoint(context), [destination, source, room.address], { result: target })
  plan.place(there)
  return target
}

/** A mount onto its target. One may be a file and the other a folder: which is which is told then. */
export function attachMount(
  context: Context,
  { source, type, destination }: Mount,
  tree: Operand,
  target: Operand,
): void {
  const { plan } = context
  const [ours, theirs] = [source ?? type, `${destination} in the container`]
  const [file, folder, done] = [plan.label('file'), plan.label('folder'), plan.label('attached')]
  plan.call(attachRoutine(plan), [tree, target], { onError: { ENOTDIR: file, EISDIR: folder } })
  plan.jump(done)
  plan.place(file)
  plan.fail(ERRNO.ENOTDIR, `${ours} is a file and not a directory, as ${theirs} is`)
  plan.place(folder)
  plan.fail(ERRNO.ENOTDIR, `${theirs} is a file and not a directory, as ${ours} is`)
  plan.place(done)
}

/** Parameters: a mount and its target. Fails with ENOTDIR where only the target is a folder, with EISDIR where only the mount is. */
function attachRoutine(plan: PlanBuilder): Routine {
  return plan.routine('attach', ['tree', 'target'], (tree, target) => {
    const refused = plan.label('refused')
    const flags = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH
    plan.syscall('move_mount', [tree, '', target, '', flags], { onError: { EINVAL: refused, ENOTDIR: refused } })
    plan.return()
    plan.place(refused)
    const kind = (fd: Operand): Field => statDescriptor({ plan }, fd).field(STATX.mode, 2, S_IFMT)
    const [ours, theirs] = [kind(tree), kind(target)]
    plan.when([ours, 'ne', S_IF.DIR], () => plan.when([theirs, 'eq', S_IF.DIR], () => plan.fail(ERRNO.ENOTDIR)))
    plan.when([ours, 'eq', S_IF.DIR], () => plan.when([theirs, 'ne', S_IF.DIR], () => plan.fail(ERRNO.EISDIR)))
    plan.fail(
      ERRNO.EINVAL,
      'the kernel attaches it nowhere: a mount below the source is unbindable, or the target has gone',
    )
  })
}

/**
 * openat2(2) of a path inside the root, which is made when it's missing: folders on the way 0755, the last a folder, or an empty file if `like`
 * isn't one.
 * @param path absolute, lexically clean
 */
export function openOrMake(
  context: Context,
  path: string,
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
