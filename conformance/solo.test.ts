// The short way: an image that does runt's part as well. Each of its steps fails once, and each call finds what is there then.

import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { planCgroup } from '../src/cgroup/cgroup.ts'
import { readHierarchies } from '../src/cgroup/hierarchy.ts'
import { loadConfig } from '../src/config/load.ts'
import type { CreateOptions } from '../src/lifecycle/create.ts'
import { deleteContainer } from '../src/lifecycle/delete.ts'
import { soloImage } from '../src/lifecycle/solo.ts'
import { Store } from '../src/lifecycle/store.ts'
import { ERRNO } from '../src/linux/errno.ts'
import { withFile } from '../src/machine/testing/run.ts'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import type { Edits } from './bundle.ts'
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
  testAgain(ground)
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

/** Nothing of a call is kept for the next one: each finds what is there then. */
function testAgain(ground: Ground): void {
  const changes: Readonly<Record<string, { readonly edits: Edits; change(box: Box): void; readonly said: string }>> = {
    'a word that begins with a control character': {
      edits: { '/process/args': ['echo', '\x01'] },
      change: (box) => box.configure({ '/process/args': ['echo', '\x01else'] }),
      said: '\x01else\n',
    },
    'where a link of the image leads': {
      edits: {
        '/process/args': ['cat', '/two/file'],
        '/mounts/-': { destination: '/link', type: 'bind', source: 'SOURCE', options: ['bind'] },
      },
      change(box) {
        unlinkSync(`${box.rootfs}/link`)
        symlinkSync('/two', `${box.rootfs}/link`)
      },
      said: 'of the source\n',
    },
    "the image's users, with the same size and time": {
      edits: { '/process/args': ['sh', '-c', 'echo $HOME'] },
      change: (box) => writeUsers(box, '/two'),
      said: '/two\n',
    },
    'a bind source, from a folder to a file': {
      edits: {
        '/process/args': ['sh', '-c', 'cat /target 2>&1'],
        '/mounts/-': { destination: '/target', type: 'bind', source: 'SOURCE', options: ['bind'] },
      },
      change(box) {
        rmSync(box.path('source'), { recursive: true })
        rmSync(`${box.rootfs}/target`, { recursive: true })
        writeFileSync(box.path('source'), 'a file\n')
      },
      said: 'a file\n',
    },
  }
  for (const [what, { edits, change, said }] of Object.entries(changes)) {
    test(`what has changed since the last call counts: ${what}`, async () => {
      await using box = new Box(ground)
      mkdirSync(box.path('source'))
      writeFileSync(box.path('source/file'), 'of the source\n')
      for (const folder of ['one', 'two']) mkdirSync(`${box.rootfs}/${folder}`)
      symlinkSync('/one', `${box.rootfs}/link`)
      mkdirSync(`${box.rootfs}/etc`, { recursive: true })
      writeUsers(box, '/one')
      box.configure(JSON.parse(JSON.stringify(edits).replace('SOURCE', box.path('source'))))
      const words = ['run', '--bundle', box.bundle, box.id]
      for (let time = 0; time < 2; time++) assert.is.not((await box.command(words)).stdout, said)
      change(box)
      assert.is((await box.command(words)).stdout, said)
      box.assertNothingLeft()
    })
  }

  test('what can not be had any more is told, and nothing is left', async () => {
    await using box = new Box(ground)
    box.configure({ '/process/args': ['sh', '-c', 'echo said; exit 3'] })
    const words = ['run', '--bundle', box.bundle, box.id]
    const first = await box.command(words)
    assert.equal([first.stdout, first.status], ['said\n', 3])
    rmSync(`${box.rootfs}/bin/sh`)
    const { status, stderr } = await box.command(words)
    assert.is(status, 1)
    assert.match(stderr, /exec: "sh": executable file not found in \$PATH/)
    box.assertNothingLeft()
  })
}

/** An /etc/passwd that looks the same from outside, whatever the home is. */
function writeUsers(box: Box, home: string): void {
  const file = `${box.rootfs}/etc/passwd`
  writeFileSync(file, `root:x:0:0::${home}:/bin/sh\n`)
  utimesSync(file, 1, 1)
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
