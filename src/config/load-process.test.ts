// The file of exec --process: read, or refused with the place in it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { loadProcess } from './load-process.ts'

const folder = mkdtempSync(`${tmpdir()}/runt-process-`)
const path = `${folder}/process.json`

async function messageOf(text: string | object): Promise<string> {
  writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text, undefined, 2))
  try {
    await loadProcess(path, [])
  } catch (error) {
    return (error as Error).message.replaceAll(path, 'FILE')
  }
  return 'accepted'
}

const FINE = { args: ['true'], cwd: '/' }

test('a process is read as in a config', async () => {
  const rlimits = '[{"type": "RLIMIT_CORE", "soft": 0, "hard": 18446744073709551615}]'
  writeFileSync(
    path,
    `{"args": ["true"], "cwd": "/a//b/", "rlimits": ${rlimits}, "capabilities": {"bounding": ["CAP_X"]}}`,
  )
  const warnings: string[] = []
  const process = await loadProcess(path, warnings)
  assert.is(process.rlimits[0]?.hard, 2n ** 64n - 1n)
  assert.is(process.cwd, '/a/b')
  assert.equal(process.capabilities?.bounding, [])
  assert.equal(warnings, [
    `${path}:1:146: capabilities.bounding[0]: found "CAP_X", is no capability that runt knows: ignored`,
  ])
})

test('what is wrong is told with its place', async () => {
  assert.is(await messageOf(FINE), 'accepted')
  assert.match(await messageOf({ ...FINE, args: 'true' }), /^FILE:2:11: args: found "true", must be a list$/)
  assert.match(await messageOf({ cwd: '/' }), /^FILE:1:1: args: is missing$/)
  assert.match(await messageOf({ ...FINE, cwd: '/proc/self/fd/3' }), /^FILE:5:10: cwd: .* must not lead through/)
  assert.match(await messageOf({ ...FINE, execCPUAffinity: { initial: '1-' } }), /execCPUAffinity.initial: found "1-"/)
  assert.match(await messageOf('{"args": ["\\u0000"], "cwd": "/"}'), /^FILE:1:\d+: args\[0\]: .*NUL/)
  assert.match(await messageOf('{"args": ['), /^FILE:1:11: found .*, not JSON/)
  assert.match(await messageOf(''), /^FILE is empty$/)
  assert.match(await messageOf('[]'), /^FILE:1:1: found an empty list, must be an object$/)
  const rlimits = '[{"type": "RLIMIT_CORE", "soft": 0, "hard": 18446744073709551616}]'
  assert.match(
    await messageOf(`{"args": ["true"], "cwd": "/", "rlimits": ${rlimits}}`),
    /must be at most 18446744073709551615/,
  )
})

test('a file that is not there is told', async () => {
  try {
    await loadProcess(`${folder}/nothing`, [])
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, /nothing: ENOENT/)
  }
})

test.after(() => rmSync(folder, { recursive: true }))
test.run()
