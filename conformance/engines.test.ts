// The short set of the engines' cases on the executable that was built; each counts as a test.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { missingForBundles } from './bundle.ts'
import { countAsTests, outcomesOf } from './outcome-tests.ts'

const RUNTIME = fileURLToPath(new URL('../dist/runt', import.meta.url))
const MAIN = fileURLToPath(new URL('engines/main.ts', import.meta.url))
const missing = missingForBundles() ?? (existsSync(RUNTIME) ? undefined : 'needs dist/runt: make build')

if (missing === undefined) {
  const command = [MAIN, '--runtime', RUNTIME, '--short', '--json']
  const { stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' })
  const outcomes = outcomesOf(stdout)
  test('the engines’ cases ran to their end', () => assert.ok(outcomes.length > 0, `${stdout}${stderr}`))
  countAsTests(outcomes)
} else {
  console.log(`skipped: all cases of engines: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
