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
import { FAULT_ID, faultOptions, leftovers, makeFaultBundle, missingForFaults } from './fault-bundle.ts'
import { checkNamed, checkUntouched } from './fault-checks.ts'

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
      () => startContainer(store, FAULT_ID),
      (error: Error) => /exec: "true": execve: ENOEXEC: exec format error/.test(error.message),
    )
    deleteContainer(store, FAULT_ID, { force: false })
    const filter = plan.steps.findLastIndex((step) => step.op === 'syscall' && step.name === 'seccomp')
    assert.ok(filter > gate)
    await createContainer(store, faultOptions(bundle, { step: filter, errno: ERRNO.EACCES }))
    assert.throws(() => startContainer(store, FAULT_ID), /^.*linux\.seccomp: seccomp: EACCES/)
    deleteContainer(store, FAULT_ID, { force: false })
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
  deleteContainer(store, FAULT_ID, { force: true })
  return undefined
}

test.run()
