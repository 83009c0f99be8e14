// The front without its engine: what it answers by itself, and what it leaves to the engine, natively and as the other
// machine's program under its emulator.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lowerFront } from '../src/front/front.ts'
import { compile } from '../src/machine/codegen.ts'
import { MACHINES, type Machine } from '../src/machine/testing/run.ts'
import { verify } from '../src/plan/verify.ts'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { findRuntime } from './runtime.ts'

const NO_ENGINE = /runt-engine can't be executed/

test('the front is a plan that holds, and stays small', () => {
  const plan = lowerFront()
  verify(plan)
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
  writeFileSync(file, compile(lowerFront(), target).bytes)
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

/** Until its parent has taken note of init's end. */
async function reaped(box: Box): Promise<void> {
  const card = readFileSync(`${box.stateRoot}/${box.id}/card`)
  while (existsSync(`/proc/${card.readUInt32LE(8)}`)) await sleep(5)
}

function testEngine(ground: Ground): void {
  /** The front with another engine beside it. */
  const withEngine = (box: Box, script: string): string => {
    const folder = `${box.folder}/fake`
    mkdirSync(folder)
    writeFileSync(`${folder}/runt`, compile(lowerFront(), (MACHINES[0] as Machine).target).bytes) // there is always one
    writeFileSync(`${folder}/runt-engine`, `#!/bin/sh\n${script}\n`)
    for (const name of ['runt', 'runt-engine']) chmodSync(`${folder}/${name}`, 0o755)
    return `${folder}/runt`
  }

  test('argv and the environment reach the engine as they are', async () => {
    await using box = new Box(ground)
    const front = withEngine(box, 'printf "%s|" "$@"; printf "%s" "$MARK"; exit 7')
    const words = ['create', '', 'a b', '--x=1', '-']
    const { status, stdout } = spawnSync(front, words, { env: { MARK: 'here' }, encoding: 'utf8' })
    assert.is(stdout, 'create||a b|--x=1|-|here')
    assert.is(status, 7)
  })

  test('but for what would be orders for what the engine is made of', async () => {
    await using box = new Box(ground)
    const front = withEngine(box, 'exec /usr/bin/env')
    const orders = { BUN_OPTIONS: '--preload=/x', BUN_: '', BUN_JSC_x: '1' }
    for (const env of [{ A: '1', ...orders, BUN: '2', B_N_: '3' }, { ...orders, Z: '' }, orders, {}]) {
      const { stdout } = spawnSync(front, ['list'], { env, encoding: 'utf8' })
      const expected = Object.entries(env).filter(([name]) => !name.startsWith('BUN_'))
      assert.equal(
        stdout
          .split('\n')
          .filter((line) => line !== '' && !/^(PWD|OLDPWD|SHLVL|_)=/.test(line))
          .sort(),
        expected.map((entry) => entry.join('=')).sort(),
      )
    }
  })

  test('a module that the environment names is not loaded', async () => {
    await using box = new Box(ground)
    writeFileSync(box.path('module.js'), 'console.log("loaded")')
    const { stdout } = await box.command(['--version'], { env: { BUN_OPTIONS: `--preload=${box.path('module.js')}` } })
    assert.match(stdout, /^runt version/)
  })
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
}

test.run()
