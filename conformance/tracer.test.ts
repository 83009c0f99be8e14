// Who keeps a process from ending: a tracer that doesn't see to the end of what it traces, as a hanging criu doesn't.

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { callNative } from '../src/native/ffi.ts'
import { tracerOf } from '../src/process/tracer.ts'
import { reap } from '../src/process/wait.ts'
import { waitUntil } from './patience.ts'
import { children } from './programs.ts'

const PTRACE_SEIZE = 0x4206
const missing = process.getuid?.() === 0 ? undefined : 'needs root'

function childOf({ pid = -1 }: ChildProcess): number {
  return children(pid)[0] ?? 0
}

if (missing === undefined) {
  test('a process whose child is dead and traced is held by the tracer', async () => {
    const parent = spawn('sh', ['-c', 'sleep 60 & wait'], { stdio: 'ignore' })
    try {
      await waitUntil(
        () => childOf(parent) > 0,
        () => 'sh starts nothing',
      )
      const child = childOf(parent)
      assert.is(tracerOf(parent.pid ?? -1), undefined)
      assert.is(callNative('ptrace', PTRACE_SEIZE, child, 0, 0).value, 0n)
      process.kill(child, 'SIGKILL')
      await waitUntil(
        () => / Z /.test(readFileSync(`/proc/${child}/stat`, 'utf8')),
        () => `${child} does not die`,
      )
      const command = readFileSync('/proc/self/comm', 'utf8').trim()
      const expected = { pid: process.pid, command, traced: child }
      assert.equal(tracerOf(parent.pid ?? -1), expected)
      assert.equal(tracerOf(child), expected)
      // With that its parent can see it, too, and end.
      assert.ok(reap(child) !== undefined)
      const ended = new Promise((resolve) => parent.once('exit', resolve))
      if (parent.exitCode === null) await ended
    } finally {
      parent.kill('SIGKILL')
    }
  })
} else {
  console.log(`skipped: tracers: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
