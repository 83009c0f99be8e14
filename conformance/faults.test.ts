// Every step of a typical create fails once: the message names it, and nothing is left of the container.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
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
import { syscall } from '../src/native/syscall.ts'
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
    assert.ok((await failEach(work, store, bundle)) > 150)
  })

  test('a fault in any step of a mount that is filled, or shows other owners, is named, and nothing is left', async () => {
    const second = `${work}/mounts`
    mkdirSync(second)
    const list = [{ containerID: 0, hostID: 7, size: 9 }]
    const mounts = makeFaultBundle(second, {
      mounts: [
        { destination: '/data', type: 'tmpfs', options: ['tmpcopyup'] },
        { destination: '/mnt', source: '/usr', options: ['bind'], uidMappings: list, gidMappings: list },
      ],
      hooks: {},
    })
    fillFolder(`${mounts}/rootfs/data`)
    assert.ok((await failEach(second, new Store(`${second}/state`), mounts, '/mounts/')) > 50)
  })

  const startFailure = async (): Promise<string> => {
    try {
      await startContainer(store, FAULT_ID)
    } catch (error) {
      return error instanceof Error ? error.message : `${error}`
    }
    throw new Error('it was started')
  }

  test('a fault behind the gate is told to start', async () => {
    const before = leftovers(work)
    const gate = plan.gate ?? Number.POSITIVE_INFINITY
    const execve = plan.steps.findLastIndex((step) => step.op === 'syscall' && step.name === 'execve')
    assert.ok(execve > gate)
    await createContainer(store, faultOptions(bundle, { step: execve, errno: ERRNO.ENOEXEC }))
    assert.match(await startFailure(), /exec true: exec format error \(execve: ENOEXEC\)/)
    await deleteContainer(store, FAULT_ID, { force: false })
    const filter = plan.steps.findLastIndex((step) => step.op === 'syscall' && step.name === 'seccomp')
    assert.ok(filter > gate)
    await createContainer(store, faultOptions(bundle, { step: filter, errno: ERRNO.EACCES }))
    assert.match(await startFailure(), /linux\.seccomp: seccomp: EACCES/)
    await deleteContainer(store, FAULT_ID, { force: false })
    assert.equal(leftovers(work), before)
  })

  test.after(() => rmSync(work, { recursive: true, force: true }))
}

/** One of each kind that copying knows. */
function fillFolder(folder: string): void {
  mkdirSync(`${folder}/folder`, { recursive: true })
  writeFileSync(`${folder}/folder/file`, 'text')
  writeFileSync(`${folder}/file`, '')
  for (const path of [folder, `${folder}/folder`, `${folder}/file`]) {
    syscall('setxattr', path, 'trusted.note', new Uint8Array([1]), 1, 0)
  }
  symlinkSync('file', `${folder}/link`)
  spawnSync('mknod', [`${folder}/fifo`, 'p'])
}

/** Make each step fail once whose origin begins so. @returns how many failed */
async function failEach(work: string, store: Store, bundle: string, origin = ''): Promise<number> {
  const plan = await planOf(store, bundle)
  const before = leftovers(work)
  let failed = 0
  for (const [index, step] of plan.steps.entries()) {
    if (step.op !== 'syscall' || !step.origin.startsWith(origin)) continue
    const outcome = await createWithFault(store, bundle, index)
    if (outcome === undefined) checkUntouched(step, index, plan)
    else {
      failed++
      checkNamed(outcome, step, index)
    }
    assert.equal(leftovers(work), before, `left by a fault in step ${index} (${step.name} ${step.origin})`)
  }
  return failed
}

/** @returns the error of create; undefined when the step doesn't run, or runt goes on without it */
async function createWithFault(store: Store, bundle: string, step: number): Promise<RuntError | undefined> {
  try {
    await createContainer(store, faultOptions(bundle, { step, errno: ERRNO.EXDEV }))
  } catch (error) {
    if (error instanceof RuntError) return error
    throw error
  }
  await deleteContainer(store, FAULT_ID, { force: true })
  return undefined
}

test.run()
