// CRIU as a process: an image of ours that becomes it.

import type { Criu } from '../criu/program.ts'
import { ownEnvironment, Worker } from '../criu/swrk.ts'
import type { CriuCall, CriuPlan } from '../lowering/criu.ts'
import { lineSlots } from '../lowering/facts.ts'
import { compile } from '../machine/codegen.ts'
import { targetFor } from '../machine/target.ts'
import { socketPair } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { verify } from '../plan/verify.ts'
import { spawnInit } from '../process/init.ts'
import { reap } from '../process/wait.ts'
import { executed } from './conversation.ts'

/**
 * @param given descriptors of ours that it is to have
 * @param lower writes the plan
 * @returns CRIU, and the numbers that it knows the given descriptors by
 * @throws RuntError of a step that fails before
 */
export async function startCriu(
  { program }: Criu,
  given: readonly number[],
  lower: (call: CriuCall) => CriuPlan,
): Promise<{ readonly worker: Worker; readonly numbers: readonly number[] }> {
  const [ours, theirs] = socketPair()
  try {
    const { plan, first } = lower({ program, env: ownEnvironment(), given: 1 + given.length })
    verify(plan)
    const image = compile(plan, targetFor(process.arch === 'arm64' ? 'arm64' : 'x64'))
    const numbers = given.map((_, index) => first + 1 + index)
    const moved = given.map((fd, index) => [fd, numbers[index] ?? -1] as const)
    const init = spawnInit(image.bytes, lineSlots(0), [[theirs, first], ...moved])
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
