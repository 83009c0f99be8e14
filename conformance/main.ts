// The container cases on a runtime of choice: bun conformance/main.ts --runtime "/usr/sbin/runc" [WORD …]

import { parseArgs } from 'node:util'
import { missingForBundles } from './bundle.ts'
import { findRuntime } from './runtime.ts'
import { countOf, runCases, tap } from './suite.ts'

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { runtime: { type: 'string', default: 'dist/runt' }, slow: { type: 'boolean', default: false } },
})

const missing = missingForBundles()
if (missing === undefined) {
  const runtime = findRuntime(values.runtime)
  const started = performance.now()
  const outcomes = await runCases(runtime, words)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(tap(outcomes))
  if (values.slow) {
    const slowest = outcomes.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, 10)
    for (const { name, milliseconds } of slowest) console.log(`# ${milliseconds.toFixed(0)} ms  ${name}`)
  }
  const surprises = countOf(outcomes, 'surprise')
  console.log(
    `# ${runtime.version}: ${countOf(outcomes, 'pass') + surprises} passed, ${countOf(outcomes, 'fail')} failed, ` +
      `${countOf(outcomes, 'deviation')} known deviations, ${countOf(outcomes, 'skip')} skipped in ${seconds} s` +
      (surprises > 0 ? `; ${surprises} of the passed are listed as deviations` : ''),
  )
  process.exitCode = countOf(outcomes, 'fail') > 0 || outcomes.length === 0 ? 1 : 0
} else {
  console.log(`1..0 # SKIP ${missing}`)
}
