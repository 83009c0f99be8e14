// What holds when a step was made to fail with EXDEV.

import * as assert from 'uvu/assert'
import type { RuntError } from '../src/errors.ts'
import type { Plan, Step } from '../src/plan/step.ts'
import { pointerText } from '../src/pointer.ts'
import { stepLabel } from '../src/process/report.ts'

/** An injected EXDEV is told with its step. */
export function checkNamed(error: RuntError, step: Step, index: number): void {
  // Where any error leads on, it is the way's own end that is told.
  if (step.op === 'syscall' && step.onError['*'] !== undefined) return
  const { origin, call } = stepLabel(step)
  const where = `step ${index}: ${error.message}`
  // What can't be executed has a code of its own.
  assert.is(error.code, call === 'execve' && origin === '/process/args' ? 'program-not-executable' : 'init', where)
  assert.ok(error.message.includes(`${call}: EXDEV`), where)
  if (origin !== '')
    assert.ok(error.message.replace(/^config.json:\d+:\d+: /, '').startsWith(pointerText(origin)), where)
}

/** It went on: the step tolerates any error, stands behind the gate, or on a way not taken here. */
export function checkUntouched(step: Step, index: number, plan: Plan): void {
  if (step.op !== 'syscall') return
  const tolerant = step.onError['*'] !== undefined
  const late = plan.gate !== undefined && index > plan.gate
  const aside = [
    'read',
    'pidfd_send_signal',
    'pread64',
    'mkdirat',
    'openat2',
    'open_tree',
    'move_mount',
    'fchdir',
    'unlinkat',
    'symlinkat',
    'fchown',
    'fstatfs',
    'statx',
    'openat',
    'faccessat2',
  ]
  // Only of a stream that is the null device.
  const stream = step.name === 'dup3' && step.origin === '/process/user'
  // By P0, when P1's pid has been told: in the foreground alone somebody listens.
  const monitor = ['close', 'ppoll', 'wait4', 'waitid'].includes(step.name) || step.about === 'status'
  assert.ok(
    tolerant || late || stream || monitor || aside.includes(step.name),
    `step ${index} (${step.name}) failed and nobody noticed`,
  )
}
