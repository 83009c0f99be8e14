// For a root that is moved instead of pivoted: the host's tree stays below it, out of reach by any path. The kernel still counts
// what is mounted there: as long as a whole procfs or sysfs is, a user namespace in the container may mount another, unmasked.

import { FSMOUNT_CLOEXEC, MNT_DETACH, MOUNT_ATTR, MS } from '../linux/mount-flags.ts'
import { AT, O } from '../linux/open-flags.ts'
import { PROC_SUPER_MAGIC, SYSFS_MAGIC } from '../linux/proc-files.ts'
import { type DataObject, type PlanBuilder, u64 } from '../plan/builder.ts'
import type { Label, Routine, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { lowerFsContext } from './fs-context.ts'
import { attach, setMountAttributes } from './rootfs.ts'

const INPUT_ROOM = 16384
/** A longer path is cut, and no mount is found under it. */
const PATH_ROOM = 4096
const STATFS_SIZE = 120
const SEEK_SET = 0
const SPACE = 0x20
const LINE_FEED = 0x0a
const BACKSLASH = 0x5c
const DIGIT_ZERO = 0x30

/**
 * Unmount all of the tree whose root is "/", but for that root. To be done when the container's root is mounted over it, which
 * leaves absolute paths as they are until chroot(2). Where a mount can't go, in a user namespace, a whole procfs or sysfs is covered.
 */
export function lowerUnmountAll(context: Context): void {
  const { plan } = context
  const flags = { kind: 'open-flags', flags: O.RDONLY | O.CLOEXEC } as const
  const table = plan.syscall('openat', [AT.FDCWD, '/proc/self/mountinfo', flags, 0], { name: 'mountinfo' })
  // What the host mounts from now on doesn't arrive here any more.
  const folder = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
  const old = plan.syscall('openat', [AT.FDCWD, '/', folder, 0], { name: 'old_root' })
  setMountAttributes(context, old, { propagation: MS.PRIVATE })
  const unmounted = plan.value('unmounted')
  // One that lay under another is found the next time.
  plan.loop(({ done }) => {
    plan.add(0, 0, unmounted)
    eachMountPoint(plan, table, (path, next) => {
      plan.syscall('umount2', [path.address, MNT_DETACH], { onError: { '*': next } })
      plan.add(1, 0, unmounted)
    })
    plan.branch(unmounted, 'eq', 0, done)
  })
  eachMountPoint(plan, table, (path, next) => coverKernelTree(context, path, next))
  for (const fd of [old, table]) plan.syscall('close', [fd])
}

/** An empty tmpfs over a procfs or sysfs. */
function coverKernelTree(context: Context, path: DataObject, next: Label): void {
  const { plan } = context
  const flags = { kind: 'open-flags', flags: O.PATH | O.NOFOLLOW | O.CLOEXEC } as const
  const place = plan.syscall('openat', [AT.FDCWD, path.address, flags, 0], { name: 'place', onError: { '*': next } })
  const found = plan.buffer('statfs', STATFS_SIZE)
  plan.syscall('fstatfs', [place, found.address])
  const [whole, other] = [plan.label('kernel_tree'), plan.label('other')]
  plan.branch(found.field(0, 4), 'eq', PROC_SUPER_MAGIC, whole)
  plan.branch(found.field(0, 4), 'ne', SYSFS_MAGIC, other)
  plan.place(whole)
  setMountAttributes(context, place, { propagation: MS.PRIVATE })
  const fs = lowerFsContext(context, 'tmpfs', [['nr_inodes', '1']])
  const cover = plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, MOUNT_ATTR.RDONLY], { name: 'cover' })
  attach(context, cover, place)
  for (const fd of [fs, cover]) plan.syscall('close', [fd])
  plan.place(other)
  plan.syscall('close', [place])
}

/** Do something for each mount point but "/", in the order of /proc/self/mountinfo. proc_pid_mountinfo(5) */
function eachMountPoint(plan: PlanBuilder, table: Value, body: (path: DataObject, next: Label) => void): void {
  const path = plan.buffer('path', PATH_ROOM + 1)
  const [byteOf, skipTo] = readers(plan)
  const end = plan.add(path.address, PATH_ROOM)
  plan.syscall('lseek', [table, 0, SEEK_SET])
  plan.loop(({ next, done }) => {
    // Mount id, parent id, device, root.
    for (let field = 0; field < 4; field++) plan.branch(plan.call(skipTo, [table, SPACE]), 'eq', 0, done)
    const to = plan.add(path.address, 0, plan.value('to'))
    plan.loop((field) => {
      const byte = plan.call(byteOf, [table], { name: 'byte' })
      plan.branch(byte, 'eq', 0, done)
      plan.branch(byte, 'eq', SPACE, field.done)
      plan.when([byte, 'eq', BACKSLASH], () => plan.add(octal(plan, table, byteOf), 0, byte))
      plan.branch(to, 'eq', end, field.next)
      plan.storeIn(path, to, 1, byte)
      plan.add(to, 1, to)
    })
    plan.storeIn(path, to, 1, 0)
    plan.call(skipTo, [table, LINE_FEED])
    plan.branch(path.field(1, 1), 'eq', 0, next)
    body(path, next)
  })
}

/** Three digits, after a backslash: what may not stand in a field. */
function octal(plan: PlanBuilder, table: Value, byteOf: Routine): Value {
  const number = plan.add(0, 0, plan.value('number'))
  for (let place = 0; place < 3; place++) {
    plan.compute('shl', number, 3, number)
    plan.add(number, plan.call(byteOf, [table], { name: 'digit' }), number)
    plan.add(number, -DIGIT_ZERO, number)
  }
  return number
}

/** Routines that read a descriptor byte by byte, and up to a byte; 0 at its end. */
function readers(plan: PlanBuilder): [byteOf: Routine, skipTo: Routine] {
  const byteOf = plan.routine('next_byte', ['descriptor'], (descriptor) => {
    const room = plan.buffer('input', INPUT_ROOM)
    const state = plan.struct('input_state', [u64(0), u64(0)])
    const [at, end] = [state.field(0, 8), state.field(8, 8)]
    plan.when([at, 'eq', end], () => {
      const length = plan.syscall('read', [descriptor, room.address, INPUT_ROOM], { name: 'length' })
      plan.when([length, 'eq', 0], () => plan.return(0))
      plan.store(state.at(0), 8, room.address)
      plan.store(state.at(8), 8, plan.add(room.address, length))
    })
    const cursor = plan.add(at, 0)
    const byte = plan.load(cursor, 1)
    plan.store(state.at(0), 8, plan.add(cursor, 1))
    return byte
  })
  const skipTo = plan.routine('skip_to', ['descriptor', 'wanted'], (descriptor, wanted) => {
    const byte = plan.value('byte')
    plan.loop(({ done }) => {
      plan.call(byteOf, [descriptor], { result: byte })
      plan.branch(byte, 'eq', 0, done)
      plan.branch(byte, 'eq', wanted, done)
    })
    return byte
  })
  return [byteOf, skipTo]
}
