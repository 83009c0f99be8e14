// What the kernel hands to a program at its start: argc, argv up to a NULL, and the environment up to another. execve(2)

import { type PlanBuilder, WORD } from './builder.ts'
import type { Value } from './step.ts'
import { skipString } from './text.ts'

/** @returns where the pointers of argv stand */
export function lowerArgv(plan: PlanBuilder): Value {
  return plan.add(plan.entry(), WORD, plan.value('argv'))
}

/** The environment begins behind argv's final NULL. @returns where its pointers stand */
export function lowerEnvironment(plan: PlanBuilder, argv: Value): Value {
  const environment = plan.add(argv, 0, plan.value('environment'))
  const word = plan.value('word')
  plan.loop(({ done }) => {
    plan.load(environment, 8, word)
    plan.add(environment, WORD, environment)
    plan.branch(word, 'eq', 0, done)
  })
  return environment
}

/**
 * Overwrite the words and the environment that the program was started with: whoever reads /proc/PID/cmdline or environ
 * finds nothing. They stand one behind the other, and the program's own path behind them. execve(2)
 */
export function lowerForgetEntry(plan: PlanBuilder): void {
  const argv = lowerArgv(plan)
  const cursor = plan.load(argv, 8, plan.value('cursor'))
  const forgotten = plan.label('forgotten')
  plan.branch(cursor, 'eq', 0, forgotten) // a program that has no words
  // The last string is the environment's, or of the words if that is empty.
  const last = plan.add(cursor, 0, plan.value('last'))
  for (const strings of [argv, lowerEnvironment(plan, argv)]) plan.each(strings, (string) => plan.add(string, 0, last))
  skipString(plan, last)
  plan.loop(({ done }) => {
    plan.branch(cursor, 'above', last, done)
    plan.storeOutside(cursor, 1, 0)
    plan.add(cursor, 1, cursor)
  })
  plan.place(forgotten)
}
