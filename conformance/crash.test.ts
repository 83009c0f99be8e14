// runt is killed, or runs out of something, at any moment: `delete --force` then finds all that is left and removes it.

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { AT } from '../src/linux/open-flags.ts'
import { compile } from '../src/machine/codegen.ts'
import { draft, exit, finish } from '../src/machine/testing/plan.ts'
import { NATIVE } from '../src/machine/testing/run.ts'
import { callNative } from '../src/native/ffi.ts'
import { writeKnob } from '../src/native/file.ts'
import { syscall } from '../src/native/syscall.ts'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import type { Edits } from './bundle.ts'
import { PATIENCE } from './patience.ts'
import { execute, findRuntime, type Result } from './runtime.ts'

const PR_SET_CHILD_SUBREAPER = 36
const WNOHANG = 1
const PATIENCE_MS = 3000 * PATIENCE

const reason = missingForTests()

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`crashes (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-crash-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  // Processes that a killed runt leaves come to us, so that none is overlooked.
  callNative('prctl', PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
  testKills(ground)
  testRivals(ground)
  testDamage(ground)
  testShortage(ground)
  testMemory(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

/** Start a command of runt and end it with a signal after some milliseconds. */
async function interrupt(box: Box, args: readonly string[], delay: number, signal: NodeJS.Signals): Promise<void> {
  const [program = '', ...flags] = box.runtime.command
  const child = spawn(program, [...flags, '--root', box.stateRoot, ...args], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  await sleep(delay)
  child.kill(signal)
  await ended
}

async function assertRemovable(box: Box, when: string): Promise<void> {
  const { status, stderr } = await box.command(['delete', '--force', box.id])
  assert.is(status, 0, `${when}: ${stderr}`)
  box.assertNothingLeft()
  const deadline = Date.now() + PATIENCE_MS
  while (adopted().length > 0 && Date.now() < deadline) await sleep(5)
  assert.equal(adopted(), [], when)
}

/** Living children that we didn't start. No command of ours may run meanwhile. */
function adopted(): string[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  // 0: it has not ended yet
  return children.filter((pid) => (callNative('waitpid', Number(pid), 0, WNOHANG).value & 0xffffffffn) === 0n)
}

const FOREVER: Edits = { '/process/args': ['sleep', '60'] }

function testKills(ground: Ground): void {
  // What an engine needs to start, and then every moment of a create, in steps of less than a millisecond.
  const moments = Array.from({ length: 50 }, (_, index) => 8 + index * 0.7)

  test('create may be killed at any moment', async () => {
    for (const delay of moments) {
      await using box = new Box(ground)
      box.configure(FOREVER)
      await interrupt(box, ['create', '--bundle', box.bundle, box.id], delay, 'SIGKILL')
      await assertRemovable(box, `create, killed after ${delay} ms`)
    }
  })

  test('create may be killed in a hook', async () => {
    const hooks = ['prestart', 'createRuntime', 'createContainer']
    for (const hook of hooks) {
      for (const delay of [60, 90, 120]) {
        await using box = new Box(ground)
        box.configure({ ...FOREVER, [`/hooks/${hook}`]: [{ path: '/bin/busybox', args: ['sleep', '0.3'] }] })
        await interrupt(box, ['create', '--bundle', box.bundle, box.id], delay, 'SIGKILL')
        await assertRemovable(box, `create, killed after ${delay} ms in ${hook}`)
      }
    }
  })

  test('create may be interrupted politely, too', async () => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      for (let delay = 12; delay < 44; delay += 4) {
        await using box = new Box(ground)
        box.configure({ ...FOREVER, '/hooks/createRuntime': [{ path: '/bin/busybox', args: ['sleep', '0.01'] }] })
        await interrupt(box, ['create', '--bundle', box.bundle, box.id], delay, signal)
        await assertRemovable(box, `create, ${signal} after ${delay} ms`)
      }
    }
  })

  test('start may be killed, before and in its hook', async () => {
    for (const delay of [10, 15, 18, 20, 22, 24, 26, 30, 60, 100]) {
      await using box = new Box(ground)
      await box.create({ ...FOREVER, '/hooks/startContainer': [{ path: '/bin/busybox', args: ['sleep', '0.15'] }] })
      await interrupt(box, ['start', box.id], delay, 'SIGKILL')
      await assertRemovable(box, `start, killed after ${delay} ms`)
    }
  })

  test('a start that was killed has started the container or not, and says so', async () => {
    for (const delay of [16, 18, 20, 22, 24]) {
      await using box = new Box(ground)
      await box.create(FOREVER)
      await interrupt(box, ['start', box.id], delay, 'SIGKILL')
      await sleep(20)
      const { status } = await box.state()
      assert.ok(status === 'created' || status === 'running', status)
      if (status === 'created') await box.start()
      assert.is((await box.state()).status, 'running')
      await assertRemovable(box, `start, killed after ${delay} ms`)
    }
  })

  test('delete may be killed, and tried again', async () => {
    for (let delay = 14; delay < 40; delay += 1) {
      await using box = new Box(ground)
      await box.create(FOREVER)
      await interrupt(box, ['delete', '--force', box.id], delay, 'SIGKILL')
      await assertRemovable(box, `delete, killed after ${delay} ms`)
    }
  })

  test('run may be killed, before and while the program runs', async () => {
    for (const delay of [15, 20, 24, 28, 32, 36, 40, 60, 90]) {
      await using box = new Box(ground)
      box.configure(FOREVER)
      await interrupt(box, ['run', '--bundle', box.bundle, box.id], delay, 'SIGKILL')
      await assertRemovable(box, `run, killed after ${delay} ms`)
    }
  })
}

function testRivals(ground: Ground): void {
  test('of creates with the same id exactly one wins', async () => {
    for (let round = 0; round < 12; round++) {
      await using box = new Box(ground)
      box.configure(FOREVER)
      const create = ['create', '--bundle', box.bundle, box.id]
      const results = await Promise.all([create, create, create].map((args) => box.command(args)))
      assert.is(results.filter(({ status }) => status === 0).length, 1, JSON.stringify(results))
      for (const { status, stderr } of results) if (status !== 0) assert.match(stderr, /already exists/)
      assert.is((await box.state()).status, 'created')
      await assertRemovable(box, 'three creates')
    }
  })

  test('commands on the same container at the same time fail at most in the words that engines know', async () => {
    const known = /does not exist|not running|cannot (start|delete)|already exists/
    for (let round = 0; round < 8; round++) {
      await using box = new Box(ground)
      await box.create(FOREVER)
      const { id } = box
      const commands = [
        ['start', id],
        ['state', id],
        ['delete', '--force', id],
        ['list'],
        ['kill', id, 'KILL'],
        ['delete', id],
        ['start', id],
        ['list', '--format', 'json'],
        ['create', '--bundle', box.bundle, id],
      ]
      const shuffled = [...commands.slice(round), ...commands.slice(0, round)]
      const results = await Promise.all(shuffled.map((args) => box.command(args)))
      results.forEach(({ status, stderr }, index) => {
        const what = `${shuffled[index]?.join(' ')}: ${status} ${stderr}`
        assert.ok(status === 0 || (status === 1 && known.test(stderr)), what)
        if (shuffled[index]?.[0] === 'list') assert.is(status, 0, what)
      })
      await assertRemovable(box, 'many commands')
    }
  })
}

function testDamage(ground: Ground): void {
  test('a record that is damaged hides no other container, and can be removed', async () => {
    for (const text of ['', '{', 'null', '[]', '{"version":1}', '\0\0\0\0']) {
      await using box = new Box(ground)
      await box.create(FOREVER)
      const broken = `${box.stateRoot}/broken`
      mkdirSync(broken)
      writeFileSync(`${broken}/state.json`, text)
      assert.is(succeeded(await box.command(['list', '-q'])).stdout, `${box.id}\n`, JSON.stringify(text))
      for (const command of [['state'], ['start'], ['kill'], ['delete']]) {
        const { status, stderr } = await box.command([...command, 'broken'])
        assert.is(status, 1, `${command} with ${JSON.stringify(text)}`)
        assert.match(stderr, /broken\/state.json/, `${command} with ${JSON.stringify(text)}`)
      }
      succeeded(await box.command(['delete', '--force', 'broken']))
      await assertRemovable(box, 'a damaged neighbour')
    }
  })

  const LONG = 'x'.repeat(255)

  test('whatever a container has made in its cgroup goes with it', async () => {
    for (const [what, make] of [
      ['folders deeper than a path', (folder) => nest(folder, LONG, 40)],
      ['folders deeper than descriptors can be had', (folder) => nest(folder, 'd', 1200)],
      ['many folders', (folder) => Array.from({ length: 300 }, (_, index) => mkdirSync(`${folder}/${index}`))],
      [
        'names of any bytes',
        (folder) =>
          ['\xff', '\xef\xbb\xbf', ' ', '\\'].map((name) => mkdirSync(Buffer.from(`${folder}/${name}`, 'latin1'))),
      ],
    ] as readonly (readonly [string, (folder: string) => unknown])[]) {
      await using box = new Box(ground)
      await box.create(FOREVER)
      for (const folder of box.cgroupFolders()) make(folder)
      await assertRemovable(box, what)
    }
  })

  test('a process far down in a cgroup is found, and ends', async () => {
    await using box = new Box(ground)
    await box.create(FOREVER)
    using child = childProcess()
    // A new cpuset has no CPUs.
    for (const folder of box.cgroupFolders().filter((each) => !each.includes('cpuset')))
      nest(folder, LONG, 20, () => writeKnob('cgroup.procs', `${child.pid}`))
    await assertRemovable(box, 'a process far down')
    assert.is(await child.ended, 'SIGKILL')
  })

  test('whatever lies in the folder of a container goes with it', async () => {
    for (const phase of ['created', 'killed'] as const) {
      await using box = new Box(ground)
      box.configure(FOREVER)
      if (phase === 'created') await box.create(FOREVER)
      else await interrupt(box, ['create', '--bundle', box.bundle, box.id], 25, 'SIGKILL')
      const folder = `${box.stateRoot}/${box.id}`
      mkdirSync(`${folder}/folder/deep/deeper`, { recursive: true })
      mkdirSync(Buffer.from(`${folder}/\xff`, 'latin1'))
      writeFileSync(Buffer.from(`${folder}/\xff/\xfe`, 'latin1'), '')
      symlinkSync('/etc', `${folder}/link`)
      symlinkSync('nowhere', `${folder}/folder/link`)
      assert.is(spawnSync('mkfifo', [`${folder}/fifo`]).status, 0)
      await assertRemovable(box, `odd files, ${phase}`)
    }
  })
}

/** Make folders in one another. @param last is done in the innermost, which no path leads to */
function nest(folder: string, name: string, depth: number, last: () => void = () => {}): void {
  const home = process.cwd()
  try {
    syscall('chdir', folder)
    for (let made = 0; made < depth; made++) {
      syscall('mkdirat', AT.FDCWD, name, 0o755)
      syscall('chdir', name)
    }
    last()
  } finally {
    syscall('chdir', home)
  }
}

interface ChildProcess extends Disposable {
  readonly pid: number
  readonly ended: Promise<NodeJS.Signals | null>
}

function childProcess(): ChildProcess {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' })
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on('exit', (_, signal) => resolve(signal)))
  return { pid: child.pid ?? 0, ended, [Symbol.dispose]: () => child.kill('SIGKILL') }
}

function testShortage(ground: Ground): void {
  /** With a state root that is a file system of its own, which nobody else sees. */
  async function onTmpfs(box: Box, options: string, script: string): Promise<Result> {
    mkdirSync(box.stateRoot)
    box.configure(FOREVER)
    const text = `mount -t tmpfs -o ${options} state ${box.stateRoot} || exit 99
      runt() { ${box.runtime.command.join(' ')} --root ${box.stateRoot} "$@"; }
      ${script}`
    return execute(['unshare', '-m', 'sh', '-c', text], box.path('output'))
  }

  test('a full state root is told, and nothing is left', async () => {
    for (const options of [
      'size=4k',
      'nr_inodes=1',
      'nr_inodes=2',
      'nr_inodes=3',
      'nr_inodes=4',
      'nr_inodes=5',
      'nr_inodes=6',
    ]) {
      await using box = new Box(ground)
      const fill = options.startsWith('size') ? `head -c 4096 /dev/zero > ${box.stateRoot}/.full;` : ''
      const script = `${fill} runt create --bundle ${box.bundle} ${box.id}; echo status $?
        ls ${box.stateRoot}; runt delete --force ${box.id}; echo status $?; ls ${box.stateRoot}`
      const { stdout, stderr } = await onTmpfs(box, options, script)
      if (stdout === `status 0\n${box.id}\nstatus 0\n`) continue // room enough
      assert.is(stdout, 'status 1\nstatus 0\n', `${options}: ${stderr}`)
      assert.match(stderr, /ENOSPC/, options)
      assert.ok(stderr.includes(box.stateRoot), `${options}: ${stderr}`)
      box.assertNothingLeft()
    }
  })

  test('a config that the disk has no room for is not left in part', async () => {
    await using box = new Box(ground)
    const folder = box.stateRoot
    const script = `head -c 4096 /dev/zero > ${folder}/.full; runt spec --bundle ${folder}; echo status $?; ls ${folder}`
    const { stdout, stderr } = await onTmpfs(box, 'size=4k', script)
    assert.is(stdout, 'status 1\n')
    assert.ok(stderr.includes(`write ${folder}/config.json: ENOSPC`), stderr)
  })

  test('a read-only state root is told', async () => {
    await using box = new Box(ground)
    const script = `runt create --bundle ${box.bundle} ${box.id}; echo status $?; runt list -q; echo status $?
      runt delete --force ${box.id}; echo status $?; runt state ${box.id}; echo status $?`
    const { stdout, stderr } = await onTmpfs(box, 'ro', script)
    assert.is(stdout, 'status 1\nstatus 0\nstatus 0\nstatus 1\n', stderr)
    assert.match(stderr, /EROFS[\s\S]*does not exist/)
    box.assertNothingLeft()
  })

  test('few descriptors are enough, and too few are told', async () => {
    for (const limit of [256, 64, 48, 32, 28, 24, 20]) {
      await using box = new Box(ground)
      box.configure({ '/process/rlimits': undefined, '/process/args': ['sh', '-c', 'ulimit -n'] })
      const [program = ''] = box.runtime.command
      const script = `ulimit -n ${limit}; exec ${program} --root ${box.stateRoot} run --bundle ${box.bundle} ${box.id}`
      const { status, stdout, stderr } = await execute(['sh', '-c', script], box.path('output'))
      if (limit >= 64) assert.is(status, 0, stderr)
      if (status === 0) assert.is(stdout.trim(), `${limit}`)
      else assert.is.not(stderr.trim(), '', `${limit} descriptors`)
      await assertRemovable(box, `${limit} descriptors`)
    }
  })
}

/** More than a page table, a stack and 200 KiB of shared memory, and much less than any engine. */
const LOW_MEMORY = 524_288
const GATE_KB = 300

function testMemory(ground: Ground): void {
  test('a container of 512 KiB starts and runs a program that fits', async () => {
    await using box = new Box(ground)
    const plan = draft()
    exit(plan, 0)
    const image = compile(finish(plan), NATIVE.target).bytes
    writeFileSync(`${box.rootfs}/bin/probe`, image, { mode: 0o755 })
    const edits = { '/linux/resources/memory': { limit: LOW_MEMORY }, '/process/args': ['probe'] }
    for (let round = 0; round < 5; round++) succeeded(await box.run(edits))
    await box.create(edits)
    await box.start()
    await box.waitForStatus('stopped')
    await box.delete()
  })

  test('init needs little memory while it waits', async () => {
    await using box = new Box(ground)
    await box.create(FOREVER)
    const { pid } = await box.state()
    const resident = Number(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Rss:\s+(\d+) kB$/m)?.[1])
    assert.ok(resident > 0 && resident <= GATE_KB, `${resident} KB`)
    await assertRemovable(box, 'a look at its memory')
  })
}

test.run()
