// process.scheduler, process.ioPriority, linux.memoryPolicy: how the kernel serves the program. In P1, once it is in its
// cgroup, whose CPUs, nodes and real-time budget bound what may be asked for, and while it has the rights to ask.

import { cpuMask } from '../linux/cpu-list.ts'
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from '../linux/memory-policy.ts'
import {
  IOPRIO_WHO_PROCESS,
  ioPriorityValue,
  SCHED_ATTR_SIZE,
  SCHEDULING_FLAGS,
  SCHEDULING_POLICIES,
} from '../linux/scheduling.ts'
import { u32, u64 } from '../plan/builder.ts'
import type { ProcessContext } from './context.ts'

/** process.scheduler → sched_setattr(2). */
export function lowerScheduler({ plan, config }: ProcessContext): void {
  const scheduler = config.process?.scheduler
  if (scheduler === undefined) return
  const { policy, nice, priority, runtime, deadline, period } = scheduler
  const flags = bits(scheduler.flags, SCHEDULING_FLAGS)
  plan.section('/process/scheduler', policy, () => {
    const text = `sched_attr{${policy} ${flags.toString(16)} ${nice} ${priority} ${runtime} ${deadline} ${period}}`
    const clamps = [u32(0), u32(0)] // the specification has no values for the clamps' flags
    const attr = plan.constant(text, [
      ...[SCHED_ATTR_SIZE, SCHEDULING_POLICIES[policy]].map(u32),
      u64(flags),
      ...[nice >>> 0, priority].map(u32),
      ...[runtime, deadline, period].map(u64),
      ...clamps,
    ])
    plan.syscall('sched_setattr', [0, attr.address, 0])
  })
}

/** process.ioPriority → ioprio_set(2). */
export function lowerIoPriority({ plan, config }: ProcessContext): void {
  const io = config.process?.ioPriority
  if (io === undefined) return
  plan.section('/process/ioPriority', `${io.class} ${io.priority}`, () => {
    plan.syscall('ioprio_set', [IOPRIO_WHO_PROCESS, 0, ioPriorityValue(io.class, io.priority)])
  })
}

/** linux.memoryPolicy → set_mempolicy(2). */
export function lowerMemoryPolicy({ plan, config }: ProcessContext): void {
  const policy = config.linux.memoryPolicy
  if (policy === undefined) return
  const { mode, nodes } = policy
  plan.section('/linux/memoryPolicy', `${mode} ${nodes}`.trim(), () => {
    const value = MEMORY_POLICY_MODES[mode] | bits(policy.flags, MEMORY_POLICY_FLAGS)
    const mask = nodes === '' ? undefined : cpuMask(nodes)
    // The kernel takes one bit less than it is told of.
    const [address, count] =
      mask === undefined ? [0, 0] : [plan.constant(`nodes ${nodes}`, [mask]).address, 8 * mask.length + 1]
    plan.syscall('set_mempolicy', [value, address, count])
  })
}

function bits<Name extends string>(names: readonly Name[], table: Readonly<Record<Name, number>>): number {
  return names.reduce((all, name) => all | table[name], 0)
}
