// exec by an image that needs nobody: what solo.ts is for a container, for one more process in it.

import type { ProcessConfig } from '../../config/types.ts'
import { AT, O } from '../../linux/open-flags.ts'
import { STATX } from '../../linux/statx.ts'
import { WALL } from '../../linux/wait.ts'
import { u64 } from '../../plan/builder.ts'
import type { Operand, Plan } from '../../plan/step.ts'
import type { ProcessContext } from '../context.ts'
import { lowerReserveSlots, moveToSlot } from '../descriptors.ts'
import { lowerJoiner, newExecContext } from '../exec.ts'
import type { ProcessFacts } from '../facts.ts'
import { statDescriptor } from '../statx.ts'
import {
  type Born,
  lowerDecimal,
  lowerExpectProgram,
  lowerExpectReady,
  lowerFirstSteps,
  lowerKill,
  lowerLetGo,
  lowerLines,
  lowerReply,
} from './birth.ts'
import { lowerCheck } from './cgroup.ts'
import { lowerPidFile } from './claim.ts'
import { lowerBecomeEngine, lowerExitAs } from './end.ts'
import type { CgroupWork } from './facts.ts'
import {
  lowerBlockSignals,
  lowerSignalMask,
  lowerStandIn,
  lowerUnwatchSignals,
  lowerWaitFor,
  lowerWatchSignals,
} from './signals.ts'
import { Undo } from './undo.ts'

export interface SoloExec {
  /** The container's init, and the inode of its pidfd: no other process ever has it. */
  readonly init: { readonly pid: number; readonly inode: bigint }
  /** Bytes of the kernel's files that say that the container is not frozen. */
  readonly checks: CgroupWork['checks']
  /** The v2 folder, which must not hand controllers down: init would be further below then, and so would we. */
  readonly leaf: string | undefined
  readonly pidFile: string | undefined
  readonly engine: string
}

/** The plan of a process that is added to a container by its own image. @param solo what runt would have found out */
export function lowerSoloExec(config: ProcessConfig, facts: ProcessFacts, solo: SoloExec): Plan {
  const context = newExecContext(config, facts, { solo: true })
  const { plan } = context
  const undo = new Undo(plan)
  const mask = lowerBlockSignals(context)
  undo.onFailure('restore_signals', () => lowerSignalMask(context, mask))
  lowerLines(context, undo)
  lowerReserveSlots(context)
  lowerOpenInit(context, solo, undo)
  for (const check of solo.checks) lowerCheck(context, check, undo)
  if (solo.leaf !== undefined) lowerLeaf(context, solo.leaf, undo)
  const born = lowerJoinedBirth(context, undo)
  lowerExpectReady(context, born, undo)
  if (solo.pidFile !== undefined) lowerPidFile(context, solo.pidFile, lowerDecimal(context, born.pid), undo)
  lowerReply(context)
  lowerExpectProgram(context, born, undo)
  plan.rescueAt(undefined)
  if (facts.mode === 'run-foreground') {
    lowerUnwatchSignals(context, born.wait)
    // The caller's streams are not held open longer than the program holds them.
    plan.syscall('close_range', [0, 1, 0])
    lowerExitAs(context, lowerStandIn(context, born.pid))
  } else plan.exit(0)
  undo.lower()
  lowerBecomeEngine(context, solo.engine)
  return plan.finish()
}

/** The pidfd of init in its slot, the only one below the temporary descriptors that is free. */
function lowerOpenInit(context: ProcessContext, { init }: SoloExec, undo: Undo): void {
  const { plan, slots } = context
  plan.branch(plan.syscall('pidfd_open', [init.pid, 0]), 'ne', slots.init, undo.now)
  const known = plan.constant(`inode ${init.inode}`, [u64(init.inode)])
  plan.branch(statDescriptor(context, slots.init).field(STATX.inode, 8), 'ne', known.field(0, 8), undo.now)
}

function lowerLeaf({ plan }: ProcessContext, folder: string, undo: Undo): void {
  const flags = { kind: 'open-flags', flags: O.CLOEXEC } as const
  const file = plan.syscall('openat', [AT.FDCWD, `${folder}/cgroup.subtree_control`, flags, 0], { name: 'leaf' })
  const byte = plan.struct('controllers', [u64(0)])
  plan.branch(plan.syscall('read', [file, byte.address, 1]), 'ne', 0, undo.now)
  plan.syscall('close', [file])
}

/** Fork the joiner, and P1 through it. Whatever fails from here on ends them. */
function lowerJoinedBirth(context: ProcessContext, undo: Undo): Born {
  const { plan, slots } = context
  const giveUp = undo.now
  const pidfd = plan.buffer('pidfd', 8)
  const { joiner, child } = lowerJoiner(context, {
    pidfd: pidfd.address,
    first: () => lowerFirstSteps(context),
  })
  const born = plan.add(0, 0, plan.value('born'))
  const killJoiner = (fd: Operand) => () => lowerKill(context, fd, joiner, giveUp)
  undo.onFailure('kill_orphan', () => {
    const none = plan.label('none')
    plan.load(child, 4, born)
    plan.branch(born, 'eq', 0, none)
    lowerKill(context, plan.syscall('pidfd_open', [born, 0], { name: 'orphan' }), born, giveUp)
    plan.place(none)
  })
  undo.onFailure('kill_joiner', killJoiner(pidfd.field(0, 4)))
  moveToSlot(context, pidfd.field(0, 4), slots.pidfd)
  undo.onFailure('kill_joiner', killJoiner(slots.pidfd))
  lowerLetGo(context, slots.pidfd)
  const wait = lowerWatchSignals(context)
  lowerWaitFor(context, wait, undo, { of: slots.pidfd })
  plan.syscall('wait4', [joiner, 0, WALL, 0])
  plan.load(child, 4, born)
  plan.branch(born, 'eq', 0, undo.now)
  moveToSlot(context, plan.syscall('pidfd_open', [born, 0], { name: 'born_pidfd' }), slots.pidfd)
  undo.onFailure('kill_exec', () => {
    lowerKill(context, slots.pidfd, born, giveUp)
    plan.storeOutside(child, 4, 0) // its number may be another one's from now on
  })
  return { pid: born, wait, stoppable: true }
}
