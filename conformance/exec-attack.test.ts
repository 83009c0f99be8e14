// Programs in a container that lie in wait for what exec and create bring in: what they see of it is the container's, what they
// do to it hangs nobody, and they can always be ended.

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lookerIn, MARK, TRACING } from './attacker.ts'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { NAMESPACES } from './bundle.ts'
import { PATIENCE } from './patience.ts'
import { children } from './programs.ts'
import { findRuntime } from './runtime.ts'

const EXECS = 300

const reason = missingForTests()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`attacks on exec (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-exec-attack-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  testLooks(ground)
  testInit(ground)
  testSignals(ground)
  testNeighbours(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function testLooks(ground: Ground): void {
  for (const supervised of [false, true]) {
    test(`who may trace every process sees nothing of the host in one that exec adds${supervised ? ', with runt beside it' : ''}`, async () => {
      await using box = new Box(ground)
      const shared = box.path('shared')
      mkdirSync(shared)
      writeFileSync(box.path(MARK), '')
      await box.launch(lookerIn(box.path(MARK)), {
        ...TRACING,
        '/mounts/-': { destination: '/mnt', source: shared, options: ['bind'] },
      })
      await box.waitForFile(`${shared}/ready`)
      const words = ['exec', '--pid-file', box.path(`${MARK}-pid`), box.id, 'true']
      for (let round = 0; round < (supervised ? EXECS / 3 : EXECS); round++) {
        const result = await box.command(supervised ? ['--supervised', ...words] : words, {
          cwd: box.folder,
          env: { SECRET: MARK },
        })
        assert.is(succeeded(result).status, 0)
      }
      const caught = read(`${shared}/caught`)
      assert.is(caught, '', `${caught.split('\n').length} looks of the host: ${caught.slice(0, 400)}`)
      const seen = new Set(read(`${shared}/seen`).split('\n').filter(Boolean))
      assert.ok(seen.size > 5, `it looked into ${seen.size} processes before they were the program`)
    })
  }
}

function testInit(ground: Ground): void {
  for (const supervised of [false, true]) {
    test(`an init that waits at its gate shows nothing of the call that made it${supervised ? ', with runt beside it' : ''}`, async () => {
      await using box = new Box(ground)
      box.configure(TRACING)
      const words = ['create', '--bundle', box.bundle, '--pid-file', box.path(`${MARK}-pid`), box.id]
      const env = { SECRET: MARK }
      succeeded(await box.command([...(supervised ? ['--supervised'] : []), ...words], { cwd: box.folder, env }))
      const { stdout } = succeeded(await box.command(['exec', box.id, 'cat', '/proc/1/cmdline', '/proc/1/environ']))
      assert.not.match(stdout, new RegExp(MARK))
    })
  }
}

/** Milliseconds that one command may take: less than a person's patience, and more than all limits in it. */
const LIMIT_MS = 40_000 * PATIENCE

function testSignals(ground: Ground): void {
  const detached = (round: number): boolean => round % 2 === 0
  for (const [signal, rounds] of [
    ['KILL', 40],
    ['XCPU', 40],
    ['STOP', 6],
  ] as const) {
    test(`a container that sends SIG${signal} to whatever comes in makes no exec hang, and can be deleted`, async () => {
      await using box = new Box(ground)
      // Init: all others are hit at once, again and again.
      await box.launch(`while :; do kill -${signal} -1; done 2>/dev/null`)
      const { pid } = await box.state()
      for (let round = 0; round < rounds; round++) {
        // A program that has been stopped is waited for, and rightly so: only who starts it and goes may not hang.
        const words = detached(round) || signal === 'STOP' ? ['--detach'] : []
        const supervised = round % 4 < 2 ? ['--supervised'] : []
        const begin = Date.now()
        await box.command([...supervised, 'exec', ...words, box.id, 'true'], { seconds: 60 })
        assert.ok(Date.now() - begin < LIMIT_MS, `round ${round} took ${Date.now() - begin} ms`)
      }
      const waiting = [[], ['--supervised']].map((flags) => {
        const [program = '', ...before] = box.runtime.command
        const words = [...before, '--root', box.stateRoot, ...flags, 'exec', box.id, 'sleep', '1000']
        return spawn(program, words, { stdio: 'ignore' })
      })
      const ended = waiting.map((child) => new Promise((resolve) => child.on('exit', resolve)))
      await box.delete('--force')
      await Promise.race([
        Promise.all(ended),
        new Promise((_, reject) => setTimeout(() => reject(new Error('an exec outlives its container')), LIMIT_MS)),
      ])
      assert.equal(children(Number(pid)), [])
      box.assertNothingLeft()
    })
  }
}

function testNeighbours(ground: Ground): void {
  for (const signal of ['KILL', 'STOP'] as const) {
    test(`a container that sends SIG${signal} to its neighbours makes no create hang that joins its pid namespace`, async () => {
      await using box = new Box(ground)
      await box.launch(`while :; do kill -${signal} -1; done 2>/dev/null`)
      const path = `/proc/${(await box.state()).pid}/ns/pid`
      const namespaces = NAMESPACES.map(({ type }) => (type === 'pid' ? { type, path } : { type }))
      for (let round = 0; round < 6; round++) {
        await using other = new Box(ground)
        other.configure({ '/linux/namespaces': namespaces, '/process/args': ['sleep', '1000'] })
        const flags = round % 2 === 0 ? [] : ['--supervised']
        const timed = async (words: readonly string[]): Promise<void> => {
          const begin = Date.now()
          await other.command(words, { seconds: 60 })
          assert.ok(Date.now() - begin < LIMIT_MS, `${words[0]} took ${Date.now() - begin} ms`)
        }
        await timed([...flags, 'create', '--bundle', other.bundle, other.id])
        await timed(['start', other.id])
        await timed(['delete', '--force', other.id])
        other.assertNothingLeft()
      }
    })
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

test.run()
