// How a container ended, as `state` tells it afterwards. Other runtimes don't tell, so these are no cases for any runtime.

import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { isAtLeast, kernelRelease } from '../src/host/probe.ts'
import { Box, failed, Ground } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import type { Edits } from './bundle.ts'
import { findRuntime } from './runtime.ts'

const PATIENCE_MS = 10_000
const MEMORY = 24 << 20 // bytes
/** Less than the container's own init takes. */
const TINY = { '/linux/resources': { memory: { limit: 20_000 } } }
const WATCHED = { '/annotations': { 'runt.exit-record': 'true' } }
const GREEDY = 'tail /dev/zero'
const NO_MKDIR = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_KILL' }],
}

const reason = missingForTests()

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`exit records (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-exit-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  testForeground(ground)
  testSaid(ground)
  testDetached(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function script(text: string, edits: Edits = {}): Edits {
  return { ...edits, '/process/args': ['sh', '-c', text] }
}

function testForeground(ground: Ground): void {
  const limit = { '/linux/resources': { memory: { limit: MEMORY } } }
  const ends: [title: string, edits: Edits, exit: (box: Box) => unknown][] = [
    ['its status', script('exit 3'), () => ({ status: 3 })],
    [
      'memory that ran out, and whose limit it was',
      { ...limit, '/process/args': GREEDY.split(' ') },
      ({ cgroup }) => ({
        signal: 'SIGKILL',
        cause: 'oom-kill',
        oomKills: 1,
        limit: { cgroup, bytes: MEMORY },
      }),
    ],
    [
      'memory that ran out for another process',
      script(`${GREEDY}; exit 4`, limit),
      ({ cgroup }) => ({ status: 4, oomKills: 1, limit: { cgroup, bytes: MEMORY } }),
    ],
    [
      'a system call that the filter forbids',
      { ...script('exec mkdir /tmp/x'), '/linux/seccomp': NO_MKDIR },
      () => ({ signal: 'SIGSYS', cause: 'seccomp' }),
    ],
  ]
  for (const [title, edits, exit] of ends) {
    test(`kept in the foreground: ${title}`, async () => {
      await using box = new Box(ground)
      await box.run(edits, ['--keep'])
      const state = await box.state()
      assert.is(state.status, 'stopped')
      assert.equal(state.exit, exit(box))
      await box.delete()
      box.assertNothingLeft()
    })
  }
}

/** [what, edits, exit status, what is said] */
function told(box: Box): [title: string, edits: Edits, status: number, said: RegExp][] {
  const limit = { '/linux/resources': { memory: { limit: MEMORY } } }
  const memory = new RegExp(
    `^runt: container ${box.id}: the kernel ended the program: memory ran out: the limit of cgroup ${box.cgroup} is ${MEMORY} bytes\n.*memory.limit too low\\?$`,
  )
  return [
    ['memory', { ...limit, '/process/args': GREEDY.split(' ') }, 137, memory],
    [
      'a forbidden call',
      { ...script('exec mkdir /tmp/x'), '/linux/seccomp': NO_MKDIR },
      159,
      /linux\.seccomp forbids$/,
    ],
    ['a program that ended by itself', { ...limit, ...script('exit 137') }, 137, /^$/],
    [
      'memory for init',
      { ...TINY, ...script('exit 0') },
      1,
      /before it was ready: signal SIGKILL\n.*memory\.limit too low\?$/,
    ],
  ]
}

function testSaid(ground: Ground): void {
  for (const [way, more] of [
    ['by the image', {}],
    ['by the engine', { '/hooks': { poststop: [{ path: '/bin/true' }] } }],
  ] as const) {
    test(`in the foreground the end by the kernel is told ${way}`, async () => {
      await using first = new Box(ground)
      for (const index of told(first).keys()) {
        await using box = new Box(ground)
        const [title, edits, status, said] = told(box)[index] ?? []
        const result = await box.run({ ...edits, ...more })
        assert.is(result.status, status, title)
        assert.match(result.stderr.trim(), said ?? /never/, title)
        box.assertNothingLeft()
      }
    })
  }
}

function testDetached(ground: Ground): void {
  test('a limit further out', async () => {
    await using box = new Box(ground)
    const outer = `${box.cgroup}/outer`
    const edits = { '/linux/cgroupsPath': outer, '/linux/resources': { memory: { limit: MEMORY } } }
    await using holder = new Box(ground)
    await holder.create(edits)
    await box.run({ '/linux/cgroupsPath': `${outer}/inner`, '/process/args': GREEDY.split(' ') }, ['--keep'])
    const { exit } = await box.state()
    assert.equal(exit, {
      signal: 'SIGKILL',
      cause: 'oom-kill',
      oomKills: 1,
      limit: { cgroup: outer, bytes: MEMORY },
    })
    await box.delete()
  })

  test('a container that runs, or that nobody watched, has none', async () => {
    await using box = new Box(ground)
    await box.launch('read line </dev/zero; exit 3')
    assert.is((await box.state()).exit, undefined)
  })

  if (!isAtLeast(kernelRelease(), [6, 15])) {
    test('watching the end needs a newer kernel, and says so', async () => {
      await using box = new Box(ground)
      assert.match(await box.rejected(WATCHED), /annotations\["runt.exit-record"\]: needs Linux 6.15/)
    })
    return
  }

  for (const [way, flags] of [
    ['create and start', undefined],
    ['run --detach', ['--detach']],
  ] as const) {
    test(`the end of a container that is watched: ${way}`, async () => {
      await using box = new Box(ground)
      const edits = script('exit 7', WATCHED)
      if (flags !== undefined) assert.is((await box.run(edits, flags)).status, 0)
      else {
        await box.create(edits)
        await box.start()
      }
      assert.equal(await exitOf(box), { status: 7 })
      await box.delete()
      box.assertNothingLeft()
      assert.equal(await watchersOf(box, 0), [])
    })
  }

  test('a signal from outside has no cause', async () => {
    await using box = new Box(ground)
    await box.launch('sleep 60', WATCHED)
    await box.kill('KILL')
    assert.equal(await exitOf(box), { signal: 'SIGKILL' })
  })

  test('what watches has nothing of the caller open, and goes with the container', async () => {
    await using box = new Box(ground)
    // `execute` waits for the streams' end of file, too.
    await box.create(script('sleep 60', WATCHED))
    const watchers = await watchersOf(box, 1)
    for (const pid of watchers) {
      const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
      assert.is(open.length, 2)
      assert.match(open.join(' '), /pidfd|anon_inode/)
      assert.ok(open.includes(`${box.stateRoot}/${box.id}`))
    }
    await box.delete('--force')
    box.assertNothingLeft()
    assert.equal(await watchersOf(box, 0), [])
  })

  test('a create that fails leaves nothing that watches', async () => {
    await using box = new Box(ground)
    failed(await box.tryCreate(script('true', WATCHED), ['--pid-file', box.path('nowhere/pid')]))
    box.assertNothingLeft()
    assert.equal(await watchersOf(box, 0), [])
  })
}

async function exitOf(box: Box): Promise<unknown> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(20)) {
    const { exit } = await box.state()
    if (exit !== undefined) return exit
  }
  throw new Error('nobody tells how it ended')
}

/** Processes that watch the box's container, once there are as many as expected. */
async function watchersOf(box: Box, expected: number): Promise<number[]> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(20)) {
    const found = readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid) && watches(pid, box))
      .map(Number)
    if (found.length === expected || Date.now() > deadline) return found
  }
}

function watches(pid: string, box: Box): boolean {
  try {
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('runt:exit')) return false
    return readlinkSync(`/proc/${pid}/fd/4`).startsWith(`${box.stateRoot}/${box.id}`)
  } catch {
    return false
  }
}

test.run()
