// Init that doesn't answer, because somebody has stopped it: ^C and SIGTERM end runt then, and nothing is left. As long as init
// is quick, signals of that moment are the program's.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { baseConfig } from './bundle.ts'
import { children } from './programs.ts'
import { findRuntime } from './runtime.ts'

const reason = missingForTests()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`interruptions (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-interrupt-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  testStoppedInit(ground)
  testPausedExec(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

interface Running {
  readonly child: ChildProcess
  readonly pid: number
  readonly ended: Promise<{ readonly status: number | null; readonly signal: string | null }>
}

function begin(box: Box, args: readonly string[]): Running {
  const [program = '', ...flags] = box.runtime.command
  const child = spawn(program, [...flags, '--root', box.stateRoot, ...args], { stdio: 'ignore' })
  const ended = new Promise<Awaited<Running['ended']>>((resolve) =>
    child.on('exit', (status, signal) => resolve({ status, signal })),
  )
  return { child, pid: child.pid ?? 0, ended }
}

/** How it ended; it must within a few seconds. */
async function endOf({ child, ended }: Running): ReturnType<() => Running['ended']> {
  const end = await Promise.race([ended, sleep(8000, undefined, { ref: false })])
  if (end === undefined) child.kill('SIGKILL')
  assert.ok(end, 'it goes on waiting')
  return end
}

/** Init as soon as it is there. @param depth of it below runt */
async function initOf({ pid }: Running, depth: number): Promise<number> {
  const deadline = Date.now() + 5000
  while (Date.now() < deadline) {
    let found = [pid]
    for (let level = 0; level < depth; level++) found = found.flatMap(children)
    if (found[0] !== undefined) return found[0]
    await sleep(0)
  }
  throw new Error('init was not born')
}

/** So many that init can be stopped before it has made all of them. */
const MANY_MOUNTS = {
  '/mounts': [
    ...(baseConfig('').mounts as unknown[]),
    ...Array.from({ length: 500 }, () => ({ destination: '/mnt', type: 'tmpfs', source: 'tmpfs' })),
  ],
}

function testStoppedInit(ground: Ground): void {
  const ways = [
    { way: 'the short way', flags: [], depth: 1, end: { status: null, signal: 'SIGINT' } },
    { way: 'the long way', flags: ['--supervised'], depth: 2, end: { status: 1, signal: null } },
  ]
  for (const { way, flags, depth, end } of ways) {
    test(`run whose init stands still ends by SIGINT, and leaves nothing: ${way}`, async () => {
      await using box = new Box(ground)
      box.configure({ ...MANY_MOUNTS, '/process/args': ['true'] })
      const running = begin(box, [...flags, 'run', '--bundle', box.bundle, box.id])
      process.kill(await initOf(running, depth), 'SIGSTOP')
      await sleep(100)
      running.child.kill('SIGINT')
      assert.equal(await endOf(running), end)
      box.assertNothingLeft()
    })
  }

  test('a signal while init is made is for the program', async () => {
    await using box = new Box(ground)
    const script = 'trap "exit 7" TERM; while :; do sleep 0.01; done'
    box.configure({ ...MANY_MOUNTS, '/process/args': ['sh', '-c', script] })
    for (const [flags, depth] of [
      [[], 1],
      [['--supervised'], 2],
    ] as const) {
      const running = begin(box, [...flags, 'run', '--bundle', box.bundle, box.id])
      await initOf(running, depth)
      running.child.kill('SIGTERM')
      // It may come before the shell has set its trap: init without a handler doesn't hear it.
      const again = setInterval(() => running.child.kill('SIGTERM'), 200)
      assert.equal(await endOf(running), { status: 7, signal: null })
      clearInterval(again)
      box.assertNothingLeft()
    }
  })
}

function testPausedExec(ground: Ground): void {
  test('exec --ignore-paused, which waits for a resume, ends by SIGINT', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 100')
    succeeded(await box.command(['pause', box.id]))
    const running = begin(box, ['exec', '--ignore-paused', box.id, 'true'])
    await sleep(1500)
    running.child.kill('SIGINT')
    assert.equal(await endOf(running), { status: 255, signal: null })
    succeeded(await box.command(['resume', box.id]))
    succeeded(await box.command(['exec', box.id, 'true']))
    await box.delete('--force')
    box.assertNothingLeft()
  })
}

test.run()
