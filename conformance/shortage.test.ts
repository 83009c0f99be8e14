// What a container gets, or runt says, where something can't be had: cgroups that may not be written, one process only.
// A full state root and too few descriptors are in crash.test.ts.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import type { Edits } from './bundle.ts'
import { execute, findRuntime, type Result } from './runtime.ts'

const reason = missingForTests() ?? (existsSync('/sys/fs/cgroup/pids/cgroup.procs') ? undefined : 'needs cgroups of v1')
const READ_ONLY = 'for tree in /sys/fs/cgroup/*; do mount -o remount,bind,ro $tree 2>/dev/null; done'
const ONE_PROCESS: Edits = { '/linux/resources/pids': { limit: 1 } }

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`shortage (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-shortage-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  testReadOnlyCgroups(ground)
  testOneProcess(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

/** A command of runt where all cgroups are read-only. */
function withReadOnlyCgroups(box: Box, ...words: string[]): Promise<Result> {
  const command = [...box.runtime.command, '--root', box.stateRoot, ...words]
  return execute(['unshare', '-m', 'sh', '-c', `${READ_ONLY}; exec "$@"`, 'sh', ...command], box.path('output'))
}

function testReadOnlyCgroups(ground: Ground): void {
  test('create and run on a read-only cgroup tree are refused by name, and nothing is left', async () => {
    for (const command of ['create', 'run']) {
      await using box = new Box(ground)
      box.configure({})
      const { status, stderr } = await withReadOnlyCgroups(box, command, '--bundle', box.bundle, box.id)
      assert.is(status, 1, stderr)
      assert.match(stderr, /\/sys\/fs\/cgroup\/\S*: EROFS/)
      box.assertNothingLeft()
    }
  })

  test('delete --force ends where the cgroups can not be removed, says so, and is right the next time', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 100')
    const { pid } = await box.state()
    const started = Date.now()
    const first = await withReadOnlyCgroups(box, 'delete', '--force', box.id)
    assert.ok(Date.now() - started < 15_000, 'it took too long')
    assert.is.not(first.status, 0)
    assert.match(first.stderr, /cgroup/)
    assert.not.ok(existsSync(`/proc/${pid}/root/bin`), 'the program lives')
    await box.delete('--force')
    box.assertNothingLeft()
  })

  test('state, kill and list need no cgroup to write to', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 100')
    for (const words of [['state', box.id], ['list'], ['kill', box.id, 'KILL']]) {
      succeeded(await withReadOnlyCgroups(box, ...words))
    }
    await box.waitForStatus('stopped')
    await box.delete()
    box.assertNothingLeft()
  })
}

function testOneProcess(ground: Ground): void {
  test('one process is enough for a program that makes none, also with mounts that are filled or mapped', async () => {
    await using box = new Box(ground)
    const list = [{ containerID: 0, hostID: 9, size: 9 }]
    const source = box.folder
    for (const mount of [
      { destination: '/mnt', type: 'tmpfs', options: ['tmpcopyup'] },
      { destination: '/mnt', source, options: ['bind'], uidMappings: list, gidMappings: list },
    ]) {
      const edits = { ...ONE_PROCESS, '/mounts/-': mount, '/process/args': ['cat', '/proc/self/cgroup'] }
      assert.match(succeeded(await box.run(edits)).stdout, /pids:/)
    }
  })

  test('a program that makes a second process is told so by the kernel, and that is all', async () => {
    await using box = new Box(ground)
    const edits = { ...ONE_PROCESS, '/process/args': ['sh', '-c', 'sleep 1 & echo made'] }
    const { status, stdout, stderr } = await box.run(edits)
    assert.is.not(status, 0)
    assert.is(stdout, '')
    assert.match(stderr, /fork/)
    box.assertNothingLeft()
  })

  test('a hook that would be the second process is told with its place', async () => {
    for (const kind of ['createContainer', 'startContainer']) {
      await using box = new Box(ground)
      const path = kind === 'createContainer' ? '/bin/busybox' : '/bin/true'
      const hooks = { [`/hooks/${kind}`]: [{ path, args: ['true'] }] }
      const said = await box.rejected({ ...ONE_PROCESS, ...hooks })
      assert.match(said, new RegExp(`hooks\\.${kind}\\[0\\] \\(\\S+\\): clone: EAGAIN.*\\n +pids\\.limit is reached`))
    }
  })

  test('a limit that is reached while it runs leaves the container to be killed and removed', async () => {
    await using box = new Box(ground)
    await box.launch('while :; do sleep 100; done', { '/linux/resources/pids': { limit: 2 } })
    const { pid } = await box.state()
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), /pids:/)
    await box.kill('KILL')
    await box.waitForStatus('stopped')
    await box.delete()
    box.assertNothingLeft()
  })
}

test.run()
