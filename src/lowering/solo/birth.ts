// P1 and its parent when that is an image, too: the channel between the two, and the conversation that runt would have had.

import { ALL_FDS, AT, O } from '../../linux/open-flags.ts'
import { POLLIN } from '../../linux/poll.ts'
import { SIGNAL } from '../../linux/signals.ts'
import { WALL } from '../../linux/wait.ts'
import { type DataObject, u32 } from '../../plan/builder.ts'
import { lowerForgetEntry } from '../../plan/entry.ts'
import { MESSAGE, REPLY } from '../../plan/messages.ts'
import { type Address, type Label, type Operand, REPORT, type Value } from '../../plan/step.ts'
import { decimal } from '../../plan/text.ts'
import type { ProcessContext } from '../context.ts'
import { moveToSlot } from '../descriptors.ts'
import { lowerPatientPoll, lowerSignalMask, lowerWaitFor, lowerWatchSignals, type Wait } from './signals.ts'
import type { Undo } from './undo.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET_CLOEXEC = 5 | O.CLOEXEC

/** Room for /proc/PID/stat: a command of 64 bytes and 51 numbers. */
const STAT_ROOM = 1024
/** Digits of the longest pid, and of a shorter one: pid_max is 4194304 at most. */
const MOST_DIGITS = 7

/** The channel, where runt would have put it. What the caller left open beyond is closed. */
export function lowerLines({ plan, slots }: ProcessContext, undo: Undo): void {
  plan.syscall('close_range', [slots.channel, ALL_FDS, 0])
  const pair = plan.buffer('socketpair', 8)
  plan.syscall('socketpair', [AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, pair.address])
  plan.branch(pair.field(0, 4), 'ne', slots.channel, undo.now)
  plan.branch(pair.field(4, 4), 'ne', slots.monitor, undo.now)
}

/** P1, as its parent knows it. */
export interface Born {
  /** Its pid, as the parent sees it. */
  readonly pid: Value
  /** How to wait for its words. */
  readonly wait: Wait
  /** Is it among processes that may send it signals? */
  readonly stoppable: boolean
}

/** … and with it /proc/PID/stat, as the host has it. */
export interface BornInit extends Born {
  readonly stat: DataObject
  readonly statLength: Value
}

/**
 * Fork P1, and hear who it is. Whatever fails from here on ends it.
 * @param giveUp where it goes on when P1 can't even die: what v1's freezer holds doesn't
 * @param flags of clone3(2)
 * @param cgroup the v2 folder that it is born in
 * @param goBack leaves the namespaces that were joined for the child
 */
export function lowerBirth(
  context: ProcessContext,
  undo: Undo,
  giveUp: Label,
  {
    name,
    flags,
    cgroup,
    goBack = () => {},
  }: {
    readonly name: string
    readonly flags: bigint
    readonly cgroup: Value | undefined
    readonly goBack?: () => void
  },
  child: () => void,
): BornInit {
  const { plan, slots } = context
  const pidfd = plan.buffer('pidfd', 8)
  const stat: DataObject = plan.buffer('stat', STAT_ROOM)
  const body = (): void => {
    // P1 has no use for the folder, and would keep its lock.
    plan.syscall('close_range', [slots.directory, slots.lock, 0])
    lowerFirstSteps(context)
    lowerTellStat(context, stat.address)
    child()
  }
  const pid = plan.fork(name, flags, body, cgroup, pidfd.address)
  undo.onFailure(`kill_${name}`, () => lowerKill(context, pidfd.field(0, 4), pid, giveUp))
  moveToSlot(context, pidfd.field(0, 4), slots.pidfd)
  undo.onFailure(`kill_${name}`, () => lowerKill(context, slots.pidfd, pid, giveUp))
  goBack()
  lowerLetGo(context, slots.directory)
  const wait = lowerWatchSignals(context)
  lowerWaitFor(context, wait, undo)
  const statLength = plan.syscall('read', [slots.monitor, stat.address, STAT_ROOM])
  // A number in decimal; the kind of a message is less than that.
  plan.branch(stat.field(0, 1), 'below', '0'.charCodeAt(0), undo.now)
  return { pid, stat, statLength, wait, stoppable: false }
}

/** A child, first of all: signals as a program expects them, and nothing of the call that it comes from. */
export function lowerFirstSteps(context: ProcessContext): void {
  lowerSignalMask(context)
  lowerForgetEntry(context.plan)
}

/** End a child and reap it. */
export function lowerKill(context: ProcessContext, pidfd: Operand, pid: Value, giveUp: Label): void {
  const { plan } = context
  plan.syscall('pidfd_send_signal', [pidfd, SIGNAL.SIGKILL, 0, 0])
  const pollfd = plan.struct('pollfd', [u32(0), u32(POLLIN)])
  plan.store(pollfd.address, 4, pidfd)
  plan.branch(lowerPatientPoll(context, pollfd), 'eq', 0, giveUp)
  plan.syscall('wait4', [pid, 0, WALL, 0])
}

/**
 * What only kept places, what was opened for a child, and the channel: when the child goes, that must be heard.
 * @param kept the slots from here on are ours
 */
export function lowerLetGo({ plan, slots }: ProcessContext, kept: number): void {
  plan.syscall('close', [slots.channel])
  plan.syscall('close_range', [slots.monitor + 1, kept - 1, 0])
  plan.syscall('close_range', [slots.free, ALL_FDS, 0])
}

/** P1, first of all: its pid and start time, as the host's procfs has them. */
function lowerTellStat({ plan, slots }: ProcessContext, room: Address): void {
  const flags = { kind: 'open-flags', flags: O.CLOEXEC } as const
  const file = plan.syscall('openat', [AT.FDCWD, '/proc/self/stat', flags, 0], { name: 'stat' })
  const length = plan.syscall('read', [file, room, STAT_ROOM])
  plan.syscall('close', [file])
  plan.syscall('write', [slots.channel, room, length])
}

/** P1's word that everything is done but the program; any other, or none, is a failure. */
export function lowerExpectReady(context: ProcessContext, { wait, stoppable }: Born, undo: Undo): void {
  const { plan, slots } = context
  lowerWaitFor(context, wait, undo, { stoppable })
  const message = plan.buffer('message', REPORT.text)
  plan.branch(plan.syscall('read', [slots.monitor, message.address, REPORT.text]), 'ne', REPORT.text, undo.now)
  plan.branch(message.field(REPORT.kind, 4), 'ne', MESSAGE.ready, undo.now)
}

/** What runt answers to `ready`: the word to go on. */
export function lowerReply({ plan, slots }: ProcessContext): void {
  const message = plan.constant('reply', [u32(0), u32(0)])
  plan.syscall('write', [slots.monitor, message.address, REPLY.state])
}

/** End of file is a program that runs: there is no way back then. */
export function lowerExpectProgram(context: ProcessContext, { wait, stoppable }: Born, undo: Undo): void {
  const { plan, slots } = context
  lowerWaitFor(context, wait, undo, { stoppable })
  const rest = plan.buffer('verdict', REPORT.text)
  plan.branch(plan.syscall('read', [slots.monitor, rest.address, REPORT.text]), 'ne', 0, undo.now)
}

/** How many digits the pid has, at the start of stat's line. */
export function lowerDigits({ plan }: ProcessContext, { stat }: BornInit): Value {
  const digits = plan.add(1, 0, plan.value('digits'))
  const counted = plan.label('counted')
  for (let at = 1; at < MOST_DIGITS; at++) {
    plan.branch(stat.field(at, 1), 'eq', ' '.charCodeAt(0), counted)
    plan.add(digits, 1, digits)
  }
  plan.place(counted)
  return digits
}

/** A pid in decimal. @returns the text and its length */
export function lowerDecimal({ plan }: ProcessContext, pid: Value): { text: DataObject; length: Value } {
  const text = plan.buffer('decimal', MOST_DIGITS)
  const length = plan.add(1, 0, plan.value('length'))
  const limit = plan.add(10, 0, plan.value('limit'))
  plan.loop(({ done }) => {
    plan.branch(pid, 'below', limit, done)
    plan.compute('mul', limit, 10, limit)
    plan.add(length, 1, length)
  })
  plan.call(decimal(plan, text), [0, pid, length])
  return { text, length }
}
