// Every step of a typical create fails once: the message names it, and nothing is left of the container.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../src/errors.ts'
import { createContainer } from '../src/lifecycle/create.ts'
import { deleteContainer } from '../src/lifecycle/delete.ts'
import { planOf } from '../src/lifecycle/plan.ts'
import { startContainer } from '../src/lifecycle/start.ts'
import { Store } from '../src/lifecycle/store.ts'
import { ERRNO } from '../src/linux/errno.ts'
import type { Plan, Step } from '../src/plan/step.ts'
import { pointerText, stepLabel } from '../src/process/report.ts'
import { faultOptions, leftovers, makeFaultBundle, missingForFaults } from './fault-bundle.ts'

const reason = missingForFaults()

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`faults (${reason})`, () => {})
} else {
  const work = mkdtempSync(`${tmpdir()}/runt-faults-`)
  const bundle = makeFaultBundle(work)
  const store = new Store(`${work}/state`)
  const plan = await planOf(store, bundle)

  test('a fault in any step of create is named, and nothing is left', async () => {
    const before = leftovers(work)
    let failed = 0
    for (const [index, step] of plan.steps.entries()) {
      if (step.op !== 'syscall') continue
      const outcome = await createWithFault(store, bundle, index)
      if (outcome === undefined) checkUntouched(step, index, plan)
      else {
        failed++
        checkNamed(outcome, step, index)
      }
      assert.equal(leftovers(work), before, `left by a fault in step ${index} (${step.name} ${step.origin})`)
    }
    assert.ok(failed > 150, `only ${failed} steps failed`)
  })

  test('a fault behind the gate is told to start', async () => {
    const before = leftovers(work)
    const gate = plan.gate ?? Number.POSITIVE_INFINITY
    const execve = plan.steps.findLastIndex((step) => step.op === 'syscall' && step.name === 'execve')
    assert.ok(execve > gate)
    await createContainer(store, faultOptions(bundle, { step: execve, errno: ERRNO.ENOEXEC }))
    assert.throws(
      () => startContainer(store, 'fault'),
      (error: Error) => /exec: "true": execve: ENOEXEC: exec format error/.test(error.message),
    )
    deleteContainer(store, 'fault', { force: false })
    assert.equal(leftovers(work), before)
  })

  test.after(() => rmSync(work, { recursive: true, force: true }))
}

/** @returns the error of create; undefined when the step doesn't run, or runt goes on without it */
async function createWithFault(store: Store, bundle: string, step: number): Promise<RuntError | undefined> {
  try {
    await createContainer(store, faultOptions(bundle, { step, errno: ERRNO.EXDEV }))
  } catch (error) {
    if (error instanceof RuntError) return error
    throw error
  }
  deleteContainer(store, 'fault', { force: true })
  return undefined
}

function checkNamed(error: RuntError, step: Step, index: number): void {
  // Where any error leads on, it is the way's own end that is told.
  if (step.op === 'syscall' && step.onError['*'] !== undefined) return
  const { origin, call } = stepLabel(step)
  const where = `step ${index}: ${error.message}`
  assert.is(error.code, 'init', where)
  assert.ok(error.message.includes(`${call}: EXDEV: `), where)
  if (origin !== '') assert.ok(error.message.startsWith(`${pointerText(origin)}: `), where)
}

/** Create went on: the step tolerates any error, stands behind the gate, or on a way not taken here. */
function checkUntouched(step: Step, index: number, plan: Plan): void {
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
    'statx',
    'openat',
    'faccessat2',
  ]
  const monitor = ['close', 'exit'].includes(step.name)
  assert.ok(
    tolerant || late || monitor || aside.includes(step.name),
    `step ${index} (${step.name}) failed and nobody noticed`,
  )
}

test.run()
