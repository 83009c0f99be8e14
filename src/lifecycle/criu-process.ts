// CRIU as a process: an image of ours that becomes it.

import type { Cgroup } from '../cgroup/cgroup.ts'
import { pidsOf } from '../cgroup/processes.ts'
import type { Criu } from '../criu/program.ts'
import { ownEnvironment, type Patience, Worker } from '../criu/swrk.ts'
import type { CriuCall, CriuPlan } from '../lowering/criu.ts'
import { lineSlots } from '../lowering/facts.ts'
import { compile } from '../machine/codegen.ts'
import { targetFor } from '../machine/target.ts'
import { socketPair } from '../native/descriptors.ts'
import { close, readFileIfPresent, status } from '../native/file.ts'
import { spawnInit } from '../process/init.ts'
import { processStat, reap } from '../process/wait.ts'
import { executed } from './conversation.ts'
import type { Folders } from './criu-folders.ts'
import type { CriuFlags } from './criu-options.ts'

/**
 * @param given descriptors of ours that it is to have
 * @param lower writes the plan
 * @param interrupted rejects when nobody wants to wait for it any longer
 * @returns CRIU, and the numbers that it knows the given descriptors by
 * @throws RuntError of a step that fails before
 */
export async function startCriu(
  { program }: Criu,
  given: readonly number[],
  lower: (call: CriuCall) => CriuPlan,
  interrupted?: Promise<never>,
): Promise<{ readonly worker: Worker; readonly numbers: readonly number[] }> {
  const [ours, theirs] = socketPair()
  try {
    const { plan, first } = lower({ program, env: ownEnvironment(), given: 1 + given.length, caller: process.pid })
    const image = compile(plan, targetFor(process.arch === 'arm64' ? 'arm64' : 'x64'))
    const numbers = given.map((_, index) => first + 1 + index)
    const moved = given.map((fd, index) => [fd, numbers[index] ?? -1] as const)
    const init = spawnInit(image.bytes, lineSlots(0), [[theirs, first], ...moved], interrupted)
    close(init.monitor)
    try {
      await executed({ init, plan })
    } catch (error) {
      reap(init.first)
      throw error
    }
    return { worker: new Worker(ours, init.first), numbers }
  } catch (error) {
    close(ours)
    throw error
  } finally {
    close(theirs)
  }
}

/** How long nothing may happen while CRIU saves or restores, in milliseconds. */
const IDLE = 60_000

/**
 * CRIU lives as long as it, or a process that it makes or saves, computes, reads or writes, or its log grows. With lazy pages
 * it may wait for another machine, as long as that takes.
 * @param cgroup of the container
 */
export function patienceWith(
  { pid }: Worker,
  cgroup: Cgroup,
  { lazyPages }: Pick<CriuFlags, 'lazyPages'>,
  { work, log }: Pick<Folders, 'work' | 'log'>,
  interrupted?: Promise<never>,
): Patience {
  const signOfLife = () => {
    const activity = [pid, ...pidsOf(cgroup, { recursive: true })].map(activityOf)
    return [status(`/proc/self/fd/${work.fd}/${log}`)?.size, ...activity].join(' ')
  }
  return { idle: lazyPages ? undefined : IDLE, signOfLife, interrupted }
}

/** proc_pid_stat(5): utime and stime; proc_pid_io(5): what went through read(2) and write(2). */
function activityOf(pid: number): string {
  const stat = readFileIfPresent(`/proc/${pid}/stat`)?.split(' ').slice(13, 15)
  return `${pid} ${stat} ${readFileIfPresent(`/proc/${pid}/io`)}`
}

/** As its record tells who is at work on a container: delete --force ends it. */
export interface CriuRecord {
  readonly pid: number
  readonly startTime: number
}

export function criuRecord({ pid }: Worker): CriuRecord {
  return { pid, startTime: processStat(pid)?.startTime ?? 0 }
}
