// A process for a container that is there → Plan. Comes in: the process, the container's namespaces, the facts of this
// call. Goes out: the plan of one more process inside. Then holds what lower.ts says of every plan.
//
// Three processes. P0 stays on the host's side. The joiner, its child, goes into everything of the container's but the pid
// namespace, where only its children will be: nobody inside sees it. It takes the program's user, rights and limits, lets go
// of all that is the host's, and clones P1 at the very end, as a child of P0. So P1 is fully inside when others can see it
// first, with what the program is to have and a line to runt; nobody can look into it as long as it is not dumpable
// (CVE-2016-9962), and who may trace everybody gains nothing by it.

import type { ProcessConfig } from '../config/types.ts'
import { CLONE, NAMESPACES } from '../linux/namespaces.ts'
import { ALL_FDS, AT, O } from '../linux/open-flags.ts'
import { PR } from '../linux/prctl.ts'
import { SIGNAL } from '../linux/signals.ts'
import { PlanBuilder } from '../plan/builder.ts'
import type { Address, Plan, Value } from '../plan/step.ts'
import { lowerCgroupFiles, lowerCgroupFolder, lowerCgroupJoin } from './cgroup-join.ts'
import { lowerConsoleSocket, lowerControllingTerminal, lowerPty } from './console.ts'
import { has, type ProcessContext } from './context.ts'
import { lowerCloseOnExec, lowerCloseTemporary, lowerReserveSlots, moveToSlot } from './descriptors.ts'
import { lowerExecve } from './execve.ts'
import { type ProcessFacts, slots } from './facts.ts'
import {
  lowerJoinerPid,
  lowerNamespaceRoot,
  lowerReady,
  lowerScopePause,
  lowerWatchChild,
  replySize,
} from './handshake.ts'
import { lowerChildIdentity, lowerIdentityForChild } from './identity.ts'
import { openInRoot } from './in-root.ts'
import { labelSlots, lowerLabelDoors } from './lsm.ts'
import { lowerAffinity, lowerAffinityReset, lowerCwd, lowerKeyring, lowerOomScore } from './process-setup.ts'
import { lowerProcfs } from './procfs.ts'
import { lowerRdtDoors, lowerRdtJoin } from './rdt-join.ts'
import { lowerFilter, lowerWatchedFilter } from './seccomp.ts'

/** The plan of a process that exec adds to a container. @param facts probed before; see ProcessFacts */
export function lowerExec(config: ProcessConfig, facts: ProcessFacts): Plan {
  const context = newExecContext(config, facts)
  lowerCloseOnExec(context)
  lowerReserveSlots(context)
  const birth = lowerJoiner(context)
  lowerJoinerPid(context, birth.joiner)
  lowerWatchChild(context, birth)
  return context.plan.finish()
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
    folder: false,
    pidfd: solo,
    hookOutput: false,
    console: facts.console?.kind === 'socket',
    path: facts.console?.kind === 'socket',
    ...labelSlots({ config, facts }),
  })
  const plan = new PlanBuilder(fixed.channel)
  return { plan, config, facts, slots: fixed, reply: plan.buffer('reply', replySize(facts.stateRoom)) }
}

const PAGE = 4096
const PROT_READ_WRITE = 3
const MAP_SHARED_ANONYMOUS = 0x21
const MADV_DONTFORK = 10

/** What P0 knows of the two others. */
export interface Birth {
  readonly joiner: Value
  /** Points to P1's pid, as P0 sees it; 0 as long as it isn't born. */
  readonly child: Value
}

/** What an image that does runt's part adds. */
export interface JoinerExtras {
  /** Where the joiner's pidfd goes. */
  readonly pidfd: Address
  /** The joiner's first steps. */
  readonly first: () => void
}

/**
 * Fork the joiner, which makes P1 and ends. P1's pid comes through a page that these two share: a descriptor that it could
 * be written to would be P1's as well.
 */
export function lowerJoiner(context: ProcessContext, extras?: JoinerExtras): Birth {
  const { plan } = context
  plan.syscall('prctl', [PR.SET_DUMPABLE, 0, 0, 0, 0], { name: 'dumpable' })
  const child = plan.syscall('mmap', [0, PAGE, PROT_READ_WRITE, MAP_SHARED_ANONYMOUS, -1, 0], { name: 'child' })
  const body = (): void => {
    lowerEndWithParent(context)
    extras?.first()
    lowerEnter(context)
    const program = lowerBecomeProgram(context)
    lowerEndWithParent(context) // a change of ids takes it back
    lowerLeaveHost(context, child)
    const flags = BigInt(CLONE.PARENT | CLONE.PARENT_SETTID)
    plan.fork('exec', flags, () => lowerExecP1(context, program), undefined, undefined, child)
    plan.exit(0)
  }
  const joiner = plan.fork('joiner', 0n, body, lowerCgroupFolder(context), extras?.pidfd)
  return { joiner, child }
}

/** Wherever it is held up (by a file system of the container's): without P0 nobody would know of it. */
function lowerEndWithParent({ plan }: ProcessContext): void {
  plan.syscall('prctl', [PR.SET_PDEATHSIG, SIGNAL.SIGKILL, 0, 0, 0], { name: 'end_with_parent' })
}

/** Where host paths are still the host's: into the cgroup. Then into the namespaces. */
function lowerEnter(context: ProcessContext): void {
  const { plan, slots: fixed } = context
  lowerLeaveSlot(context, fixed.monitor)
  // A terminal of the caller's is nothing that a process inside may control.
  plan.syscall('setsid', [])
  lowerAffinity(context, 'initial')
  lowerOomScore(context)
  lowerConsoleSocket(context)
  lowerCgroupJoin(context, { procs: lowerCgroupFiles(context) })
  lowerScopePause(context)
  lowerRdtJoin(context, lowerRdtDoors(context))
  if (context.config.process?.execCPUAffinity === undefined) lowerAffinityReset(context)
  else lowerAffinity(context, 'final')
  lowerLabelDoors(context, () => lowerProcfs(context))
  if (!has(context.config, 'mount')) lowerHostRoot(context)
  lowerCloseTemporary(context)
  lowerJoinPid(context)
  lowerJoin(context)
  lowerLeaveSlot(context, fixed.init)
  lowerKeyring(context, 'exec')
  lowerNamespaceRoot(context)
  lowerOwnRoot(context)
}

/** All that a child inherits. */
function lowerBecomeProgram(context: ProcessContext): ReturnType<typeof lowerIdentityForChild> {
  lowerPty(context)
  const cwd = lowerCwd(context, (path) => openInRoot(context, path, { flags: O.PATH | O.DIRECTORY, name: 'cwd' }))
  return lowerIdentityForChild(context, cwd)
}

/** Nothing but the program's streams and the line to runt goes on to P1. */
function lowerLeaveHost({ plan, slots: fixed }: ProcessContext, child: Value): void {
  plan.syscall('close_range', [fixed.channel + 1, ALL_FDS, 0])
  plan.syscall('madvise', [child, PAGE, MADV_DONTFORK])
}

/** The new process of the container, up to the program. */
function lowerExecP1(context: ProcessContext, program: ReturnType<typeof lowerIdentityForChild>): void {
  const { plan } = context
  plan.syscall('setsid', [])
  lowerControllingTerminal(context)
  lowerChildIdentity(context)
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
function lowerJoinPid(context: ProcessContext): void {
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

/** Without a mount namespace the root is a folder of the host's; else it comes with the namespace, and the working folder too. */
function lowerHostRoot({ plan, config }: ProcessContext): void {
  plan.section('/root/path', config.root.path, () => {
    const flags = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
    const root = plan.syscall('openat', [AT.FDCWD, config.root.path, flags, 0], { name: 'root' })
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
