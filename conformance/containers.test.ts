// The container cases on the executable that was built; each counts as a test.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import { missingForBundles } from './bundle.ts'
import { countAsTests } from './outcome-tests.ts'
import { findRuntime } from './runtime.ts'
import { runCases } from './suite.ts'

const RUNTIME = fileURLToPath(new URL('../dist/runt', import.meta.url))
const missing = missingForBundles() ?? (existsSync(RUNTIME) ? undefined : 'needs dist/runt: make build')

if (missing === undefined) {
  countAsTests(await runCases(findRuntime(RUNTIME), []))
} else {
  console.log(`skipped: all container cases: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
