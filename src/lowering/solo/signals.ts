// In the foreground: signals are the program's, its orphans are ours, and its end is what we wait for.

import { O } from '../../linux/open-flags.ts'
import { POLLIN } from '../../linux/poll.ts'
import { SIGNAL, SIGSET_BYTES } from '../../linux/signals.ts'
import { ANY_CHILD, WALL, WNOHANG } from '../../linux/wait.ts'
import { type DataObject, u32, u64 } from '../../plan/builder.ts'
import type { Value } from '../../plan/step.ts'
import type { ProcessContext } from '../context.ts'
import type { Undo } from './undo.ts'

const SIG_BLOCK = 0
const SIG_SETMASK = 2
const SIGNALS = 64

function allSignals({ plan }: ProcessContext): DataObject {
  return plan.constant('all signals', [u64(0xffffffffffffffffn)])
}

/** No signal gets lost from here on. All are at their default, as for a program that runt spawns. @returns the old mask */
export function lowerBlockSignals(context: ProcessContext): DataObject {
  const { plan } = context
  const mask = plan.buffer('sigset', SIGSET_BYTES)
  plan.syscall('rt_sigprocmask', [SIG_BLOCK, allSignals(context).address, mask.address, SIGSET_BYTES])
  const byDefault = plan.constant('sigaction{SIG_DFL}', [0, 0, 0, 0].map(u64))
  const signal = plan.add(1, 0, plan.value('signal'))
  const again = plan.label('next_signal')
  plan.place(again)
  plan.syscall('rt_sigaction', [signal, byDefault.address, 0, SIGSET_BYTES], {
    ignore: { EINVAL: 'SIGKILL and SIGSTOP have no other' },
  })
  plan.add(signal, 1, signal)
  plan.branch(signal, 'below', SIGNALS + 1, again)
  return mask
}

/** @param mask from lowerBlockSignals(); none blocked when there is none, as a program expects it */
export function lowerSignalMask({ plan }: ProcessContext, mask = plan.constant('no signals', [u64(0)])): void {
  plan.syscall('rt_sigprocmask', [SIG_SETMASK, mask.address, 0, SIGSET_BYTES])
}

/** What is sent by who has had enough. */
const ENOUGH = [SIGNAL.SIGHUP, SIGNAL.SIGINT, SIGNAL.SIGQUIT, SIGNAL.SIGTERM]
/** How long init has to answer when somebody has had enough, and to end when it was killed. */
const PATIENCE = { seconds: 1, nanoseconds: 0 }
const POLLFD = 8

/** What to ask while init is waited for. */
export interface Wait {
  /** struct pollfd of the channel, and of a signalfd. */
  readonly pollfds: DataObject
}

/**
 * Signals stay blocked while init is made, since they are meant for the program. But init may hang, and then it is us whom
 * they must end.
 */
export function lowerWatchSignals({ plan, slots }: ProcessContext): Wait {
  const mask = ENOUGH.reduce((bits, signal) => bits | (1n << BigInt(signal - 1)), 0n)
  const set = plan.constant('signals that end', [u64(mask)])
  const fd = plan.syscall('signalfd4', [-1, set.address, SIGSET_BYTES, { kind: 'open-flags', flags: O.CLOEXEC }])
  const pollfds = plan.struct('pollfd[2]', [u32(slots.monitor), u32(POLLIN), u32(0), u32(POLLIN)])
  plan.store(pollfds.at(POLLFD), 4, fd)
  return { pollfds }
}

/** How often a process is looked after that somebody inside may have stopped, and how many times at most. */
const TICK = { seconds: 0, nanoseconds: 100_000_000 }
const MOST_TICKS = 50

/**
 * Until init says something or is gone. After a signal it has a moment; then all is undone, and the signal takes effect.
 * @param of the descriptor that tells
 * @param stoppable may others send it signals? A stop is taken back again and again, but not for ever
 */
export function lowerWaitFor(
  context: ProcessContext,
  { pollfds }: Wait,
  undo: Undo,
  { of = context.slots.monitor, stoppable = false }: { readonly of?: number; readonly stoppable?: boolean } = {},
): void {
  const { plan, slots } = context
  const said = plan.label('said')
  plan.store(pollfds.address, 4, of)
  if (stoppable) {
    const ticks = plan.add(0, 0, plan.value('ticks'))
    const time = plan.struct('timespec', [u64(0), u64(0)])
    plan.loop(({ done }) => {
      plan.store(time.address, 8, TICK.seconds)
      plan.store(time.at(8), 8, TICK.nanoseconds)
      const ready = plan.syscall('ppoll', [pollfds.address, 2, time.address, 0, SIGSET_BYTES], { name: 'ready' })
      plan.branch(ready, 'ne', 0, done)
      plan.branch(ticks, 'eq', MOST_TICKS, undo.now)
      plan.add(ticks, 1, ticks)
      plan.syscall('pidfd_send_signal', [slots.pidfd, SIGNAL.SIGCONT, 0, 0])
    })
  } else plan.syscall('ppoll', [pollfds.address, 2, 0, 0, SIGSET_BYTES])
  plan.branch(pollfds.field(6, 2), 'ne', 0, said)
  plan.branch(lowerPatientPoll(context, pollfds), 'eq', 0, undo.now)
  plan.place(said)
}

/** Wait for the first descriptor, but not for ever. @returns 0 when nothing came */
export function lowerPatientPoll({ plan }: ProcessContext, pollfds: DataObject): Value {
  // The kernel writes into it what is left.
  const time = plan.struct('timespec', [u64(PATIENCE.seconds), u64(PATIENCE.nanoseconds)])
  return plan.syscall('ppoll', [pollfds.address, 1, time.address, 0, SIGSET_BYTES], { name: 'ready' })
}

/** No more of it. */
export function lowerUnwatchSignals({ plan }: ProcessContext, { pollfds }: Wait): void {
  plan.syscall('close', [pollfds.field(POLLFD, 4)])
}

/** The window's size is for a terminal that is relayed, and a broken pipe was our own. */
const KEPT = [SIGNAL.SIGWINCH, SIGNAL.SIGPIPE]

/** Pass signals on and reap orphans until the program has ended. @returns its wait(2) status */
export function lowerStandIn(context: ProcessContext, init: Value): DataObject {
  const { plan, slots } = context
  const status = plan.buffer('status', 8)
  const next = plan.label('next')
  const children = plan.label('children')
  const ended = plan.label('ended')
  plan.place(next)
  const signal = plan.syscall('rt_sigtimedwait', [allSignals(context).address, 0, 0, SIGSET_BYTES], { name: 'signal' })
  plan.branch(signal, 'eq', SIGNAL.SIGCHLD, children)
  for (const kept of KEPT) plan.branch(signal, 'eq', kept, next)
  plan.syscall('pidfd_send_signal', [slots.pidfd, signal, 0, 0], { onError: { '*': next } })
  plan.jump(next)
  plan.place(children)
  const child = plan.syscall('wait4', [ANY_CHILD, status.address, WNOHANG | WALL, 0], {
    name: 'child',
    onError: { '*': next },
  })
  plan.branch(child, 'eq', 0, next)
  plan.branch(child, 'eq', init, ended)
  plan.jump(children)
  plan.place(ended)
  return status
}
