// The container cases about cgroups where systemd has booted: with its manager on either tree, and with the cgroupfs manager on
// cgroup v2 alone, which this machine may not have. (Checkpoints aren't among them: criu looks at hierarchies that aren't there.)

import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Outcome } from './outcome.ts'
import { countAsTests, outcomesOf } from './outcome-tests.ts'
import { inWorld, missingForWorld, type Tree } from './systemd/world.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const RUNTIME = fileURLToPath(new URL('../dist/runt', import.meta.url))
const CGROUPS = Array.from({ length: 9 }, (_, index) => `G${index + 1} `)
const OTHERS = ['K2 events', 'K2 update', 'K2 exec', 'paused container']

declareCases('hybrid', '--systemd-cgroup', [...CGROUPS, ...OTHERS])
declareCases('v2', '--systemd-cgroup', CGROUPS)
declareCases('v2', '', CGROUPS)
test.run()

function declareCases(tree: Tree, flags: string, words: readonly string[]): void {
  const where = `${tree}${flags === '' ? '' : `, ${flags}`}`
  const reason = missingForWorld(tree)
  if (reason !== undefined) {
    console.log(`skipped: all container cases on ${where}: ${reason}`)
    test.skip(where, () => {})
    return
  }
  const command = [process.execPath, MAIN, '--json', '--runtime', `${RUNTIME} ${flags}`.trim(), ...words]
  const { stdout, stderr } = inWorld(tree, command, { stdio: 'pipe', encoding: 'utf8' })
  const outcomes = outcomesOf(`${stdout}`)
  test(`the cases on ${where} ran to their end`, () => assert.ok(outcomes.length > 0, `${stdout}${stderr}`))
  countAsTests(outcomes.filter(concerns).map((outcome) => ({ ...outcome, name: `${where}: ${outcome.name}` })))
}

/** A case for the other tree is none of this one. */
function concerns({ ending }: Outcome): boolean {
  return ending.kind !== 'skip' || !/^(?:there is no v1 hierarchy of|cgroups? (?:v2|of version 1) )/.test(ending.reason)
}
