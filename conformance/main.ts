// The container cases on a runtime of choice: bun conformance/main.ts --runtime "/usr/sbin/runc" [WORD …]

import { parseArgs } from 'node:util'
import { missingForBundles } from './bundle.ts'
import { countOf, summary, tap } from './outcome.ts'
import { findRuntime } from './runtime.ts'
import { runCases } from './suite.ts'

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { runtime: { type: 'string', default: 'dist/runt' }, slow: { type: 'boolean', default: false } },
})

const missing = missingForBundles()
if (missing === undefined) {
  const runtime = findRuntime(values.runtime)
  const started = performance.now()
  const outcomes = await runCases(runtime, words)
  console.log(tap(outcomes))
  if (values.slow) {
    const slowest = outcomes.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, 10)
    for (const { name, milliseconds } of slowest) console.log(`# ${milliseconds.toFixed(0)} ms  ${name}`)
  }
  console.log(summary(runtime.version, outcomes, performance.now() - started))
  process.exitCode = countOf(outcomes, 'fail') > 0 || outcomes.length === 0 ? 1 : 0
} else {
  console.log(`1..0 # SKIP ${missing}`)
}
