// The runner of other people's programs: what it makes of their words, and of programs that hang.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readTap } from './tap.ts'

const RUNNER = fileURLToPath(new URL('external.ts', import.meta.url))
const folder = mkdtempSync(`${tmpdir()}/runt-external-test-`)
const counts = (text: string, ending?: string) => {
  const { passed, failed, skipped } = readTap(text, ending)
  return [passed, failed, skipped]
}

test('TAP is read as its producers write it', () => {
  assert.equal(counts('TAP version 13\n1..2\nok 1 - a\nok 2 - b\n'), [2, 0, 0])
  assert.equal(counts('ok 1\n# a note\n  ---\n  yaml: 1\n  ...\nnot ok 2 - b\n1..2\n'), [1, 1, 0])
  assert.equal(counts('1..3\nok 1 - a # SKIP no reason\nnot ok 2 - b # TODO later\nok 3\n'), [1, 0, 2])
  assert.equal(counts('1..0 # SKIP not here\n'), [0, 0, 1])
  assert.equal(readTap('1..1\nnot ok 1 - the title\n').complaints, ['not ok 1 - the title'])
})

test('what a program does not say is a failure', () => {
  assert.equal(counts(''), [0, 1, 0])
  assert.equal(counts('1..3\nok 1\nok 2\n'), [2, 1, 0])
  assert.equal(counts('ok 1\n'), [1, 1, 0])
  assert.equal(counts('1..1\nok 1\n', 'ended with exit status 3'), [1, 1, 0])
  assert.equal(counts('1..1\nok 1\nBail out! broken\n'), [1, 1, 0])
})

test('programs run one after the other, know the runtime, and are ended when their time is up', () => {
  const program = (name: string, script: string, mode = 0o755): void => {
    writeFileSync(`${folder}/programs/${name}`, `#!/bin/sh\n${script}\n`, { mode })
  }
  mkdirSync(`${folder}/programs`)
  program('a-good', 'echo 1..1; test "$RUNTIME" = /path/to/runtime && echo ok 1 - "$(ls | wc -l)"')
  program('b-bad', 'echo 1..2; echo ok 1; echo not ok 2 - broken; exit 1')
  program('c-hangs', 'echo 1..1; echo ok 1; sleep 60 & sleep 60')
  program('d-not-executable', 'echo 1..1; echo not ok 1', 0o644)
  const started = Date.now()
  const words = [RUNNER, '--runtime', '/path/to/runtime', '--seconds', '1', `${folder}/programs`]
  const { stdout, status } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  assert.is(status, 1)
  assert.ok(Date.now() - started < 20_000)
  assert.match(stdout, /^ok {2}a-good: 1 passed, 0 failed, 0 skipped$/m)
  assert.match(
    stdout,
    /^FAILED {2}b-bad: 1 passed, 1 failed, 0 skipped\n {4}ended with exit status 1\n {4}not ok 2 - broken$/m,
  )
  assert.match(stdout, /^FAILED {2}c-hangs: 1 passed, 1 failed, 0 skipped\n {4}took longer than 1 s$/m)
  assert.match(stdout, /^3 programs: 3 passed, 2 failed, 0 skipped$/m)
})

test.after(() => rmSync(folder, { recursive: true, force: true }))

test.run()
