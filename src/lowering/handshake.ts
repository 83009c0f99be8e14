// The image's half of the conversation with runt. process/sync.ts draws it and holds the other half.

import { POLLIN } from '../linux/poll.ts'
import { SIGSET_BYTES } from '../linux/signals.ts'
import { CLD_EXITED, P_PID, SIGINFO, WALL, WEXITED, WNOWAIT } from '../linux/wait.ts'
import { type DataObject, u32, u64 } from '../plan/builder.ts'
import { MESSAGE, REPLY } from '../plan/messages.ts'
import { type Operand, REPORT, type Value } from '../plan/step.ts'
import { type Context, has, isNew, type ProcessContext } from './context.ts'

const SIG_BLOCK = 0
const STDOUT_FILENO_MAX = 2

/** A message without a value. */
function send({ plan, slots }: ProcessContext, kind: number, about: string): void {
  const message = plan.constant(`message ${about}`, [u32(kind), u32(0), u64(0), u64(0)])
  plan.syscall('write', [slots.channel, message.address, REPORT.text], { about })
}

/** A message with a number that is known when it runs. */
function sendValue({ plan }: ProcessContext, fd: number, kind: number, value: Operand, about: string): void {
  const message = plan.struct(`message ${about}`, [u32(kind), u32(0), u64(0), u64(0)])
  plan.store(message.at(REPORT.value), 8, value)
  plan.syscall('write', [fd, message.address, REPORT.text], { about })
}

/** Wait for runt's word. When runt is gone, so are we: nobody would know of us. */
function receive({ plan, slots, reply, facts }: ProcessContext, about: string): void {
  const room = replySize(facts.stateRoom)
  const gone = 'ECONNRESET'
  const got = plan.syscall('read', [slots.channel, reply.address, room], {
    about,
    name: 'got',
    atLeast: { count: REPLY.state, errno: gone },
  })
  if (room <= REPLY.part) return
  // A longer state comes in parts.
  const whole = plan.add(reply.field(REPLY.stateLength, 4), REPLY.state)
  plan.when([got, 'above', REPLY.state], () =>
    plan.loop(({ done }) => {
      plan.branch(got, 'atLeast', whole, done)
      const rest = [slots.channel, plan.add(reply.address, got), REPLY.part] as const
      const part = plan.syscall('read', rest, { about, name: 'part', atLeast: { count: 1, errno: gone } })
      plan.add(got, part, got)
    }),
  )
}

/** Room for the longest message of runt. */
export function replySize(stateRoom: number): number {
  return REPLY.state + stateRoom
}

/** P0: tell who P1 is. In the foreground stay as its parent and tell how it ends; else go, and P1 is runt's own child. */
export function lowerFirstProcess(context: ProcessContext, init: Operand): void {
  const { plan, facts, slots } = context
  sendValue(context, slots.monitor, MESSAGE.pid, init, 'pid')
  if (facts.mode === 'run-foreground') lowerWaiter(context, init)
  plan.exit(0)
}

/** Neither the channel nor the caller's streams are held open longer than the program holds them. */
function lowerLetGoOfStreams({ plan, slots }: ProcessContext): void {
  // The terminal's signals are runt's to pass on.
  const all = plan.constant('all signals', [u64(0xffffffffffffffffn)])
  plan.syscall('rt_sigprocmask', [SIG_BLOCK, all.address, 0, SIGSET_BYTES])
  plan.syscall('close', [slots.channel])
  plan.syscall('close_range', [slots.monitor + 1, 0xffffffff, 0])
  plan.syscall('close_range', [0, STDOUT_FILENO_MAX, 0])
}

function lowerWaiter(context: ProcessContext, init: Operand): void {
  const { plan, slots } = context
  lowerLetGoOfStreams(context)
  const status = plan.struct('status', [u64(0)])
  plan.syscall('wait4', [init, status.address, WALL, 0])
  sendValue(context, slots.monitor, MESSAGE.status, status.field(0, 4), 'status')
}

/** P0, where systemd is to put the joiner into the scope: tell who that is. */
export function lowerJoinerPid(context: ProcessContext, joiner: Operand): void {
  if (context.facts.cgroup.awaited) sendValue(context, context.slots.monitor, MESSAGE.pid, joiner, 'pid of the joiner')
}

/**
 * P0, on the host's side of an exec: tell who P1 is, then stay as its parent, to tell how it ends. When runt is gone, or has
 * heard all that it wants to, so are we.
 * @param child points to P1's pid once the joiner has ended
 */
export function lowerWatchChild(context: ProcessContext, { joiner, child }: { joiner: Value; child: Value }): void {
  const { plan, slots, facts } = context
  plan.reportTo(slots.monitor)
  lowerLetGoOfStreams(context)
  const status = plan.struct('status', [u64(0)])
  const ended = plan.label('ended')
  plan.syscall('wait4', [joiner, status.address, WALL, 0])
  const born = plan.load(child, 4, plan.value('born'))
  plan.branch(born, 'eq', 0, ended)
  const pidfd = plan.syscall('pidfd_open', [born, 0], { name: 'pidfd' })
  sendValue(context, slots.monitor, MESSAGE.pid, born, 'pid')
  const pollfds = plan.struct('pollfd[2]', [u32(slots.monitor), u32(POLLIN), u32(0), u32(POLLIN)])
  plan.store(pollfds.at(8), 4, pidfd)
  plan.syscall('ppoll', [pollfds.address, 2, 0, 0, SIGSET_BYTES])
  const alive = plan.label('alive')
  plan.branch(pollfds.field(14, 2), 'eq', 0, alive)
  if (facts.mode === 'run-foreground') plan.syscall('wait4', [born, status.address, WALL, 0])
  else lowerPeekStatus(context, born, status)
  plan.place(ended)
  sendValue(context, slots.monitor, MESSAGE.status, status.field(0, 4), 'status')
  plan.place(alive)
  plan.exit(0)
}

/** The wait status of a child that has ended. It stays for whoever inherits it from us: an engine waits for it. waitid(2) */
function lowerPeekStatus({ plan }: ProcessContext, child: Value, status: DataObject): void {
  const info = plan.buffer('siginfo', SIGINFO.size)
  plan.syscall('waitid', [P_PID, child, info.address, WEXITED | WNOWAIT | WALL, 0])
  const number = info.field(SIGINFO.status, 4)
  plan.when(
    [info.field(SIGINFO.code, 4), 'eq', CLD_EXITED],
    () => plan.store(status.at(1), 4, number), // the second byte of a wait status
    () => plan.store(status.address, 4, number),
  )
}

/** P1 in new namespaces: runt writes the id maps, brings the network devices, and has it put into its scope. */
export function lowerNamespacesPause(context: Context): void {
  const { plan, config } = context
  if (isNew(config, 'user')) plan.section('/linux/uidMappings', 'user namespace', () => receive(context, 'id maps'))
  else if (config.linux.netDevices.length > 0) {
    plan.section('/linux/netDevices', 'network devices', () => receive(context, 'network devices'))
  } else lowerScopePause(context)
}

/** P1: systemd puts it into the container's scope. */
export function lowerScopePause(context: ProcessContext): void {
  if (!context.facts.cgroup.awaited) return
  context.plan.section('/linux/cgroupsPath', 'scope', () => receive(context, 'scope'))
}

/** The namespace's root, so that what it makes has an owner there. */
export function lowerNamespaceRoot({ plan, config }: ProcessContext): void {
  if (!has(config, 'user')) return
  plan.section('/linux/uidMappings', 'root of the user namespace', () => {
    const unmapped = { EINVAL: 'the namespace has no root' }
    if (config.process?.user.keepsGroups !== true) {
      plan.syscall('setgroups', [0, 0], { ignore: { EPERM: 'setgroups is denied in this user namespace' } })
    }
    plan.syscall('setresgid', [0, 0, 0], { ignore: unmapped })
    plan.syscall('setresuid', [0, 0, 0], { ignore: unmapped })
  })
}

/** P1: the runtime's hooks run now; with the answer comes the state for the container's own. */
export function lowerHooksPause(context: Context): void {
  const { prestart, createRuntime, createContainer } = context.config.hooks
  if (prestart.length + createRuntime.length + createContainer.length === 0) return
  context.plan.section('/hooks', 'hooks', () => {
    send(context, MESSAGE.hooks, 'hooks')
    receive(context, 'hooks')
  })
}

/**
 * P1, filtered already: tell runt by which descriptor the agent is asked, and go on when the agent has it. By write(2), which
 * no filter leaves to an agent (config/check-seccomp.ts): runt fetches the descriptor itself.
 */
export function lowerTellListener(context: ProcessContext, listener: Value): void {
  sendValue(context, context.slots.channel, MESSAGE.listener, listener, 'listener')
  receive(context, 'listener')
  context.plan.syscall('close', [listener])
}

/** P1: nothing but the program is left. Without this word an end of file would mean that it runs, though a hook was our end. */
export function lowerTellHooked(context: Context): void {
  const { config, facts, slots } = context
  if (config.hooks.startContainer.length === 0) return
  const line = facts.mode === 'create' ? slots.verdict : slots.channel
  sendValue(context, line, MESSAGE.hooked, 0, 'hooked')
}

/** P1: everything is done but the program. From the answer on, runt has the container on record. */
export function lowerReady(context: ProcessContext): void {
  const { plan, facts, slots } = context
  const { channel } = slots
  if (facts.profile) {
    const table: DataObject = plan.profileTable()
    plan.section('', 'profile', () => plan.syscall('write', [channel, table.address, 8 * (plan.length + 1)]))
  }
  send(context, MESSAGE.ready, 'ready')
  receive(context, 'ready')
}
