// The front without its engine: what it answers by itself, and what it leaves to the engine, natively and as the other
// machine's program under its emulator.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lowerFront } from '../src/front/front.ts'
import { parseEnvironment } from '../src/linux/environment.ts'
import { compile } from '../src/machine/codegen.ts'
import { MACHINES, type Machine } from '../src/machine/testing/run.ts'
import { CARD } from '../src/plan/card.ts'
import { REPORT, REPORT_FAILED } from '../src/plan/step.ts'
import { Box, failed, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { findRuntime } from './runtime.ts'

const NO_ENGINE = /runt-engine can't be executed/
/** Where no engine is installed. */
const NOWHERE = '/nonexistent/lib/runt'

test('the front is a plan that holds, and stays small', () => {
  const plan = lowerFront(NOWHERE)
  for (const { target, name } of MACHINES) assert.ok(compile(plan, target).bytes.length < 24_000, name)
})

interface Answer {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

type Front = (...words: string[]) => Answer

const reason = missingForTests()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`the front with containers (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-front-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  for (const machine of MACHINES) testMachine(ground, machine.name, alone(machine, folder))
  testEngine(ground)
  testFailure(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

/** The front in a folder without an engine. */
function alone({ name, target, emulator }: Machine, folder: string): Front {
  mkdirSync(`${folder}/${name}`)
  const file = `${folder}/${name}/runt`
  writeFileSync(file, compile(lowerFront(NOWHERE), target).bytes)
  chmodSync(file, 0o755)
  const command = emulator === '' ? [file] : [emulator, file]
  return (...words) => {
    const [program = '', ...args] = [...command, ...words]
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 })
    return { status, stdout, stderr }
  }
}

function testMachine(ground: Ground, name: string, front: Front): void {
  test(`state, start, delete on ${name} need no engine`, async () => {
    await using box = new Box(ground)
    const root = ['--root', box.stateRoot]
    await box.create({
      '/process/args': ['sleep', '60'],
      '/annotations': { 'a"b': '\n  "status": "x"' },
    })
    for (const status of ['created', 'running']) {
      const told = front(...root, 'state', box.id)
      assert.is(told.status, 0, told.stderr)
      const state = JSON.parse(told.stdout)
      assert.is(state.status, status)
      assert.equal(state, JSON.parse(succeeded(await box.command(['state', box.id])).stdout))
      if (status === 'created')
        assert.equal(front(`--root=${box.stateRoot}`, 'start', box.id), { status: 0, stdout: '', stderr: '' })
    }
  })

  test(`on ${name} it deletes what has stopped, and nothing else`, async () => {
    await using box = new Box(ground)
    const root = ['--root', box.stateRoot, '--log', '/dev/null', '--log-format=json', '--systemd-cgroup']
    await box.create({ '/process/args': ['sh', '-c', 'exit 3'] })
    for (const flags of [[], ['--force'], ['-f']])
      assert.match(front(...root, 'delete', ...flags, box.id).stderr, NO_ENGINE)
    assert.is(front(...root, 'start', box.id).status, 0)
    await box.waitForStatus('stopped')
    await reaped(box)
    const told = JSON.parse(front(...root, 'state', box.id).stdout)
    assert.equal([told.status, told.pid], ['stopped', 0])
    // How it ended is for the engine to tell.
    writeFileSync(`${box.stateRoot}/${box.id}/exit`, Buffer.alloc(4))
    assert.match(front(...root, 'state', box.id).stderr, NO_ENGINE)
    assert.match(front(...root, 'start', box.id).stderr, NO_ENGINE)
    assert.equal(front(...root, 'delete', '--force', box.id), { status: 0, stdout: '', stderr: '' })
    assert.equal(box.records(), [])
    box.assertNothingLeft()
  })

  test(`on ${name} it leaves everything else to the engine`, async () => {
    await using box = new Box(ground)
    const root = ['--root', box.stateRoot]
    await box.create({ '/process/args': ['sleep', '60'] })
    const others: readonly (readonly string[])[] = [
      [],
      ['--root'],
      [...root],
      [...root, 'state'],
      [...root, 'state', '--help'],
      [...root, 'state', box.id, 'more'],
      [...root, 'state', 'nobody'],
      [...root, 'state', `./${box.id}`],
      [...root, 'state', '..'],
      [...root, 'state', ''],
      [...root, 'start', '--help'],
      [...root, 'delete', '--forced', box.id],
      [...root, '--debug', 'state', box.id],
      [...root, '--rooted', 'state', box.id],
      [...root, 'statement', box.id],
      [...root, 'kill', box.id],
      ['--version'],
      ['--root', `/${'x'.repeat(4200)}`, 'state', box.id],
      ['--root', box.stateRoot, 'state', 'y'.repeat(5000)],
    ]
    for (const words of others) {
      const { status, stdout, stderr } = front(...words)
      assert.is(status, 1, words.join(' '))
      assert.match(stderr, NO_ENGINE)
      assert.is(stdout, '')
    }
    unlinkSync(`${box.stateRoot}/${box.id}/card`)
    assert.match(front(...root, 'state', box.id).stderr, NO_ENGINE)
    for (const card of ['', 'rnt1', 'x'.repeat(600)]) {
      writeFileSync(`${box.stateRoot}/${box.id}/card`, card)
      assert.match(front(...root, 'state', box.id).stderr, NO_ENGINE)
    }
  })

  test(`on ${name} nothing in a state root that another could have written is believed`, async () => {
    await using box = new Box(ground)
    await box.create({ '/process/args': ['sleep', '60'] })
    const folder = `${box.stateRoot}/${box.id}`
    for (const path of [box.stateRoot, folder, `${folder}/card`]) {
      const { mode } = statSync(path)
      const ask = () => front('--root', box.stateRoot, 'state', box.id)
      assert.is(ask().status, 0)
      chownSync(path, 1, 1)
      assert.match(ask().stderr, NO_ENGINE, `${path} of another`)
      chownSync(path, 0, 0)
      for (const others of [0o020, 0o002]) {
        chmodSync(path, mode | others)
        assert.match(ask().stderr, NO_ENGINE, `${path}, written by others`)
      }
      chmodSync(path, mode)
    }
    chmodSync(box.stateRoot, 0o1777)
    assert.is(front('--root', box.stateRoot, 'state', box.id).status, 0, 'the sticky bit')
    const card = readFileSync(`${folder}/card`)
    unlinkSync(`${folder}/card`)
    assert.is(spawnSync('mkfifo', [`${folder}/card`]).status, 0)
    assert.match(front('--root', box.stateRoot, 'state', box.id).stderr, NO_ENGINE)
    unlinkSync(`${folder}/card`)
    writeFileSync(`${box.folder}/card`, card)
    symlinkSync(`${box.folder}/card`, `${folder}/card`)
    assert.match(front('--root', box.stateRoot, 'state', box.id).stderr, NO_ENGINE)
    unlinkSync(`${folder}/card`)
    writeFileSync(`${folder}/card`, card)
    const gate = `${folder}/gate`
    renameSync(gate, `${box.folder}/gate`)
    writeFileSync(`${box.folder}/file`, 'whole')
    for (const link of [true, false]) {
      if (link) symlinkSync(`${box.folder}/file`, gate)
      else writeFileSync(gate, 'whole')
      assert.match(front('--root', box.stateRoot, 'start', box.id).stderr, NO_ENGINE)
      assert.is(readFileSync(gate, 'utf8'), 'whole')
      unlinkSync(gate)
    }
    renameSync(`${box.folder}/gate`, gate)
  })

  test(`on ${name} no damage of a card ends it by a signal`, async () => {
    await using box = new Box(ground)
    await box.create({ '/process/args': ['sleep', '60'] })
    const card = `${box.stateRoot}/${box.id}/card`
    const whole = readFileSync(card)
    for (const bit of flips(whole.length, Number(process.env.FLIPS ?? 200))) {
      const bytes = Buffer.from(whole)
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      writeFileSync(card, bytes)
      for (const command of ['state', 'delete']) {
        const { status, stdout } = front('--root', box.stateRoot, command, box.id)
        assert.ok(status === 0 || status === 1, `${command}: bit ${bit}: ${status}`)
        assert.ok(stdout.length <= whole.length, `${command}: bit ${bit}: ${stdout}`)
      }
    }
    for (let length = 0; length < CARD.size + 8; length += 4) {
      writeFileSync(card, whole.subarray(0, length))
      assert.match(front('--root', box.stateRoot, 'delete', box.id).stderr, NO_ENGINE, `${length} bytes`)
    }
    writeFileSync(card, whole)
    assert.is(front('--root', box.stateRoot, 'state', box.id).status, 0)
  })

  test(`on ${name} a pid that is another process's by now is not taken for init`, async () => {
    await using box = new Box(ground)
    await box.create({ '/process/args': ['sleep', '60'] })
    const card = `${box.stateRoot}/${box.id}/card`
    const bytes = readFileSync(card)
    bytes.writeUInt32LE(process.pid, 8)
    writeFileSync(card, bytes)
    const state = JSON.parse(front('--root', box.stateRoot, 'state', box.id).stdout)
    assert.equal([state.status, state.pid], ['stopped', 0])
  })
}

/** All bits of what isn't text in a card, and so many of the others. */
function flips(length: number, more: number): number[] {
  const fields = Array.from({ length: 8 * CARD.size }, (_, bit) => bit)
  const others = Array.from({ length: more }, (_, index) => {
    return 8 * CARD.size + ((index * 2_654_435_761) % (8 * (length - CARD.size)))
  })
  return [...fields, ...others]
}

/** Until its parent has taken note of init's end. */
async function reaped(box: Box): Promise<void> {
  const card = readFileSync(`${box.stateRoot}/${box.id}/card`)
  while (existsSync(`/proc/${card.readUInt32LE(8)}`)) await sleep(5)
}

function testEngine(ground: Ground): void {
  /** The front with another engine beside it. */
  const withEngine = (box: Box, script: string, file = 'fake/runt', place = 'fake'): string => {
    const image = compile(lowerFront(`${box.folder}/installed`), (MACHINES[0] as Machine).target).bytes // there is always one
    for (const folder of [dirname(file), place]) mkdirSync(`${box.folder}/${folder}`, { recursive: true })
    writeFileSync(`${box.folder}/${file}`, image, { mode: 0o755 })
    writeFileSync(`${box.folder}/${place}/runt-engine`, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return `${box.folder}/${file}`
  }

  test('argv reaches the engine as it is', async () => {
    await using box = new Box(ground)
    const front = withEngine(box, 'printf "%s|" "$@"; exit 7')
    const { status, stdout } = spawnSync(front, ['create', '', 'a b', '--x=1', '-'], { encoding: 'utf8' })
    assert.is(stdout, 'create||a b|--x=1|-|')
    assert.is(status, 7)
  })

  test('the environment reaches it, but no variable has its name for who looks for one', async () => {
    await using box = new Box(ground)
    const front = withEngine(box, 'cat /proc/$$/environ')
    for (const env of [{ A: '1', BUN_OPTIONS: '--preload=/x', EMPTY: '' }, { LD_X: '1', Z: 'a=b\n' }, {}]) {
      const { stdout } = spawnSync(front, ['list'], { env })
      const told = stdout.toString('latin1').split('\0').slice(0, -1)
      const expected = Object.entries(env).map((entry) => entry.join('='))
      assert.equal(
        told.filter((entry) => entry.startsWith('LD_')),
        expected.filter((entry) => entry.startsWith('LD_')),
      )
      for (const name of Object.keys(env))
        assert.is(
          told.some((entry) => entry.startsWith(name)),
          name.startsWith('LD_'),
          name,
        )
      assert.equal({ ...parseEnvironment(stdout) }, env)
    }
  })

  // Linux from 5.18 on gives a program a name in any case: machine code before its first step takes that away again.
  const testNameless = process.arch === 'x64' ? test : test.skip
  if (testNameless !== test) console.log('skipped: without a name: the machine code is for x86-64')
  testNameless('without a name the environment is not taken for words', async () => {
    await using box = new Box(ground)
    const front = withEngine(box, 'echo the engine')
    writeFileSync(front, nameless(readFileSync(front)))
    for (const env of [{ state: 'x' }, {}]) {
      const { status, stdout, stderr } = spawnSync(front, [], { env, encoding: 'utf8' })
      assert.equal([status, stdout, stderr], [1, '', 'runt: called without a name: argv is empty\n'])
    }
  })

  test('the engine is found where it was installed, also by a copy', async () => {
    for (const [file, place] of [
      ['a/runt', 'installed'],
      ['bin/runt', 'lib/runt'],
    ] as const) {
      await using box = new Box(ground)
      const front = withEngine(box, '', file, place)
      copyFileSync('/bin/busybox', `${box.folder}/${place}/runt-engine`)
      symlinkSync(front, `${box.folder}/other`)
      for (const path of [front, `${box.folder}/other`])
        assert.match(spawnSync(path, ['list'], { encoding: 'utf8' }).stderr, /applet not found/, `${file} ${place}`)
    }
  })

  test('… but not in a folder that somebody else may have put beside the copy', async () => {
    await using box = new Box(ground)
    const front = withEngine(box, 'echo found', 'bin/runt', 'lib/runt')
    chownSync(`${box.folder}/lib/runt/runt-engine`, 1, 1)
    const { status, stdout, stderr } = spawnSync(front, ['list'], { encoding: 'utf8' })
    assert.equal([status, stdout], [1, ''])
    for (const place of ['bin (where this file is)', 'installed and', 'bin/../lib/runt\n'])
      assert.ok(stderr.includes(`${box.folder}/${place}`), stderr)
  })

  test('a module that the environment names is not loaded', async () => {
    await using box = new Box(ground)
    writeFileSync(box.path('module.js'), 'console.log("loaded")')
    const { stdout } = await box.command(['--version'], { env: { BUN_OPTIONS: `--preload=${box.path('module.js')}` } })
    assert.match(stdout, /^runt version/)
  })

  for (const [name, value] of [
    ['SIMDUTF_FORCE_IMPLEMENTATION', 'none'],
    ['BUN_JSC_useJIT', 'nonsense'],
    ['JSC_dumpOptions', '3'],
    ['NODE_OPTIONS', '--nonsense'],
    ['BUN_INSPECT', 'ws://localhost:1/x?wait=1'],
    ['MIMALLOC_VERBOSE', '1'],
    ['UV_THREADPOOL_SIZE', '-1'],
    ['MALLOC_CHECK_', '3'],
    ['TZ', '/dev/zero'],
    ['HOME', ''],
  ] as const) {
    test(`${name} is nothing to the engine`, async () => {
      await using box = new Box(ground)
      const { status, stdout, stderr } = await box.command(['--version'], { env: { [name]: value } })
      assert.is(status, 0, stderr)
      assert.match(stdout, /^runt version/)
      assert.is(stderr, '')
    })
  }

  test('programs that runt calls get the environment as it was', async () => {
    await using box = new Box(ground)
    await box.create({ '/process/args': ['sleep', '60'] })
    mkdirSync(`${box.folder}/bin`)
    writeFileSync(`${box.folder}/bin/ps`, '#!/bin/sh\nexec cat /proc/$$/environ >&2\n', { mode: 0o755 })
    const env = {
      PATH: `${box.folder}/bin:${process.env.PATH}`,
      BUN_X: 'a=b',
      SIMDUTF_FORCE_IMPLEMENTATION: 'none',
      EMPTY: '',
    }
    const { stdout, stderr } = await box.command(['ps', box.id], { env })
    const variables = `${stdout}${stderr}`.split('\0')
    for (const [name, value] of Object.entries(env)) assert.ok(variables.includes(`${name}=${value}`), name)
  })
}

/** An image for x86-64 that finds argc 0 at its start. Code takes the place of the last program header, which says no more than the default. */
function nameless(image: Buffer): Buffer {
  const [entry, headers, place] = [24, 56, 64 + 2 * 56]
  const base = 0x40_0000
  const code = Buffer.from('5848c7042400000000e900000000', 'hex') // pop %rax; movq $0, (%rsp); jmp
  code.writeInt32LE(image.readUInt32LE(entry) - (base + place + code.length), code.length - 4)
  code.copy(image, place)
  image.writeUInt16LE(2, headers)
  image.writeUInt32LE(base + place, entry)
  return image
}

function testFailure(ground: Ground): void {
  test('a program that is gone at the start: the engine tells what the front heard, once', async () => {
    await using box = new Box(ground)
    writeFileSync(`${box.rootfs}/program`, '#!/bin/sh\n', { mode: 0o755 })
    await box.create({ '/process/args': ['/program'] })
    unlinkSync(`${box.rootfs}/program`)
    const first = await box.command(['start', box.id])
    assert.is(first.status, 1)
    assert.match(first.stderr, /exec: "\/program": .*ENOENT|no such file/i)
    assert.not(existsSync(`${box.stateRoot}/${box.id}/failure`))
    const second = await box.command(['start', box.id])
    assert.match(second.stderr, /cannot start a container that has stopped/)
    succeeded(await box.command(['delete', box.id]))
    box.assertNothingLeft()
  })

  test('what the front heard counts, also while init has not ended yet', async () => {
    await using box = new Box(ground)
    await box.create({ '/process/args': ['true'] })
    const folder = `${box.stateRoot}/${box.id}`
    const { startSteps } = JSON.parse(readFileSync(`${folder}/state.json`, 'utf8'))
    const steps = Object.entries(startSteps as Record<string, { readonly call: string }>)
    const step = Number(steps.find(([, { call }]) => call === 'execve')?.[0])
    const heard = new DataView(new ArrayBuffer(REPORT.text))
    heard.setUint32(REPORT.kind, REPORT_FAILED, true)
    heard.setUint32(REPORT.step, step, true)
    heard.setBigInt64(REPORT.value, 13n, true)
    writeFileSync(`${folder}/failure`, heard, { mode: 0o600 })
    // Init goes away as one does that has failed: a moment after the engine has begun.
    const { pid } = await box.state()
    setTimeout(() => process.kill(Number(pid), 'SIGKILL'), 200)
    const { stderr } = failed(await box.command(['--debug', 'start', box.id]))
    assert.match(stderr, /exec true: permission denied \(execve: EACCES\)/)
  })
}

test.run()
