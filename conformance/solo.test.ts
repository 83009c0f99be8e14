// The short way: an image that does runt's part as well. Each of its steps fails once, and what the front keeps is used only
// where it is right.

import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readHierarchies } from '../src/cgroup/hierarchy.ts'
import { planCgroup } from '../src/cgroup/manager.ts'
import { loadConfig } from '../src/config/load.ts'
import type { CreateOptions } from '../src/lifecycle/create.ts'
import { deleteContainer } from '../src/lifecycle/delete.ts'
import { soloImage } from '../src/lifecycle/solo.ts'
import { Store } from '../src/lifecycle/store.ts'
import { ERRNO } from '../src/linux/errno.ts'
import { withFile } from '../src/machine/testing/run.ts'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { FAULT_ID, faultOptions, leftovers, makeFaultBundle } from './fault-bundle.ts'
import { findRuntime } from './runtime.ts'

/** What a fake engine ends with: it is what an image becomes when it can't go on. */
const ENGINE_CALLED = 42

const reason = missingForTests()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`the short way (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-solo-`)
  const runtime = linkBuilt(`${folder}/runtime`)
  const ground = new Ground(findRuntime(runtime))
  await testFaults(folder, runtime)
  testKept(ground, runtime)
  testStandIn(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

async function testFaults(folder: string, runtime: string): Promise<void> {
  const work = `${folder}/faults`
  mkdirSync(work)
  const bundle = makeFaultBundle(work, { hooks: {} })
  const store = new Store(`${work}/state`)
  store.makeRoot()
  const engine = `${folder}/engine`
  writeFileSync(engine, `#!/bin/sh\n[ "$1" = --root ] && exec ${runtime}-engine "$@"\nexit ${ENGINE_CALLED}\n`)
  chmodSync(engine, 0o755)
  const config = await loadConfig(bundle)
  const hierarchies = readHierarchies()
  const planned = planCgroup(hierarchies, `/${FAULT_ID}`)
  const build = (mode: CreateOptions['mode'], step?: number) => {
    const inject = step === undefined ? undefined : { step, errno: ERRNO.EXDEV }
    const options = { ...faultOptions(bundle, inject), mode }
    const solo = soloImage(
      store,
      options,
      { config, terminal: undefined, hierarchies, planned, filter: undefined },
      engine,
    )
    if (solo === undefined) throw new Error('the bundle is not plain')
    return solo
  }

  for (const mode of ['run-foreground', 'create'] as const) {
    test(`a fault in any step of ${mode} is the engine's to tell, and nothing is left`, async () => {
      const { plan } = build(mode)
      const before = leftovers(work)
      const began = plan.steps.findIndex((step) => step.op === 'syscall' && step.name === 'rt_sigtimedwait') - 5
      const called = { engine: 0, nobody: 0 }
      for (const [index, step] of plan.steps.entries()) {
        if (step.op !== 'syscall') continue
        const status = withFile(
          build(mode, index).image.bytes,
          (path) => spawnSync(path, ['words'], { stdio: 'ignore', timeout: 3000, killSignal: 'SIGKILL' }).status,
        )
        const where = `step ${index} (${step.name} ${step.origin})`
        if (status === ENGINE_CALLED) called.engine++
        else {
          called.nobody++
          // The step is not on the way taken, or it comes after the program began: there is a container then.
          assert.ok(status === 0 || index > began, `${where}: status ${status}`)
          if (mode === 'create' || status !== 0) await deleteContainer(store, FAULT_ID, { force: true })
        }
        assert.equal(leftovers(work), before, `left by a fault in ${where}`)
      }
      assert.ok(called.engine > 200, `${called.engine} steps called the engine, ${called.nobody} did not`)
    })
  }
}

function keptFiles(box: Box): string[] {
  const folder = `${box.stateRoot}/@images`
  return existsSync(folder) ? readdirSync(folder).map((name) => `${folder}/${name}`) : []
}

function testKept(ground: Ground, runtime: string): void {
  /** Whether this call was answered without the engine: one that can't be executed tells. */
  const withoutEngine = (box: Box, words: readonly string[], env: NodeJS.ProcessEnv = process.env) => {
    const engine = `${runtime}-engine`
    chmodSync(engine, 0o644)
    try {
      return spawnSync(runtime, ['--root', box.stateRoot, ...words], { encoding: 'utf8', env, cwd: box.folder })
    } finally {
      chmodSync(engine, 0o755)
    }
  }
  const prepared = async (box: Box): Promise<string[]> => {
    box.configure({ '/process/args': ['sh', '-c', 'echo said; exit 3'] })
    const words = ['run', '--bundle', box.bundle, box.id]
    const first = await box.command(words, { cwd: box.folder })
    assert.equal([first.stdout, first.status], ['said\n', 3])
    return words
  }

  test('a call that is made again needs no engine', async () => {
    await using box = new Box(ground)
    const words = await prepared(box)
    for (let time = 0; time < 3; time++) {
      const { status, stdout, stderr } = withoutEngine(box, words)
      assert.equal({ status, stdout, stderr }, { status: 3, stdout: 'said\n', stderr: '' })
      box.assertNothingLeft()
    }
  })

  const changes: Readonly<Record<string, (box: Box) => void>> = {
    'the config': (box) => box.configure({ '/process/args': ['sh', '-c', 'echo else; exit 3'] }),
    'a byte of the config': (box) => {
      const file = `${box.bundle}/config.json`
      writeFileSync(file, readFileSync(file, 'utf8').replace('echo said', 'echo sold'))
    },
    "the image's users": (box) => {
      mkdirSync(`${box.rootfs}/etc`, { recursive: true })
      writeFileSync(`${box.rootfs}/etc/passwd`, 'root:x:0:0::/elsewhere:/bin/sh\n')
    },
    'the owner of what was kept': (box) => chownSync(keptFiles(box)[0] ?? '', 1000, 0),
    'who may write to what was kept': (box) => chmodSync(keptFiles(box)[0] ?? '', 0o722),
    'what was kept, into something else': (box) => writeFileSync(keptFiles(box)[0] ?? '', '\x7fELF'.padEnd(4000, 'x')),
    'the engine': () => utimesSync(`${runtime}-engine`, new Date(), new Date()),
  }
  for (const [what, change] of Object.entries(changes)) {
    test(`it does after a change of ${what}`, async () => {
      await using box = new Box(ground)
      const words = await prepared(box)
      assert.is(withoutEngine(box, words).status, 3)
      change(box)
      assert.match(withoutEngine(box, words).stderr, /runt-engine can't be executed/)
    })
  }

  test('it does for other words, another folder, handed-on sockets and other limits', async () => {
    await using box = new Box(ground)
    const words = await prepared(box)
    const others = [
      [...words.slice(0, -1), `${box.id}x`],
      ['run', '--keep', ...words.slice(1)],
      ['run', '--bundle', '.', box.id],
      words.slice(0, -1),
    ]
    for (const other of others) assert.match(withoutEngine(box, other).stderr, /runt-engine can't/)
    assert.match(withoutEngine(box, words, { ...process.env, LISTEN_FDS: '1' }).stderr, /runt-engine can't/)
    const limited = ['-c', `ulimit -Sn 77; exec "$0" "$@"`, runtime, '--root', box.stateRoot, ...words]
    chmodSync(`${runtime}-engine`, 0o644)
    assert.match(spawnSync('sh', limited, { encoding: 'utf8', cwd: box.folder }).stderr, /runt-engine can't/)
    const elsewhere = spawnSync(runtime, ['--root', box.stateRoot, ...words], { encoding: 'utf8', cwd: '/' })
    chmodSync(`${runtime}-engine`, 0o755)
    assert.match(elsewhere.stderr, /runt-engine can't/)
  })

  test('what was kept and can not be had any more is told as ever', async () => {
    await using box = new Box(ground)
    const words = await prepared(box)
    rmSync(`${box.rootfs}/bin/sh`)
    const { status, stderr } = await box.command(words, { cwd: box.folder })
    assert.is(status, 1)
    assert.match(stderr, /exec: "sh": executable file not found in \$PATH/)
    box.assertNothingLeft()
  })

  test('what is kept is bounded', async () => {
    await using box = new Box(ground)
    box.configure({ '/process/args': ['true'] })
    for (let each = 0; each < 70; each++) {
      const words = ['--root', box.stateRoot, 'run', '--bundle', box.bundle, `${box.id}${'a'.repeat(each)}`]
      assert.is(spawnSync(runtime, words).status, 0)
    }
    assert.ok(keptFiles(box).length <= 64)
  })
}

function testStandIn(ground: Ground): void {
  test('while it runs, it is on record, with the time and the process', async () => {
    await using box = new Box(ground)
    box.configure({ '/process/args': ['sleep', '60'] })
    const [program = '', ...flags] = box.runtime.command
    const began = Date.now()
    const child = spawn(program, [...flags, '--root', box.stateRoot, 'run', '--bundle', box.bundle, box.id])
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
    while (!existsSync(`${box.stateRoot}/${box.id}/init`)) await new Promise((resolve) => setTimeout(resolve, 5))
    const state = await box.waitForStatus('running')
    const created = Date.parse(`${state.created}`)
    assert.ok(created >= began - 1000 && created <= Date.now(), `${state.created}`)
    assert.is(readFileSync(`/proc/${state.pid}/comm`, 'utf8').trim(), 'sleep')
    assert.match(readFileSync(`/proc/${child.pid}/status`, 'utf8'), /VmRSS:\s+\d{1,3} kB/)
    child.kill('SIGTERM') // sleep is pid 1 and doesn't hear it
    succeeded(await box.command(['kill', box.id, 'KILL']))
    assert.is(await ended, 137)
    box.assertNothingLeft()
  })

  test('one that was deleted while it ran is not deleted twice', async () => {
    await using box = new Box(ground)
    box.configure({ '/process/args': ['sleep', '60'] })
    const [program = '', ...flags] = box.runtime.command
    const child = spawn(program, [...flags, '--root', box.stateRoot, 'run', '--bundle', box.bundle, box.id])
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
    while (!existsSync(`${box.stateRoot}/${box.id}/init`)) await new Promise((resolve) => setTimeout(resolve, 5))
    succeeded(await box.command(['delete', '--force', box.id]))
    assert.is(await ended, 137)
    box.assertNothingLeft()
  })

  test('a cgroup of its own making goes with it', async () => {
    await using box = new Box(ground)
    const script = 'for g in /sys/fs/cgroup/*/; do mkdir $g/inner; done; echo made'
    const mount = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['rw'] }
    const sys = { destination: '/sys', type: 'sysfs', source: 'sysfs' }
    const result = await box.run({ '/process/args': ['sh', '-c', script], '/mounts/-': sys, '/mounts/+': mount })
    assert.is(result.status, 0, result.stderr)
    box.assertNothingLeft()
  })
}

test.run()
