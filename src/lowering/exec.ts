// A process for a container that is there → Plan. Comes in: the process, the container's namespaces, the facts of this
// call. Goes out: the plan of one more process inside. Then holds what lower.ts says of every plan.
//
// P0 stays on the host's side and opens what needs its paths; P1 is born into the container's pid namespace, joins the
// rest by the pidfd of init, and is a process of the container from there on. Nobody inside can look into either, since
// they are not dumpable (CVE-2016-9962).

import type { ProcessConfig } from '../config/types.ts'
import { CLONE, NAMESPACES } from '../linux/namespaces.ts'
import { AT, O } from '../linux/open-flags.ts'
import { PR } from '../linux/prctl.ts'
import { PlanBuilder } from '../plan/builder.ts'
import type { Plan, Value } from '../plan/step.ts'
import { lowerCgroupDoors, lowerCgroupJoin } from './cgroup-join.ts'
import { lowerConsoleSocket, lowerPty } from './console.ts'
import { has, type ProcessContext } from './context.ts'
import { lowerCloseOnExec, lowerCloseTemporary, lowerReserveSlots, moveToSlot } from './descriptors.ts'
import { lowerExecve } from './execve.ts'
import { type ProcessFacts, slots } from './facts.ts'
import { lowerFirstProcess, lowerNamespaceRoot, lowerReady, lowerScopePause, replySize } from './handshake.ts'
import { lowerIdentity } from './identity.ts'
import { openInRoot } from './in-root.ts'
import type { Doors } from './lower.ts'
import { labelSlots, lowerLabelDoors } from './lsm.ts'
import { lowerAffinity, lowerCwd, lowerKeyring, lowerOomScore } from './process-setup.ts'
import { lowerProcfs } from './procfs.ts'
import { lowerRdtDoors, lowerRdtJoin } from './rdt-join.ts'
import { lowerFilter, lowerWatchedFilter } from './seccomp.ts'

/** The plan of a process that exec adds to a container. @param facts probed before; see ProcessFacts */
export function lowerExec(config: ProcessConfig, facts: ProcessFacts): Plan {
  const context = newExecContext(config, facts)
  const { plan } = context
  lowerCloseOnExec(context)
  lowerReserveSlots(context)
  const { doors, root } = lowerExecHostSide(context)
  lowerJoinPid(context)
  const parent = facts.mode === 'run-foreground' ? 0n : BigInt(CLONE.PARENT)
  const born = plan.fork('exec', parent, () => lowerExecP1(context, doors, root), doors.v2)
  lowerFirstProcess(context, born)
  return plan.finish()
}

/** @param solo is the image to do runt's part as well? It may branch back then */
export function newExecContext(
  config: ProcessConfig,
  facts: ProcessFacts,
  { solo = false }: { readonly solo?: boolean } = {},
): ProcessContext {
  const fixed = slots(facts.preservedFds, {
    init: true,
    gate: false,
    solo,
    hookOutput: false,
    console: facts.console?.kind === 'socket',
    path: facts.console?.kind === 'socket',
    ...labelSlots({ config, facts }),
  })
  const plan = new PlanBuilder(fixed.channel)
  return { plan, config, facts, slots: fixed, reply: plan.buffer('reply', replySize(facts.stateRoom)) }
}

/** What P0 opens on the host's side, before P1 is born. */
export function lowerExecHostSide(context: ProcessContext): {
  readonly doors: Doors
  readonly root: Value | undefined
} {
  const { plan } = context
  plan.syscall('prctl', [PR.SET_DUMPABLE, 0, 0, 0, 0], { name: 'dumpable' })
  lowerAffinity(context, 'initial')
  lowerOomScore(context)
  lowerConsoleSocket(context)
  const doors = { ...lowerCgroupDoors(context), rdt: lowerRdtDoors(context) }
  return { doors, root: has(context.config, 'mount') ? undefined : lowerHostRoot(context) }
}

/**
 * The new process of the container, up to the program.
 * @param inside further steps, once it is all inside
 */
export function lowerExecP1(
  context: ProcessContext,
  doors: Doors,
  root: Value | undefined,
  inside: () => void = () => {},
): void {
  const { plan, slots: fixed } = context
  lowerLeaveSlot(context, fixed.monitor)
  lowerCgroupJoin(context, doors)
  lowerScopePause(context)
  lowerRdtJoin(context, doors.rdt)
  lowerAffinity(context, 'final')
  lowerLabelDoors(context, () => lowerProcfs(context))
  lowerEnterRoot(context, root)
  lowerCloseTemporary(context) // nothing of the host's is open inside
  lowerJoin(context)
  lowerLeaveSlot(context, fixed.init)
  plan.syscall('setsid', [])
  lowerKeyring(context, 'exec')
  lowerNamespaceRoot(context)
  lowerOwnRoot(context)
  inside()
  lowerPty(context)
  const cwd = lowerCwd(context, (path) => openInRoot(context, path, { flags: O.PATH | O.DIRECTORY, name: 'cwd' }))
  const program = lowerIdentity(context, cwd)
  lowerCloseTemporary(context)
  lowerWatchedFilter(context)
  lowerReady(context)
  if (program === undefined) return
  lowerFilter(context)
  lowerExecve(context, program)
}

/** By filling it: a number that is free would go to the next temporary descriptor. */
function lowerLeaveSlot({ plan, slots: fixed }: ProcessContext, slot: number): void {
  plan.syscall('dup3', [fixed.channel, slot, { kind: 'open-flags', flags: O.CLOEXEC }], { name: 'leave' })
}

/** A child is born into the pid namespace that its parent has joined. setns(2) */
export function lowerJoinPid(context: ProcessContext): void {
  const { plan, config, slots: fixed } = context
  if (!has(config, 'pid')) return
  plan.section('/linux/namespaces', 'pid namespace', () => {
    const { pid, user } = NAMESPACES
    if (!has(config, 'user')) {
      plan.syscall('setns', [fixed.init, pid.flag], { name: 'join_pid' })
      return
    }
    const refused = plan.label('refused')
    const joined = plan.label('joined')
    plan.syscall('setns', [fixed.init, pid.flag], { name: 'join_pid', onError: { EPERM: refused } })
    plan.jump(joined)
    plan.place(refused)
    // Without rights on the host they come with the container's user namespace.
    plan.syscall('setns', [fixed.init, user.flag | pid.flag], { name: 'join_pid' })
    plan.place(joined)
  })
}

/**
 * All other namespaces of init at once. With the host's rights before the user namespace, as some may belong to one that
 * is further out; where that is refused, after it.
 */
function lowerJoin(context: ProcessContext): void {
  const { plan, config, slots: fixed } = context
  const user = has(config, 'user')
  const flags = config.linux.namespaces.reduce(
    (all, { type }) => (type === 'pid' || type === 'user' ? all : all | NAMESPACES[type].flag),
    0,
  )
  const joinUser = (): void => {
    plan.syscall('setns', [fixed.init, NAMESPACES.user.flag], {
      name: 'join_user',
      ignore: { EINVAL: 'it was joined for the pid namespace' },
    })
  }
  plan.section('/linux/namespaces', 'namespaces of init', () => {
    if (!user) {
      if (flags !== 0) plan.syscall('setns', [fixed.init, flags], { name: 'join' })
    } else if (flags === 0) joinUser()
    else {
      const refused = plan.label('refused')
      const joined = plan.label('joined')
      plan.syscall('setns', [fixed.init, flags], { name: 'join', onError: { EPERM: refused } })
      joinUser()
      plan.jump(joined)
      plan.place(refused)
      joinUser()
      plan.syscall('setns', [fixed.init, flags], { name: 'join' })
      plan.place(joined)
    }
  })
  plan.pivot()
}

/** Without a mount namespace the root is a folder of the host's, opened while its path can be. */
function lowerHostRoot({ plan, config }: ProcessContext): Value {
  let root: Value | undefined
  plan.section('/root/path', config.root.path, () => {
    const flags = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
    root = plan.syscall('openat', [AT.FDCWD, config.root.path, flags, 0], { name: 'root' })
  })
  if (root === undefined) throw new Error('lowerHostRoot: section did not run')
  return root
}

/** … and entered; else root and working folder come with the mount namespace. */
function lowerEnterRoot({ plan, config }: ProcessContext, root: Value | undefined): void {
  if (root === undefined) return
  plan.section('/root/path', config.root.path, () => {
    plan.syscall('fchdir', [root])
    plan.syscall('chroot', ['.'])
  })
}

/** A descriptor of the root, where something is looked for in it. */
function lowerOwnRoot(context: ProcessContext): void {
  const { plan, config, slots: fixed } = context
  if (config.process?.terminal !== true && (config.process?.cwd ?? '/') === '/') return
  const flags = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
  moveToSlot(
    context,
    plan.syscall('openat', [AT.FDCWD, '/', flags, 0], { name: 'root', path: 'container' }),
    fixed.root,
  )
}
