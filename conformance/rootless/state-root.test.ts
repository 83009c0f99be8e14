// Where an ordinary user's containers are on record.

import { chmodSync, chownSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { succeeded } from '../box.ts'
import type { Result } from '../runtime.ts'
import { missingForUsers, UID, User } from './user.ts'

const missing = missingForUsers()
const NO_DIRECTORY = { env: { XDG_RUNTIME_DIR: undefined } }

/** What others may have put there. */
const OTHERS: readonly (readonly [string, (folder: string) => void])[] = [
  ["another user's", (folder) => mkdirSync(folder, { mode: 0o700 })],
  ['a link', (folder) => symlinkSync('/var', folder)],
  [
    'one that others may write to',
    (folder) => {
      mkdirSync(folder)
      chmodSync(folder, 0o777)
      chownSync(folder, UID, UID)
    },
  ],
]

if (missing !== undefined) {
  console.log(`skipped: all state roots of ordinary users: ${missing}`)
  test.skip(missing, () => {})
} else {
  test('$XDG_RUNTIME_DIR/runt, which no cleaner of that folder takes', async () => {
    await using user = new User()
    await user.create('true')
    const { mode } = lstatSync(`${user.runtimeDirectory}/runt`)
    assert.is(mode & 0o7777, 0o1700)
  })

  test('the front finds it by itself, also for root of a user namespace, and leaves other places to the engine', async () => {
    await using user = new User()
    await user.create('sleep 100')
    const engine = `${user.folder}/runtime/runt-engine`
    const state = (words: readonly string[] = [], env = {}): Promise<Result> =>
      user.command([...words, user.runt, 'state', user.id], { env })
    renameSync(engine, `${engine}.away`)
    try {
      assert.match(succeeded(await state()).stdout, /"status": "created"/)
      assert.match(succeeded(await state(['unshare', '--user', '--map-root-user'])).stdout, /"status": "created"/)
      for (const elsewhere of ['', 'relative', undefined, `/${'x'.repeat(5000)}`]) {
        assert.match((await state([], { XDG_RUNTIME_DIR: elsewhere })).stderr, /runt-engine can't be executed/)
      }
      succeeded(await user.command([user.runt, 'start', user.id]))
    } finally {
      renameSync(`${engine}.away`, engine)
    }
    assert.is(await user.status(), 'running')
  })

  test("a runtime folder that is another's, or that others may write to, is refused", async () => {
    await using user = new User()
    const folder = `${user.folder}/other`
    const env = { XDG_RUNTIME_DIR: folder }
    for (const [mode, owner, why] of [
      [0o755, 1, /other: belongs to user 1\n.*set XDG_RUNTIME_DIR/],
      [0o1777, 1, /other: belongs to user 1\n/],
      [0o777, UID, /other: others may write to it\n/],
      [0o777, 0, /other: others may write to it\n/],
      [0o700, UID, undefined],
      [0o1777, 0, undefined],
    ] as const) {
      mkdirSync(folder)
      chownSync(folder, owner, owner)
      chmodSync(folder, mode)
      const { status, stderr } = await user.run('true', {}, { env })
      if (why === undefined) assert.is(status, 0, stderr)
      else assert.match(stderr, why)
      rmSync(folder, { recursive: true })
    }
  })

  test('a folder that can not be made is named, and what to do', async () => {
    await using user = new User()
    const result = await user.run('true', {}, { env: { XDG_RUNTIME_DIR: '/nowhere/at/all' } })
    assert.is(result.status, 1)
    assert.match(
      result.stderr,
      /\/nowhere\/at\/all\/runt: mkdirat.*EACCES.*\n.*set XDG_RUNTIME_DIR to one, or give --root/,
    )
  })

  test("without it, a folder in /tmp that is the user's alone", async () => {
    await using user = new User()
    const folder = `/tmp/runt-${UID}`
    const run = (): Promise<Result> => user.run('true', {}, { ...NO_DIRECTORY, prepare: 'mount -t tmpfs tmpfs /run\n' })
    try {
      rmSync(folder, { recursive: true, force: true })
      succeeded(await run())
      assert.equal([lstatSync(folder).mode & 0o7777, lstatSync(folder).uid], [0o1700, UID])
      for (const [what, make] of OTHERS) {
        rmSync(folder, { recursive: true, force: true })
        make(folder)
        const { status, stderr } = await run()
        assert.is(status, 1, what)
        assert.match(stderr, /is not a folder of yours alone\n.*XDG_RUNTIME_DIR/, what)
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('/run/user/UID is taken without being told', async () => {
    await using user = new User()
    const prepare = `mount -t tmpfs tmpfs /run; mkdir -p -m 700 /run/user/${UID}; chown ${UID}:${UID} /run/user/${UID}\n`
    await user.configure({ '/process/args': ['true'] })
    const script = `${user.runt} create ${user.id} && ls /run/user/${UID}/runt && ${user.runt} delete --force ${user.id}`
    const { stdout } = succeeded(await user.command(['sh', '-c', script], { ...NO_DIRECTORY, prepare }))
    assert.is(stdout.trim(), user.id)
  })
}

test.run()
