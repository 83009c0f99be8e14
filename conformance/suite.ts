// A run of the cases, two at a time.

import './cases/all.ts'
import { Box, Ground } from './box.ts'
import { allCases, type Case, nameOf } from './case.ts'
import { choose } from './choose.ts'
import { endingOf, judge, type Outcome, readDeviations } from './outcome.ts'
import type { Runtime } from './runtime.ts'

const AT_ONCE = 2

/**
 * Run the cases whose names have one of the words; two at a time.
 * @param watch hears of each case when it begins, and of its end
 */
export async function runCases(
  runtime: Runtime,
  words: readonly string[],
  watch: (name: string, outcome?: Outcome) => void = () => {},
): Promise<Outcome[]> {
  const deviations = readDeviations(runtime.name)
  using ground = new Ground(runtime)
  const chosen = choose(allCases(), words, nameOf)
  const outcomes = new Map<Case, Outcome>()
  const waiting = [...chosen]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const started = performance.now()
      watch(nameOf(next))
      const ending = judge(await endingOf(() => runCase(next, ground)), deviations.get(nameOf(next)))
      const outcome = { name: nameOf(next), ending, milliseconds: performance.now() - started }
      outcomes.set(next, outcome)
      watch(outcome.name, outcome)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return chosen.flatMap((each) => outcomes.get(each) ?? [])
}

async function runCase(next: Case, ground: Ground): Promise<void> {
  await using box = new Box(ground)
  await next.body(box)
}
