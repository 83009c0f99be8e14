// tmpcopyup: a new tmpfs begins with what the folder that it covers has: files, folders, links, owners, modes, times and
// extended attributes. A loop over names in descriptors: a link is copied and never followed, so nothing that an image
// or a neighbour swaps meanwhile leads elsewhere.

import type { MountOptions } from '../config/types.ts'
import { ERRNO } from '../linux/errno.ts'
import { AT, O, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import { behind, type DataObject, type PlanBuilder } from '../plan/builder.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { copyAttributes } from './copy-attributes.ts'
import { statDescriptor, statName, statxRoom } from './statx.ts'

const ENTRIES_ROOM = 32_768
const PATH_ROOM = 4096
const SEEK_SET = 0
/** Of one sendfile(2). */
const MOST_BYTES = 0x7ffff000
/** Folders in folders: two descriptors each. */
const DEEPEST = 256
const DESCRIPTOR = 4
/** struct linux_dirent64 */
const DIRENT = { next: 8, length: 16, name: 19 } as const
const DOT = '.'.charCodeAt(0)

/** Where the copying is. */
interface Copying {
  readonly plan: PlanBuilder
  /** The two folders, open. */
  readonly source: Value
  readonly copy: Value
  /** Address of the name of the entry. */
  readonly name: Value
  /** statx(2) of the entry. */
  readonly status: DataObject
}

/**
 * @param covered the folder to copy
 * @param fs the new file system, empty and writable
 * @param options mode, uid and gid of the new root are not copied when they are among its data
 */
export function lowerCopyUp(context: Context, options: MountOptions, covered: Operand, fs: Operand): void {
  const { plan } = context
  const entries = plan.buffer('entries', ENTRIES_ROOM)
  const stack = plan.buffer('folders', DEEPEST * 2 * DESCRIPTOR)
  const source = openFolder(plan, covered, plan.string('.').address, plan.value('source'))
  const copy = openFolder(plan, fs, plan.string('.').address, plan.value('copy'))
  const [name, cursor, end] = [plan.value('name'), plan.value('cursor'), plan.value('end')]
  const bottom = plan.add(stack.address, 0, plan.value('bottom'))
  const full = plan.add(bottom, DEEPEST * 2 * DESCRIPTOR, plan.value('full'))
  const top = plan.add(bottom, 0, plan.value('top'))
  const at: Copying = { plan, source, copy, name, status: statxRoom(context) }
  const { status } = at
  const [read, next, leave, root] = [plan.label('read'), plan.label('next'), plan.label('leave'), plan.label('root')]
  const [folder, file, link] = [plan.label('folder'), plan.label('file'), plan.label('link')]

  plan.place(read)
  const length = plan.syscall('getdents64', [source, entries.address, ENTRIES_ROOM], { name: 'length' })
  plan.branch(length, 'eq', 0, leave)
  plan.add(entries.address, 0, cursor)
  plan.add(entries.address, length, end)
  plan.place(next)
  plan.branch(cursor, 'eq', end, read)
  const after = plan.load(behind(cursor, DIRENT.next), 8, plan.value('after'))
  plan.add(cursor, DIRENT.name, name)
  plan.add(cursor, plan.load(behind(cursor, DIRENT.length), 2), cursor)
  skipDots(plan, name, next)
  statName(context, source, name, status)
  const kind = status.field(STATX.mode, 2, S_IFMT)
  plan.branch(kind, 'eq', S_IF.DIR, folder)
  plan.branch(kind, 'eq', S_IF.REG, file)
  plan.branch(kind, 'eq', S_IF.LNK, link)
  copyNode(at, next)
  plan.jump(next)

  plan.place(link)
  copyLink(at)
  plan.jump(next)

  plan.place(file)
  copyFile(at)
  plan.jump(next)

  plan.place(folder)
  requireRoom(plan, top, full)
  plan.syscall('mkdirat', [copy, name, 0o700])
  plan.syscall('lseek', [source, after, SEEK_SET]) // where to go on when the folder is done
  for (const fd of [source, copy]) push(plan, stack, top, fd)
  for (const fd of [source, copy]) openFolder(plan, fd, name, fd)
  plan.jump(read)

  plan.place(leave)
  statDescriptor(context, source, {}, status)
  plan.branch(top, 'eq', bottom, root)
  copyAttributes(plan, status, source, copy)
  for (const fd of [source, copy]) plan.syscall('close', [fd])
  for (const fd of [copy, source]) pop(plan, top, fd)
  plan.jump(read)

  plan.place(root)
  copyAttributes(plan, status, source, copy, options.data)
  for (const fd of [source, copy]) plan.syscall('close', [fd])
}

function openFolder(plan: PlanBuilder, at: Operand, name: Operand, result: Value): Value {
  const flags = { kind: 'open-flags', flags: O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC } as const
  return plan.syscall('openat', [at, name, flags, 0], { result })
}

/** "." and ".." are not entries to copy. */
function skipDots(plan: PlanBuilder, name: Value, next: ReturnType<PlanBuilder['label']>): void {
  const real = plan.label('entry')
  plan.branch(plan.load(name, 1), 'ne', DOT, real)
  const second = plan.load(behind(name, 1), 1)
  plan.branch(second, 'eq', 0, next)
  plan.branch(second, 'ne', DOT, real)
  plan.branch(plan.load(behind(name, 2), 1), 'eq', 0, next)
  plan.place(real)
}

/** A file that became something else since it was looked at is refused by sendfile(2); a FIFO doesn't make us wait. */
function copyFile({ plan, source, copy, name, status }: Copying): void {
  const from = { kind: 'open-flags', flags: O.RDONLY | O.NOFOLLOW | O.NONBLOCK | O.NOCTTY | O.CLOEXEC } as const
  const to = { kind: 'open-flags', flags: O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC } as const
  const input = plan.syscall('openat', [source, name, from, 0], { name: 'input' })
  const output = plan.syscall('openat', [copy, name, to, 0o600], { name: 'output' })
  const more = plan.label('more')
  plan.place(more)
  plan.branch(plan.syscall('sendfile', [output, input, 0, MOST_BYTES], { name: 'count' }), 'ne', 0, more)
  statDescriptor({ plan }, input, {}, status)
  copyAttributes(plan, status, input, output)
  plan.syscall('close', [input])
  plan.syscall('close', [output])
}

function copyLink(at: Copying): void {
  const { plan, source, copy, name } = at
  const target = plan.buffer('link', PATH_ROOM + DESCRIPTOR)
  const length = plan.syscall('readlinkat', [source, name, target.address, PATH_ROOM], { name: 'length' })
  plan.storeIn(target, plan.add(target.address, length), 1, 0)
  plan.syscall('symlinkat', [target.address, copy, name])
  copyOwner(at)
}

/** A FIFO, a socket, a device. */
function copyNode(at: Copying, next: ReturnType<PlanBuilder['label']>): void {
  const { plan, copy, name, status } = at
  const device = plan.compute('shl', status.field(STATX.rdevMinor + 1, 2, 0xfff), 20)
  plan.add(device, plan.compute('shl', status.field(STATX.rdevMajor, 2, 0xfff), 8), device)
  plan.add(device, status.field(STATX.rdevMinor, 1), device)
  // As other runtimes: in a user namespace devices can't be made, so the copy goes without.
  plan.syscall('mknodat', [copy, name, status.field(STATX.mode, 2), device], { onError: { EPERM: next } })
  copyOwner(at)
}

/** Of what has no mode of its own, or got it when it was made. */
function copyOwner({ plan, copy, name, status }: Copying): void {
  const owner = [status.field(STATX.uid, 4), status.field(STATX.gid, 4)] as const
  plan.syscall('fchownat', [copy, name, ...owner, AT.SYMLINK_NOFOLLOW], {
    ignore: { EINVAL: 'its owner is not mapped in this user namespace' },
  })
}

function requireRoom(plan: PlanBuilder, top: Value, full: Value): void {
  plan.require(top, 'below', full, ERRNO.ELOOP, `tmpcopyup: more than ${DEEPEST} folders in each other`)
}

function push(plan: PlanBuilder, stack: DataObject, top: Value, fd: Value): void {
  plan.storeIn(stack, top, 4, fd)
  plan.add(top, DESCRIPTOR, top)
}

function pop(plan: PlanBuilder, top: Value, fd: Value): void {
  plan.add(top, -DESCRIPTOR, top)
  plan.load(top, 4, fd)
}
