// The container cases on a runtime of choice: bun conformance/main.ts --runtime "/usr/sbin/runc" [--slow] [--watch] [WORD …]
//
// --slow tells times, --watch what is at work; --json prints outcomes for a program instead of TAP.

import { parseArgs } from 'node:util'
import { missingForBundles } from './bundle.ts'
import { countOf, type Outcome, summary, tap } from './outcome.ts'
import { findRuntime } from './runtime.ts'
import { runCases } from './suite.ts'

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: 'string', default: 'dist/runt' },
    slow: { type: 'boolean', default: false },
    watch: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

/** What is at work, for who looks at a machine that is slow or hangs. */
function watch(name: string, outcome?: Outcome): void {
  const how = outcome === undefined ? 'begins' : `${outcome.ending.kind}, ${outcome.milliseconds.toFixed(0)} ms`
  console.error(`${name}: ${how}`)
}

const missing = missingForBundles()
if (missing === undefined) {
  const runtime = findRuntime(values.runtime)
  const started = performance.now()
  const outcomes = await runCases(runtime, words, values.watch ? watch : undefined)
  console.log(values.json ? JSON.stringify(outcomes) : tap(outcomes))
  if (values.slow) {
    const slowest = outcomes.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, 10)
    for (const { name, milliseconds } of slowest) console.log(`# ${milliseconds.toFixed(0)} ms  ${name}`)
  }
  if (!values.json) console.log(summary(runtime.version, outcomes, performance.now() - started))
  process.exitCode = countOf(outcomes, 'fail') > 0 || outcomes.length === 0 ? 1 : 0
} else {
  console.log(values.json ? '[]' : `1..0 # SKIP ${missing}`)
}
