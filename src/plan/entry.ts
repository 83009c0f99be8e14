// What the kernel hands to a program at its start: argc, argv up to a NULL, and the environment up to another. execve(2)

import { type PlanBuilder, WORD } from './builder.ts'
import type { Value } from './step.ts'

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
