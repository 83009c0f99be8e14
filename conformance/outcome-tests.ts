// Outcomes of cases as tests of uvu, so that the runner counts each.

import { test } from 'uvu'
import type { Outcome } from './outcome.ts'

/** Known deviations of runt count as skipped, and what is listed as one and passes as failed. */
export function countAsTests(outcomes: readonly Outcome[]): void {
  for (const { name, ending } of outcomes) {
    if (ending.kind === 'skip' || ending.kind === 'deviation') {
      console.log(`skipped: ${name}: ${ending.kind === 'skip' ? '' : 'known deviation: '}${ending.reason}`)
      test.skip(name, () => {})
    } else {
      test(name, () => {
        if (ending.kind === 'fail') throw new Error(ending.reason)
        if (ending.kind === 'surprise') throw new Error('passes now: remove it from conformance/deviations/runt.md')
      })
    }
  }
}

/** What main.ts printed with --json; none, if it is anything else. */
export function outcomesOf(json: string): readonly Outcome[] {
  try {
    return JSON.parse(json) as readonly Outcome[] // as main.ts prints them
  } catch {
    return []
  }
}
