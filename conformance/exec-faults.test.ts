// Every step of an exec fails once: the message names it, and the container is as before.

import { closeSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../src/errors.ts'
import { createContainer } from '../src/lifecycle/create.ts'
import { deleteContainer } from '../src/lifecycle/delete.ts'
import { type ExecOptions, execProcess, planExec, prepareExec } from '../src/lifecycle/exec.ts'
import { noProfile } from '../src/lifecycle/profile.ts'
import { statusOf } from '../src/lifecycle/status.ts'
import { Store } from '../src/lifecycle/store.ts'
import { ERRNO } from '../src/linux/errno.ts'
import { trySyscall } from '../src/native/syscall.ts'
import {
  FAULT_ID,
  faultExecOptions,
  faultOptions,
  leftovers,
  makeFaultBundle,
  missingForFaults,
  processesInside,
} from './fault-bundle.ts'
import { checkNamed, checkUntouched } from './fault-checks.ts'
import { type ConsoleSocket, listenForConsole } from './terminal.ts'

const reason = missingForFaults()

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`faults of exec (${reason})`, () => {})
} else {
  const work = mkdtempSync(`${tmpdir()}/runt-exec-faults-`)
  const bundle = makeFaultBundle(work)
  const store = new Store(`${work}/state`)

  for (const console of [false, true]) {
    test(`a fault in any step of exec ${console ? 'with a terminal ' : ''}is named, and the container is as before`, async () => {
      await createContainer(store, faultOptions(bundle, undefined))
      using socket = console ? listenForConsole(`${work}/console`) : undefined
      const container = store.load(FAULT_ID)
      // Detached, as engines call it.
      const options = (inject?: ExecOptions['inject']) =>
        faultExecOptions({
          detach: true,
          supervised: true,
          consoleSocket: socket?.path,
          ...(inject === undefined ? {} : { inject }),
        })
      const plain = options()
      const plan = planExec(await prepareExec(container, plain))
      const before = { ...leftovers(work), inside: processesInside() }
      const family = children()
      let failed = 0
      for (const [index, step] of plan.steps.entries()) {
        if (step.op !== 'syscall') continue
        const inject = { step: index, errno: ERRNO.EXDEV }
        const outcome = await execProcess(store, options(inject), noProfile).catch((e: unknown) => e)
        if (outcome === 0) checkUntouched(step, index, plan)
        else if (outcome instanceof RuntError) {
          failed++
          checkNamed(outcome, step, index)
        } else throw outcome
        if (socket !== undefined) takeConsole(socket)
        await settled(family)
        const after = { ...leftovers(work), inside: processesInside() }
        assert.equal(after, before, `left by a fault in step ${index} (${step.name} ${step.origin})`)
        assert.is(statusOf(store, container), 'created')
      }
      assert.ok(failed > 70, `only ${failed} steps failed`)
      if (console) rmSync(`${work}/console`)
      await deleteContainer(store, FAULT_ID, { force: true })
    })
  }

  test.after(async () => {
    await deleteContainer(store, FAULT_ID, { force: true }) // of a test that failed
    rmSync(work, { recursive: true, force: true })
  })
}

/**
 * Programs that were executed end soon, and processes that nobody told of. They are children of ours, and have to be buried:
 * init ends only when nobody is left in its pid namespace.
 */
async function settled(family: string): Promise<void> {
  const WNOHANG = 1
  for (let tries = 0; tries < 400 && (children() !== family || processesInside().includes('\n')); tries++) {
    while (trySyscall('wait4', -1, 0, WNOHANG, 0) > 0);
    await sleep(2)
  }
}

function children(): string {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
}

function takeConsole(socket: ConsoleSocket): void {
  try {
    closeSync(socket.acceptDescriptor().descriptor)
  } catch {
    // it did not come so far
  }
}

test.run()
