// The end of a container that ran in the foreground, and the way back to the engine.

import { LOCK } from '../../linux/flock.ts'
import { AT } from '../../linux/open-flags.ts'
import { SIGNAL } from '../../linux/signals.ts'
import { STATX } from '../../linux/statx.ts'
import { type DataObject, u64 } from '../../plan/builder.ts'
import { lowerArgv, lowerEnvironment } from '../../plan/entry.ts'
import type { Context, ProcessContext } from '../context.ts'
import { statDescriptor } from '../statx.ts'
import { lowerExitRecord, NAMES } from './claim.ts'
import type { Solo } from './facts.ts'

/**
 * lifecycle/delete.ts as steps, then exit as the program did. What can't be removed so is left to the engine, and so is a
 * container whose program the kernel may have killed: it finds out, and says why.
 */
export function lowerEnd(context: Context, solo: Solo, status: DataObject): void {
  const { plan, slots } = context
  const done = plan.label('done')
  const killed = plan.label('killed')
  const trouble = plan.label('trouble')
  for (const signal of [SIGNAL.SIGKILL, SIGNAL.SIGSYS]) plan.branch(status.field(0, 1, 0x7f), 'eq', signal, killed)
  plan.rescueAt(trouble)
  plan.syscall('flock', [slots.lock, LOCK.EX])
  const found = statDescriptor(context, slots.lock)
  // Somebody has deleted it, and it may be another one's name by now.
  plan.branch(found.field(STATX.links, 4), 'eq', 0, done)
  const gone = { ENOENT: 'it is gone already' }
  for (const folder of solo.own) plan.syscall('unlinkat', [AT.FDCWD, folder, AT.REMOVEDIR], { ignore: gone })
  for (const folder of solo.above) {
    const used = plan.label('used')
    plan.syscall('unlinkat', [AT.FDCWD, folder, AT.REMOVEDIR], { onError: { '*': used } })
    plan.place(used)
  }
  for (const name of NAMES) plan.syscall('unlinkat', [slots.directory, name, 0], { ignore: gone })
  plan.syscall('unlinkat', [AT.FDCWD, solo.directory, AT.REMOVEDIR])
  plan.jump(done)
  plan.place(killed)
  plan.rescueAt(done) // somebody has deleted it
  lowerExitRecord(context, status)
  plan.place(trouble)
  plan.rescueAt(done)
  lowerRemoval(context, solo)
  plan.place(done)
  plan.rescueAt(undefined)
  lowerExitAs(context, status)
}

/** Exit as the program did; 128 and the signal when one ended it. @param status wait(2)'s */
export function lowerExitAs({ plan }: ProcessContext, status: DataObject): void {
  const signalled = plan.label('signalled')
  plan.branch(status.field(0, 1, 0x7f), 'ne', 0, signalled)
  plan.exit(status.field(1, 1))
  plan.place(signalled)
  plan.exit(plan.add(status.field(0, 1, 0x7f), 128))
}

/** Let an engine remove the rest, and wait for it. */
function lowerRemoval(context: Context, { engine, removal }: Solo): void {
  const { plan, slots } = context
  plan.syscall('close', [slots.lock])
  const child = (): void => {
    const args = plan.strings(removal)
    plan.syscall('execve', [engine, args.address, plan.constant('no environment', [u64(0)]).address])
    plan.exit(1)
  }
  const pid = plan.fork('removal', 0n, child)
  plan.syscall('wait4', [pid, 0, 0, 0])
}

/** execve(2) of the engine with our own words: those that were made for it. */
export function lowerBecomeEngine({ plan }: ProcessContext, engine: string): void {
  const argv = lowerArgv(plan)
  plan.syscall('execve', [engine, argv, lowerEnvironment(plan, argv)])
  plan.exit(1)
}
