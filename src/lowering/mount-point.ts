// A mount point that isn't there as it was named: it is behind links, or missing, and is made then. Links of the image and of
// volumes are read by the image when it runs, as bytes, in the tree as it stands.
//
// Whatever exists is resolved by openat2(2), with the root as the boundary. Whatever is missing is made by name in a folder's
// descriptor and opened again without following a link, so that one which appears meanwhile leads nowhere (CVE-2024-45310).
// Only a link to nothing is resolved here: what it stands for is tried from the start, 40 times at most.

import { ERRNO } from '../linux/errno.ts'
import { AT, O, RESOLVE, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { DESCRIBING_PROC_FILES, PROC_SUPER_MAGIC, SYSFS_MAGIC } from '../linux/proc-files.ts'
import { STATX, STATX_BASIC_STATS, STATX_MNT_ID } from '../linux/statx.ts'
import type { DataObject, PlanBuilder } from '../plan/builder.ts'
import type { Operand, Routine, Value } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'
import { openHow, openWithHow } from './in-root.ts'
import { statDescriptor, statxRoom } from './statx.ts'

/** As many links as the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40
/** With the 0 at the end. */
const PATH_MAX = 4096
const STATFS_SIZE = 120
const SLASH = '/'.charCodeAt(0)

type Planning = Pick<ProcessContext, 'plan' | 'slots'>

/**
 * Parameters: the address of an absolute path; a descriptor of a file or folder, of whose kind a missing mount point is made;
 * the address of a struct statx, which is filled for one that was there.
 * Returns an O_PATH descriptor; fails where nothing may be mounted: on the root, or by a link into procfs or sysfs.
 */
export function mountPoint(context: Planning): Routine {
  const { plan, slots } = context
  const make = makeAlike(plan)
  const harmless = requireHarmless(context)
  return plan.routine('mount_point', ['wanted', 'like', 'status'], (wanted, like, status) => {
    const room = (name: string): DataObject => plan.buffer(name, PATH_MAX + 1)
    const [path, joined, target] = [room('path'), room('joined'), room('target')]
    const [toPath, toJoined] = [appendTo(plan, path, 'path'), appendTo(plan, joined, 'joined')]
    const resolve = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS
    const any = openHow(context, O.PATH, resolve)
    const folder = openHow(context, O.PATH | O.DIRECTORY, resolve)
    const [parent, cut, next, kind] = [plan.value('parent'), plan.value('cut'), plan.value('next'), plan.value('kind')]
    const [name, end] = [plan.value('name'), plan.value('end')]
    const links = plan.add(0, 0, plan.value('links'))
    plan.call(toPath, [wanted, path.address], { result: end })
    const again = plan.label('again')
    plan.place(again)
    const [missing, create] = [plan.label('missing'), plan.label('create')]
    const found = openWithHow(context, slots.root, path.address, any, { onError: { ENOENT: missing } })
    plan.call(harmless, [found, status])
    plan.return(found)

    // The deepest folder that is there: the path ends at one slash after the other, from behind.
    plan.place(missing)
    plan.add(end, 0, cut)
    plan.loop(({ next: shorter, done }) => {
      backToSlash(plan, cut)
      const cutOff = plan.load(cut, 1)
      plan.storeIn(path, cut, 1, 0)
      plan.when(
        [cut, 'eq', plan.add(path.address, 0)],
        () => openWithHow(context, slots.root, plan.string('.').address, folder, { result: parent }),
        () =>
          openWithHow(context, slots.root, path.address, folder, {
            result: parent,
            ignore: { ENOENT: 'a shorter one is tried' },
          }),
      )
      plan.storeIn(path, cut, 1, cutOff)
      plan.branch(parent, 'less', 0, shorter)
      plan.jump(done)
    })

    plan.place(create)
    plan.add(cut, 1, name)
    forwardToSlash(plan, name, next)
    const last = plan.load(next, 1)
    plan.when([name, 'eq', next], () => {
      plan.when([last, 'eq', 0], () => plan.return(parent)) // a slash at the end
      plan.add(next, 0, cut)
      plan.jump(create)
    })
    plan.when(
      [last, 'eq', 0],
      () => plan.add(like, 0, kind),
      () => plan.add(slots.root, 0, kind),
    )
    const exists = plan.label('exists')
    const cutOff = plan.load(next, 1)
    plan.storeIn(path, next, 1, 0)
    const made = plan.call(make, [parent, name, kind], { name: 'made', onError: { EEXIST: exists } })
    plan.storeIn(path, next, 1, cutOff)
    plan.syscall('close', [parent])
    plan.when([last, 'eq', 0], () => plan.return(made))
    plan.add(made, 0, parent)
    plan.add(next, 0, cut)
    plan.jump(create)

    // A link that leads to nothing; or something that has come meanwhile.
    plan.place(exists)
    plan.require(links, 'below', MOST_LINKS, ERRNO.ELOOP)
    plan.add(links, 1, links)
    const length = plan.syscall('readlinkat', [parent, name, target.address, PATH_MAX], {
      name: 'length',
      ignore: { EINVAL: 'it is no link: looked at once more', ENOENT: 'it is gone: the same' },
    })
    plan.storeIn(path, next, 1, cutOff)
    plan.syscall('close', [parent])
    plan.branch(length, 'less', 0, again)
    plan.storeIn(target, plan.add(target.address, length), 1, 0)
    const to = plan.add(joined.address, 0, plan.value('to'))
    plan.when([target.field(0, 1), 'ne', SLASH], () => {
      const rest = plan.load(name, 1)
      plan.storeIn(path, name, 1, 0)
      plan.call(toJoined, [path.address, to], { result: to })
      plan.storeIn(path, name, 1, rest)
    })
    plan.call(toJoined, [target.address, to], { result: to })
    plan.call(toJoined, [next, to])
    plan.call(toPath, [joined.address, path.address], { result: end })
    plan.jump(again)
  })
}

/** Let an address in a path point to the slash before it. */
function backToSlash(plan: PlanBuilder, at: Value): void {
  plan.loop(({ next, done }) => {
    plan.add(at, -1, at)
    plan.branch(plan.load(at, 1), 'eq', SLASH, done)
    plan.jump(next)
  })
}

/** Let `to` point to the slash that ends a name, or to the end of the path. */
function forwardToSlash(plan: PlanBuilder, name: Value, to: Value): void {
  plan.add(name, 0, to)
  plan.loop(({ done }) => {
    const byte = plan.load(to, 1)
    plan.branch(byte, 'eq', 0, done)
    plan.branch(byte, 'eq', SLASH, done)
    plan.add(to, 1, to)
  })
}

/** Parameters: the addresses of a string, and of a place in the object. Returns where the copy ends, with a 0 there. */
function appendTo(plan: PlanBuilder, object: DataObject, name: string): Routine {
  return plan.routine(`append_to_${name}`, ['from', 'to'], (from, to) => {
    const end = plan.add(object.at(PATH_MAX), 0, plan.value('end'))
    const [cursor, place] = [plan.add(from, 0, plan.value('cursor')), plan.add(to, 0, plan.value('place'))]
    plan.loop(({ done }) => {
      const byte = plan.load(cursor, 1)
      plan.require(place, 'below', end, ERRNO.ENAMETOOLONG)
      plan.storeIn(object, place, 1, byte)
      plan.branch(byte, 'eq', 0, done)
      plan.add(cursor, 1, cursor)
      plan.add(place, 1, place)
    })
    return place
  })
}

/** Parameters: a folder, the address of a name, a descriptor. Makes an empty file or folder as that is. Returns it, O_PATH. */
function makeAlike(plan: PlanBuilder): Routine {
  return plan.routine('make_alike', ['folder', 'name', 'like'], (folder, name, like) => {
    const kind = statDescriptor({ plan }, like).field(STATX.mode, 2, S_IFMT)
    plan.when(
      [kind, 'eq', S_IF.DIR],
      () => plan.syscall('mkdirat', [folder, name, 0o755]),
      () => {
        const flags = { kind: 'open-flags', flags: O.RDONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC } as const
        plan.syscall('close', [plan.syscall('openat', [folder, name, flags, 0o644], { name: 'file' })])
      },
    )
    const flags = { kind: 'open-flags', flags: O.PATH | O.NOFOLLOW | O.CLOEXEC } as const
    return plan.syscall('openat', [folder, name, flags, 0])
  })
}

/**
 * Parameters: a descriptor that links may have led to, and the address of a struct statx to fill. Fails on the root,
 * which a mount would not cover, and on what the kernel shows and sets by: of a procfs only files that describe may be mounted
 * over.
 */
function requireHarmless(context: Planning): Routine {
  const { plan, slots } = context
  return plan.routine('require_harmless', ['found', 'status'], (found, status) => {
    const [own, other] = [statxRoom(context), statxRoom(context)]
    const refuse = (): void =>
      plan.fail(ERRNO.EACCES, 'a link leads to the root, or into procfs or sysfs: a mount there would hide it')
    const mask = STATX_BASIC_STATS | STATX_MNT_ID
    const stat = (fd: Operand, room: Operand): Value => plan.syscall('statx', [fd, '', AT.EMPTY_PATH, mask, room])
    const isSame = (then: () => void): void =>
      plan.when([own.field(STATX.inode, 8), 'eq', other.field(STATX.inode, 8)], () =>
        plan.when([own.field(STATX.mountId, 8), 'eq', other.field(STATX.mountId, 8)], then),
      )
    stat(found, own.address)
    stat(found, status)
    stat(slots.root, other.address)
    isSame(() => refuse())
    const fs = plan.buffer('statfs', STATFS_SIZE)
    plan.syscall('fstatfs', [found, fs.address])
    plan.when([fs.field(0, 4), 'eq', SYSFS_MAGIC], () => refuse())
    plan.when([fs.field(0, 4), 'ne', PROC_SUPER_MAGIC], () => plan.return())
    const how = openHow(context, O.PATH, RESOLVE.IN_ROOT | RESOLVE.NO_SYMLINKS)
    plan.each(plan.strings([...DESCRIBING_PROC_FILES]).address, (path, { next }) => {
      const file = openWithHow(context, slots.root, path, how, { onError: { '*': next } })
      stat(file, other.address)
      isSame(() => plan.return())
      plan.syscall('close', [file])
    })
    refuse()
  })
}
