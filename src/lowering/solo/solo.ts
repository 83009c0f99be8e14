// An image that needs nobody: it does runt's own part, too. It claims the id, makes the cgroup, is P0, puts P1 on record, and
// in the foreground stands in for the program until that has ended. The engine becomes it by execve, and is gone.
//
// It tells no errors. Whatever fails before the program runs, it takes back what it made and becomes the engine again, which
// does all of it anew in the supervised way (lifecycle/create.ts) and knows how to speak. Only plain containers are made so:
// what needs runt's help on the way (hooks, id maps, a terminal) does not; lifecycle/solo.ts decides.

import type { Config } from '../../config/types.ts'
import { AT, O } from '../../linux/open-flags.ts'
import { PR } from '../../linux/prctl.ts'
import { type DataObject, u32 } from '../../plan/builder.ts'
import { MESSAGE } from '../../plan/messages.ts'
import { type Address, type Operand, type Plan, REPORT } from '../../plan/step.ts'
import type { Context } from '../context.ts'
import { lowerReserveSlots, moveToSlot } from '../descriptors.ts'
import type { Facts } from '../facts.ts'
import { lowerHiddenFromOthers, lowerHostSide, lowerP1, newContext } from '../lower.ts'
import { newNamespaceFlags } from '../namespaces.ts'
import { lowerCgroupWork } from './cgroup.ts'
import { lowerClaim, lowerRecord } from './claim.ts'
import { lowerBecomeEngine, lowerEnd } from './end.ts'
import type { Solo } from './facts.ts'
import { lowerBlockSignals, lowerSignalMask, lowerStandIn } from './signals.ts'
import { Undo } from './undo.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET_CLOEXEC = 5 | O.CLOEXEC
const ALL_FDS = 0xffffffff
const SIGKILL = 9
const LOCK_UN = 8
const WALL = 0x40000000

/** Room for /proc/PID/stat: a command of 64 bytes and 51 numbers. */
const STAT_ROOM = 1024

/** The plan of a container that is made by its own image. @param solo what runt would have done */
export function lowerSolo(config: Config, facts: Facts, solo: Solo): Plan {
  const context = newContext(config, facts, { solo: true })
  const { plan, slots } = context
  const undo = new Undo(plan)
  const mask = lowerBlockSignals(context)
  undo.onFailure('restore_signals', () => lowerSignalMask(context, mask))
  lowerLines(context, undo)
  lowerReserveSlots(context)
  lowerHiddenFromOthers(context)
  if (facts.mode === 'run-foreground' && solo.subreaper) plan.syscall('prctl', [PR.SET_CHILD_SUBREAPER, 1, 0, 0, 0])
  const time = lowerClaim(context, solo, undo)
  lowerCgroupWork(context, solo.cgroup, undo)
  const doors = lowerHostSide(context)
  const pidfd = plan.buffer('pidfd', 8)
  const stat: DataObject = plan.buffer('stat', STAT_ROOM)
  const child = (): void => {
    // P1 has no use for the folder, and would keep its lock.
    plan.syscall('close_range', [slots.directory, slots.lock, 0])
    lowerSignalMask(context)
    lowerTellStat(context, stat.address)
    lowerP1(context, doors)
  }
  const init = plan.fork('init', newNamespaceFlags(config), child, doors.v2, pidfd.address)
  const kill = (fd: Operand) => () => {
    plan.syscall('pidfd_send_signal', [fd, SIGKILL, 0, 0])
    plan.syscall('wait4', [init, 0, WALL, 0])
  }
  undo.onFailure('kill_init', kill(pidfd.field(0, 4)))
  moveToSlot(context, pidfd.field(0, 4), slots.pidfd)
  undo.onFailure('kill_init', kill(slots.pidfd))
  lowerLetGo(context)
  const statLength = plan.syscall('read', [slots.monitor, stat.address, STAT_ROOM])
  // A number in decimal; the kind of a message is less than that.
  plan.branch(stat.field(0, 1), 'below', '0'.charCodeAt(0), undo.now)
  expect(context, undo, MESSAGE.ready)
  lowerRecord(context, solo, { time, init, stat, statLength }, undo)
  reply(context, solo)
  if (facts.mode !== 'create') {
    const rest = plan.buffer('verdict', REPORT.text)
    plan.branch(plan.syscall('read', [slots.monitor, rest.address, REPORT.text]), 'ne', 0, undo.now)
  }
  plan.rescueAt(undefined) // the program runs: there is no way back
  plan.syscall('flock', [slots.lock, LOCK_UN])
  if (facts.mode === 'run-foreground') {
    // The caller's streams are not held open longer than the program holds them.
    plan.syscall('close_range', [0, 1, 0])
    lowerEnd(context, solo, lowerStandIn(context, init))
  } else plan.exit(0)
  undo.lower()
  lowerBecomeEngine(context, solo)
  return plan.finish()
}

/** The channel between the two of us, where runt would have put it. What the caller left open beyond is closed. */
function lowerLines({ plan, slots }: Context, undo: Undo): void {
  plan.syscall('close_range', [slots.channel, ALL_FDS, 0])
  const pair = plan.buffer('socketpair', 8)
  plan.syscall('socketpair', [AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, pair.address])
  plan.branch(pair.field(0, 4), 'ne', slots.channel, undo.now)
  plan.branch(pair.field(4, 4), 'ne', slots.monitor, undo.now)
}

/** P1, first of all: its pid and start time, as the host's procfs has them. */
function lowerTellStat({ plan, slots }: Context, room: Address): void {
  const flags = { kind: 'open-flags', flags: O.CLOEXEC } as const
  const file = plan.syscall('openat', [AT.FDCWD, '/proc/self/stat', flags, 0], { name: 'stat' })
  const length = plan.syscall('read', [file, room, STAT_ROOM])
  plan.syscall('close', [file])
  plan.syscall('write', [slots.channel, room, length])
}

/** A message of this kind; any other, or none, is a failure. */
function expect({ plan, slots }: Context, undo: Undo, kind: number): void {
  const message = plan.buffer('message', REPORT.text)
  plan.branch(plan.syscall('read', [slots.monitor, message.address, REPORT.text]), 'ne', REPORT.text, undo.now)
  plan.branch(message.field(REPORT.kind, 4), 'ne', kind, undo.now)
}

/** What runt answers to `ready`: HOME, and in run the word to go on. */
function reply({ plan, slots }: Context, { home = '' }: Solo): void {
  const text = new TextEncoder().encode(`${home}\0`)
  const message = plan.constant(`reply ${home}`, [u32(0), u32(0), text])
  plan.syscall('write', [slots.monitor, message.address, 8 + text.length])
}

/** What only kept places, what was opened for P1, and the channel: when P1 goes, that must be heard. */
function lowerLetGo({ plan, slots }: Context): void {
  plan.syscall('close', [slots.channel])
  plan.syscall('close_range', [slots.root, slots.directory - 1, 0])
  plan.syscall('close_range', [slots.free, ALL_FDS, 0])
}
