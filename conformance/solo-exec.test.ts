// exec by the short way: an image that adds a process by itself. Each of its steps fails once, and what the front keeps is used
// only for the container and the call that it was made for.

import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createContainer } from '../src/lifecycle/create.ts'
import { deleteContainer } from '../src/lifecycle/delete.ts'
import { prepareExec } from '../src/lifecycle/exec.ts'
import { soloExecImage } from '../src/lifecycle/solo-exec.ts'
import { statusOf } from '../src/lifecycle/status.ts'
import { Store } from '../src/lifecycle/store.ts'
import { ERRNO } from '../src/linux/errno.ts'
import { withFile } from '../src/machine/testing/run.ts'
import { Box, bindFolder, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import type { Edits } from './bundle.ts'
import {
  FAULT_ID,
  faultExecOptions,
  faultOptions,
  leftovers,
  makeFaultBundle,
  processesInside,
} from './fault-bundle.ts'
import { findRuntime } from './runtime.ts'

/** What a fake engine ends with: it is what an image becomes when it can't go on. */
const ENGINE_CALLED = 42
/** Where the engine can't be executed, the front says so, and an image has nothing to say. */
const NO_ENGINE = 1
const PATIENCE_MS = 5000

const reason = missingForTests()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`the short way of exec (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-solo-exec-`)
  const runtime = linkBuilt(`${folder}/runtime`)
  const ground = new Ground(findRuntime(runtime))
  testFaults(folder)
  testKept(ground, runtime)
  testEngines(ground, runtime)
  testFallBack(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function testFaults(folder: string): void {
  const work = `${folder}/faults`
  mkdirSync(work)
  const bundle = makeFaultBundle(work, { hooks: {} })
  const store = new Store(`${work}/state`)
  const engine = `${folder}/engine`
  // It also tells where its own children would be.
  writeFileSync(
    engine,
    `#!/bin/sh\n[ "$(readlink /proc/$$/ns/pid)" = "$(readlink /proc/$$/ns/pid_for_children)" ] && exit ${ENGINE_CALLED}\n`,
  )
  chmodSync(engine, 0o755)
  for (const detach of [false, true]) {
    test(`a fault in any step is the engine's to tell, and the container is as before (${detach ? 'detached' : 'in the foreground'})`, async () => {
      await createContainer(store, faultOptions(bundle, undefined))
      const container = store.load(FAULT_ID)
      const options = faultExecOptions({ detach, supervised: false, pidFile: detach ? `${work}/pid` : undefined })
      const prepared = await prepareExec(container, options)
      const build = (step?: number) => {
        const inject = step === undefined ? {} : { inject: { step, errno: ERRNO.EXDEV } }
        const solo = soloExecImage(container, { ...options, ...inject }, prepared, engine, detach ? 0 : undefined)
        if (solo === undefined) throw new Error('it is not plain')
        return solo
      }
      const { plan } = build()
      const waits = plan.steps.findIndex((step) => step.op === 'syscall' && step.name === 'rt_sigtimedwait')
      const began = detach ? plan.steps.length : waits - 4
      const before = { ...leftovers(work), inside: processesInside() }
      let called = 0
      for (const [index, step] of plan.steps.entries()) {
        if (step.op !== 'syscall') continue
        const { status } = withFile(build(index).image.bytes, (path) =>
          spawnSync(path, ['words', `${work}/pid`], { stdio: 'ignore', timeout: 3000, killSignal: 'SIGKILL' }),
        )
        const where = `step ${index} (${step.name} ${step.origin})`
        if (status === ENGINE_CALLED) called++
        // The step is not on the way taken, or it comes after the program began.
        else assert.ok(status === 0 || index > began, `${where}: status ${status}`)
        rmSync(`${work}/pid`, { force: true })
        assert.not.ok(existsSync(`${work}/pid.tmp`), where)
        await alone()
        assert.equal({ ...leftovers(work), inside: processesInside() }, before, `left by a fault in ${where}`)
        assert.is(statusOf(store, container), 'created')
      }
      assert.ok(called > 60, `only ${called} steps called the engine`)
      await deleteContainer(store, FAULT_ID, { force: true })
    })
  }
  // Of a test that failed, and is to be told rather than this.
  test.after(() => deleteContainer(store, FAULT_ID, { force: true }).catch(console.error))
}

/** Until init is all by itself: a program that was executed ends soon. */
async function alone(): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; processesInside().includes('\n') && Date.now() < deadline; )
    await sleep(2)
}

type Answer = Readonly<Record<'status' | 'stdout' | 'stderr', unknown>>

/** A call that can't have the engine. */
function withoutEngine(runtime: string, box: Box, words: readonly string[]): Answer {
  const engine = `${runtime}-engine`
  chmodSync(engine, 0o644)
  try {
    const options = { encoding: 'utf8', cwd: box.folder, timeout: 10_000 } as const
    const { status, stdout, stderr } = spawnSync(runtime, ['--root', box.stateRoot, ...words], options)
    return { status, stdout, stderr }
  } finally {
    chmodSync(engine, 0o755)
  }
}

const IDLE = 'exec sleep 100'
const SAID = { status: 3, stdout: 'said /root\n', stderr: '' }

async function prepared(box: Box, edits: Edits = {}): Promise<string[]> {
  await box.launch(IDLE, edits)
  const words = ['exec', box.id, 'sh', '-c', 'echo said $HOME; exit 3']
  const { status, stdout, stderr } = await box.command(words, { cwd: box.folder })
  assert.equal({ status, stdout, stderr }, SAID)
  return words
}

function testKept(ground: Ground, runtime: string): void {
  test('an exec that is made again needs no engine', async () => {
    await using box = new Box(ground)
    const words = await prepared(box)
    for (let time = 0; time < 3; time++) assert.equal(withoutEngine(runtime, box, words), SAID)
    assert.is(withoutEngine(runtime, box, [...words, 'more']).status, NO_ENGINE)
  })

  test('it is the same whatever the foreground is: streams, signals, a pid file', async () => {
    await using box = new Box(ground)
    await box.launch(IDLE)
    const script = `trap 'echo heard; exit 5' TERM; echo ready; while :; do sleep 0.02; done`
    const words = ['exec', '--pid-file', box.path('pid'), box.id, 'sh', '-c', script]
    for (let time = 0; time < 2; time++) {
      const child = spawn(runtime, ['--root', box.stateRoot, ...words], {
        stdio: ['ignore', 'pipe', 'inherit'],
        cwd: box.folder,
      })
      let said = ''
      const ended = new Promise((resolve) => child.on('exit', resolve))
      child.stdout.on('data', (chunk) => {
        said += chunk
        if (said === 'ready\n') child.kill('SIGTERM')
      })
      assert.is(await ended, 5)
      assert.is(said, 'ready\nheard\n')
      assert.match(readFileSync(box.path('pid'), 'utf8'), /^\d+$/)
      rmSync(box.path('pid'))
    }
  })

  const changes: Readonly<Record<string, (box: Box) => Promise<unknown> | unknown>> = {
    'another container of that name': async (box) => {
      await box.delete('--force')
      await box.launch(IDLE)
    },
    'a home that the container has changed': (box) =>
      writeFileSync(`${box.rootfs}/etc/passwd`, 'root:x:0:0::/elsewhere:/bin/sh\n'),
    'an update of its limits': (box) => box.command(['update', '--pids-limit', '77', box.id]),
    'a container that stands still': (box) => box.command(['pause', box.id]),
    'a container that has ended': async (box) => {
      await box.kill('KILL')
      await box.waitForStatus('stopped')
    },
  }
  for (const [what, change] of Object.entries(changes)) {
    test(`it does after ${what}`, async () => {
      await using box = new Box(ground)
      const words = await prepared(box)
      assert.equal(withoutEngine(runtime, box, words), SAID)
      await change(box)
      assert.is.not(withoutEngine(runtime, box, words).status, 3)
    })
  }

  test('what the engine says then is as ever', async () => {
    await using box = new Box(ground)
    const words = await prepared(box)
    writeFileSync(`${box.rootfs}/etc/passwd`, 'root:x:0:0::/elsewhere:/bin/sh\n')
    const elsewhere = await box.command(words, { cwd: box.folder })
    assert.equal([elsewhere.stdout, elsewhere.status], ['said /elsewhere\n', 3])
    succeeded(await box.command(['pause', box.id]))
    assert.match((await box.command(words, { cwd: box.folder })).stderr, /cannot exec in a paused container/)
  })
}

/** A process object, as containerd and Podman write one for each exec. */
function testEngines(ground: Ground, runtime: string): void {
  const asked = (box: Box, number: number, text: string): string[] => {
    const file = box.path(`process-${number}`)
    const process = { args: ['sh', '-c', `echo ${text} >>/data/said`], cwd: '/', env: ['PATH=/bin', 'HOME=/'] }
    writeFileSync(file, JSON.stringify({ ...process, user: { uid: 0, gid: 0 } }))
    return ['exec', '--process', file, '--detach', '--pid-file', box.path(`pid-${number}`), box.id]
  }
  const data = (box: Box) => ({
    '/mounts/-': bindFolder(box),
  })

  test('the files of an engine may have any name, if they say the same', async () => {
    await using box = new Box(ground)
    await box.launch(IDLE, data(box))
    succeeded(await box.command(asked(box, 0, 'one'), { cwd: box.folder }))
    for (const number of [1, 22, 333]) {
      assert.is(withoutEngine(runtime, box, asked(box, number, 'one')).status, 0)
      assert.match(readFileSync(box.path(`pid-${number}`), 'utf8'), /^\d+$/)
      assert.not.ok(existsSync(box.path(`pid-${number}.tmp`)))
    }
    assert.is(withoutEngine(runtime, box, asked(box, 4, 'two')).status, NO_ENGINE)
    while (readFileSync(box.path('said'), 'utf8').length < 4 * 'one\n'.length) await sleep(5)
    assert.is(readFileSync(box.path('said'), 'utf8'), 'one\n'.repeat(4))
  })

  test('a word of the command that looks like such a flag is a word', async () => {
    await using box = new Box(ground)
    await box.launch(IDLE)
    const words = (value: string) => ['exec', box.id, 'echo', '--pid-file', value]
    assert.is((await box.command(words('one'), { cwd: box.folder })).stdout, '--pid-file one\n')
    assert.is(withoutEngine(runtime, box, words('one')).stdout, '--pid-file one\n')
    assert.is(withoutEngine(runtime, box, words('two')).status, NO_ENGINE)
    assert.is((await box.command(words('two'), { cwd: box.folder })).stdout, '--pid-file two\n')
  })
}

function testFallBack(ground: Ground): void {
  test('what the image can not do, the engine tells, and nobody is left inside', async () => {
    await using box = new Box(ground)
    await box.launch(IDLE)
    const words = ['exec', '--pid-file', box.path('nowhere/pid'), box.id, 'sleep', '100']
    for (let time = 0; time < 2; time++) {
      const { status, stderr } = await box.command(words, { cwd: box.folder })
      assert.is(status, 255)
      assert.match(stderr, /nowhere\/pid.*ENOENT/)
      const { stdout } = await box.command(['ps', '--format', 'json', box.id])
      assert.is(JSON.parse(stdout).length, 1)
    }
    const missing = await box.command(['exec', box.id, '/nowhere'])
    assert.is(missing.status, 127)
  })
}

test.run()
