import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { choose } from './choose.ts'

const same = (name: string) => name

test('each word may mean several things, and each thing is taken once', () => {
  assert.equal(choose(['ab', 'bc', 'cd'], ['b', 'c'], same), ['ab', 'bc', 'cd'])
  assert.equal(choose(['ab', 'bc'], [], same), ['ab', 'bc'])
})

test('a word that means nothing is an error, also beside one that does', () => {
  assert.throws(() => choose(['ab', 'bc'], ['b', 'x'], same), /nothing here has "x" in its name/)
})

for (const program of ['main.ts', 'run-tests.ts']) {
  test(`${program} fails for a word that means nothing`, () => {
    const path = fileURLToPath(new URL(program, import.meta.url))
    const { status, stderr } = spawnSync(process.execPath, [path, 'nosuchcase'], { encoding: 'utf8' })
    assert.is.not(status, 0)
    assert.match(stderr, /nothing here has "nosuchcase" in its name/)
  })
}

test.run()
