// exec by the short way: an image that adds a process by itself. Each of its steps fails once.

import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
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
import { PR } from '../src/linux/prctl.ts'
import { WALL } from '../src/linux/wait.ts'
import { withFile } from '../src/machine/testing/run.ts'
import { syscall, trySyscall } from '../src/native/syscall.ts'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
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
  testForeground(ground, runtime)
  testDetached(ground)
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
        const solo = soloExecImage(container, { ...options, ...inject }, prepared, engine)
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
          spawnSync(path, ['words'], { stdio: 'ignore', timeout: 3000, killSignal: 'SIGKILL' }),
        )
        const where = `step ${index} (${step.name} ${step.origin})`
        if (status === ENGINE_CALLED) called++
        // The step is not on the way taken, or it comes after the program began.
        else assert.ok(status === 0 || index > began, `${where}: status ${status}`)
        rmSync(`${work}/pid`, { force: true })
        assert.not.ok(existsSync(`${work}/pid.${FAULT_ID}.tmp`), where)
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

function testForeground(ground: Ground, runtime: string): void {
  test('whatever the foreground is, it is the same: streams, signals, a pid file', async () => {
    await using box = new Box(ground)
    await box.launch(IDLE)
    const script = `trap 'echo heard; exit 5' TERM; echo ready; while :; do sleep 0.02; done`
    const words = ['exec', '--pid-file', box.path('pid'), box.id, 'sh', '-c', script]
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
  })

  test('a home that the container has changed since the last call counts', async () => {
    await using box = new Box(ground)
    await box.launch(IDLE)
    mkdirSync(`${box.rootfs}/etc`, { recursive: true })
    for (const home of ['/one', '/two']) {
      writeFileSync(`${box.rootfs}/etc/passwd`, `root:x:0:0::${home}:/bin/sh\n`)
      utimesSync(`${box.rootfs}/etc/passwd`, 1, 1)
      const { stdout } = await box.command(['exec', box.id, 'sh', '-c', 'echo $HOME'])
      assert.is(stdout, `${home}\n`)
    }
    succeeded(await box.command(['pause', box.id]))
    assert.match((await box.command(['exec', box.id, 'true'])).stderr, /cannot exec in a paused container/)
  })

  test('a word of the command that looks like a flag is a word', async () => {
    await using box = new Box(ground)
    await box.launch(IDLE)
    for (const value of ['one', 'two']) {
      const { stdout } = await box.command(['exec', box.id, 'echo', '--pid-file', value])
      assert.is(stdout, `--pid-file ${value}\n`)
    }
  })
}

const IDLE = 'exec sleep 100'

/** As engines do, which are told of the end of the program by the kernel alone. */
function testDetached(ground: Ground): void {
  test('who inherits a detached process gets its exit status, however soon it ends', async () => {
    await using box = new Box(ground)
    await box.launch(IDLE)
    syscall('prctl', PR.SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try {
      for (let round = 0; round < 40; round++) {
        const flags = round % 2 === 0 ? [] : ['--supervised']
        const words = ['exec', '--detach', '--pid-file', box.path('pid'), box.id, 'sh', '-c', 'exit 7']
        succeeded(await box.command([...flags, ...words]))
        const pid = Number(readFileSync(box.path('pid'), 'utf8'))
        const status = new Uint8Array(4)
        assert.is(trySyscall('wait4', pid, status, WALL, 0), pid, `round ${round}`)
        assert.equal([...status], [0, 7, 0, 0])
      }
    } finally {
      syscall('prctl', PR.SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    }
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
    assert.is(missing.status, 255)
  })
}

test.run()
