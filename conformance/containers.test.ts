// The container cases on the executable that was built; each counts as a test.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import { missingForBundles } from './bundle.ts'
import { findRuntime } from './runtime.ts'
import { runCases } from './suite.ts'

const RUNTIME = fileURLToPath(new URL('../dist/runt', import.meta.url))
const missing = missingForBundles() ?? (existsSync(RUNTIME) ? undefined : 'needs dist/runt: make build')

if (missing === undefined) {
  for (const { name, ending } of await runCases(findRuntime(RUNTIME), [])) {
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
} else {
  console.log(`skipped: all container cases: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
