import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseSignal } from '../linux/signals.ts'
import { describeStatus, exitStatus, isEnding, parseStat, processStat } from './wait.ts'

test('state, start time and wait status stand behind a command that may have any name', () => {
  const command = fc.string({ unit: fc.constantFrom(...'a) (\nZ1é'), maxLength: 15 })
  const state = fc.constantFrom(...'RSDZTtXxKWPI')
  void fc.assert(
    fc.property(
      fc.nat(),
      command,
      state,
      fc.array(fc.integer(), { minLength: 49, maxLength: 49 }),
      (pid, name, letter, rest) => {
        const numbers = [...rest]
        const startTime = Math.abs(numbers[18] ?? 0)
        numbers[18] = startTime // field 22 of proc_pid_stat(5); state is field 3
        const exitCode = numbers[48] // field 52
        const stat = parseStat(`${pid} (${name}) ${letter} ${numbers.join(' ')}\n`)
        assert.equal(stat, { state: letter, startTime, exitCode })
      },
    ),
  )
})

test('a wait status is told as wait(2) has it', () => {
  void fc.assert(
    fc.property(fc.nat(255), fc.integer({ min: 1, max: 31 }), fc.boolean(), (code, signal, core) => {
      assert.is(describeStatus(code << 8), `exit status ${code}`)
      assert.is(exitStatus(code << 8), code)
      const killed = signal | (core ? 0x80 : 0)
      assert.is(parseSignal(/^signal (\w+)/.exec(describeStatus(killed))?.[1] ?? ''), signal)
      assert.is(exitStatus(killed), 128 + signal)
    }),
  )
})

test('the signal of a filter of system calls is explained', () => {
  assert.is(describeStatus(31), 'signal SIGSYS: bad system call')
})

test('a process that nobody has reaped is on its way out, and one that runs is not', async () => {
  const parent = spawn('sh', ['-c', 'true & exec sleep 60'], { stdio: 'ignore' })
  try {
    const children = `/proc/${parent.pid}/task/${parent.pid}/children`
    let child = ''
    while (child === '' || processStat(Number(child))?.state !== 'Z') {
      await new Promise((resolve) => setTimeout(resolve, 5))
      child = readFileSync(children, 'utf8').trim()
    }
    assert.ok(isEnding(Number(child)))
    assert.not.ok(isEnding(process.pid))
    assert.ok(isEnding(0x7fffffff))
  } finally {
    parent.kill('SIGKILL')
  }
})

test.run()
