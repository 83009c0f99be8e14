// What Podman alone has of checkpoints: archives, images, pods, and flags.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import * as assert from 'uvu/assert'
import { skip } from '../../case.ts'
import { on } from '../case.ts'
import { checkpoint, checkpointWords, count, LOCKING, launchTeller, restore, statusOf } from '../checkpoints.ts'
import { refused, type Session, waitFor } from '../engine.ts'
import { IMAGE } from '../image.ts'

const NEEDS_CRIU = { criu: true }

/** Where Podman keeps config.json, and beside it images, logs and statistics. */
async function folderOf(engine: Session, name: string): Promise<string> {
  return dirname(await engine.inspect(name, '{{.OCIConfigPath}}'))
}

/** A new container from an archive. */
async function imported(engine: Session, archive: string, ...flags: string[]): Promise<string> {
  const name = engine.fresh()
  await engine.said('container', 'restore', '--import', archive, '--name', name, ...flags)
  return name
}

on(
  'podman',
  'a checkpoint is told by inspect, kept and restored twice, with statistics',
  async (engine) => {
    const name = await launchTeller(engine)
    assert.is(await count(engine, name), 1)
    const folder = await folderOf(engine, name)
    const id = await engine.inspect(name, '{{.Id}}')
    const stats = async (...words: string[]) =>
      JSON.parse(await engine.said('container', ...words)).container_statistics[0]
    const saved = await stats('checkpoint', '--keep', '--print-stats', name)
    assert.ok(saved.runtime_checkpoint_duration > 0)
    assert.ok(saved.criu_statistics.pages_written > 0, JSON.stringify(saved))
    assert.ok(existsSync(`${folder}/dump.log`))
    assert.is(await engine.inspect(name, '{{.State.Status}} {{.State.Checkpointed}}'), 'exited true')
    refused(await engine.host([engine.engine.world.runtime.path, 'state', id]))
    for (const _ of [1, 2]) {
      const restored = await stats('restore', '--keep', '--print-stats', name)
      assert.ok(restored.criu_statistics.pages_restored > 0, JSON.stringify(restored))
      assert.ok(existsSync(`${folder}/restore.log`))
      const told = '{{.State.Status}} {{.State.Checkpointed}} {{.State.Restored}}'
      assert.is(await engine.inspect(name, told), 'running false true')
      assert.is(await count(engine, name), 2)
      assert.match(refused(await engine.run(['container', 'restore', name])), /running or paused/)
      await engine.said('stop', name)
    }
    await restore(engine, name)
    assert.is(await count(engine, name), 2)
    assert.not.ok(existsSync(`${folder}/checkpoint`), 'images are kept')
  },
  NEEDS_CRIU,
)

on(
  'podman',
  'checkpoint --export, restore --import: root and volume as they were, under other names',
  async (engine) => {
    const [volume, archive] = [engine.fresh(), `${engine.folder}/checkpoint.tar`]
    const name = await launchTeller(engine, ['-v', `${volume}:/volume`])
    await engine.exec(name, 'echo root >/file; echo volume >/volume/file; rm /etc/group')
    assert.is(await count(engine, name), 1)
    await checkpoint(engine, name, '--leave-running', '--compress=none', '--export', archive)
    const members = (await engine.shell(`tar -tf ${archive}`)).split('\n')
    for (const member of ['checkpoint/inventory.img', 'rootfs-diff.tar', `volumes/${volume}.tar`]) {
      assert.ok(members.includes(member), `${member} is not in ${members}`)
    }
    assert.is(await count(engine, name), 2)
    const identity = '{{.Id}} {{.NetworkSettings.IPAddress}}'
    const seen = [(await engine.inspect(name, identity)).split(' ')[0]]
    await engine.said('rm', '--force', '--time=0', name)
    await engine.said('volume', 'rm', volume)
    for (const flags of [[], ['--ignore-volumes']]) {
      const other = await imported(engine, archive, ...flags)
      assert.is(await count(engine, other), 2)
      assert.is(await engine.exec(other, 'cat /file /volume/file; test -e /etc/group; echo $?'), 'root\nvolume\n1')
      const [id = '', address = ''] = (await engine.inspect(other, identity)).split(' ')
      assert.match(await engine.exec(other, 'ip -o -4 addr show eth0'), new RegExp(` ${address}/`))
      for (const each of [id, address]) assert.not.ok(seen.includes(each), `two have ${each}`)
      seen.push(id, address)
    }
  },
  NEEDS_CRIU,
)

on(
  'podman',
  'checkpoint --create-image: a container from a checkpoint that is an image',
  async (engine) => {
    const image = `localhost/${engine.fresh()}`
    const name = await launchTeller(engine)
    await engine.exec(name, 'echo here >/file')
    assert.is(await count(engine, name), 1)
    await checkpoint(engine, name, '--create-image', image)
    await engine.said('rm', name)
    const other = engine.fresh()
    await engine.said('container', 'restore', '--name', other, image)
    assert.is(await count(engine, other), 2)
    assert.is(await engine.exec(other, 'cat /file'), 'here')
    await engine.said('rmi', image)
  },
  NEEDS_CRIU,
)

/** Bytes of memory in a folder of images. */
function memoryIn(folder: string): number {
  const pages = readdirSync(folder).filter((name) => /^pages-.*\.img$/.test(name))
  return pages.reduce((sum, name) => sum + statSync(`${folder}/${name}`).size, 0)
}

on(
  'podman',
  'checkpoint --pre-checkpoint, --with-previous: memory that has not changed is saved once',
  async (engine) => {
    const check = await engine.host(['criu', 'check', '--feature', 'mem_dirty_track'])
    if (check.status !== 0) skip(`${check.stdout}${check.stderr}`.trim())
    const [first, second] = [`${engine.folder}/first.tar`, `${engine.folder}/second.tar`]
    const name = await launchTeller(engine)
    assert.is(await count(engine, name), 1)
    await engine.said(...checkpointWords(engine, name, '--pre-checkpoint', '--export', first))
    assert.is(await statusOf(engine, name), 'running')
    assert.is(await count(engine, name), 2)
    await checkpoint(engine, name, '--with-previous', '--export', second)
    assert.is(await statusOf(engine, name), 'exited')
    const folder = await folderOf(engine, name)
    const [all, changed] = [memoryIn(`${folder}/pre-checkpoint`), memoryIn(`${folder}/checkpoint`)]
    assert.ok(0 < changed && changed < all, `${changed} of ${all} bytes`)
    await restore(engine, name)
    assert.is(await count(engine, name), 3)
    const other = await imported(engine, second, '--import-previous', first)
    assert.is(await count(engine, other), 3)
  },
  NEEDS_CRIU,
)

/** A client outside: what it sends must come back. */
class Echo implements Disposable {
  readonly #socket: ReturnType<typeof connect>
  #heard = ''

  constructor(address: string, port: number) {
    this.#socket = connect(port, address)
    this.#socket.on('data', (data) => {
      this.#heard += data
    })
    this.#socket.on('error', (error) => {
      this.#heard += `${error}`
    })
  }

  async says(line: string): Promise<void> {
    this.#socket.write(`${line}\n`)
    const echo = async () => ({ done: this.#heard.includes(`${line}\n`), value: undefined, seen: this.#heard })
    await waitFor(`the echo of ${line}`, echo)
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

on(
  'podman',
  'a connection takes --tcp-established at both ends, and outlives the checkpoint',
  async (engine) => {
    const name = engine.fresh()
    const server = 'while :; do nc -l -p 5000 -e cat; done'
    await engine.said('run', '--detach', '--name', name, IMAGE, 'sh', '-c', server)
    await engine.until(/:1388 /, 'exec', name, 'cat', '/proc/net/tcp', '/proc/net/tcp6')
    using client = new Echo(await engine.inspect(name, '{{.NetworkSettings.IPAddress}}'), 5000)
    await client.says('one')
    const isRunt = engine.engine.world.runtime.name === 'runt'
    const unsaved = refused(await engine.run(checkpointWords(engine, name)))
    if (isRunt) assert.match(unsaved, /criu failed: .*tcp-established/)
    assert.is(await engine.inspect(name, '{{.State.Status}} {{.State.Checkpointed}}'), 'running false')
    await client.says('two')
    await checkpoint(engine, name, '--tcp-established')
    const unrestored = refused(await engine.run(['container', 'restore', '--keep', name]))
    if (isRunt) assert.match(unrestored, /criu failed: .*Connected TCP socket in image/)
    assert.is(await statusOf(engine, name), 'exited')
    await restore(engine, name, '--tcp-established')
    await client.says('three')
  },
  NEEDS_CRIU,
)

on(
  'podman',
  'with --file-locks a lock is held again',
  async (engine) => {
    const name = await launchTeller(engine, LOCKING.flags, LOCKING.before)
    await checkpoint(engine, name, '--file-locks')
    await restore(engine, name, '--file-locks')
    assert.is(await count(engine, name), 1)
    assert.is((await engine.run(['exec', name, '/usr/bin/flock', '-n', '/scratch/lock', 'true'])).status, 1)
  },
  NEEDS_CRIU,
)

/** A container in a pod of its own, restored into another. */
async function movedToPod(engine: Session): Promise<{ pod: string; name: string }> {
  const [first, second, archive] = [engine.fresh(), engine.fresh(), `${engine.folder}/checkpoint.tar`]
  await engine.said('pod', 'create', '--name', first)
  const pod = await engine.said('pod', 'create', '--name', second, '--hostname=second')
  const name = await launchTeller(engine, ['--pod', first])
  assert.is(await count(engine, name), 1)
  await checkpoint(engine, name, '--export', archive)
  return { pod, name: await imported(engine, archive, '--pod', pod) } // by its name the pod is not found
}

/** A further container of a pod. */
function neighbour(engine: Session, pod: string): Promise<string> {
  return engine.launch('sleep 300', '--pod', pod)
}

on(
  'podman',
  'a container of a pod is restored into another pod',
  async (engine) => {
    const { pod, name } = await movedToPod(engine)
    assert.is(await count(engine, name), 2)
    const look = 'for n in net ipc uts; do readlink /proc/1/ns/$n; done'
    assert.is(await engine.exec(await neighbour(engine, pod), look), await engine.exec(name, look))
  },
  NEEDS_CRIU,
)

on(
  'podman',
  'a pod keeps its host name when a container is restored into it',
  async (engine) => {
    const { pod, name } = await movedToPod(engine)
    for (const each of [name, await neighbour(engine, pod)]) assert.is(await engine.exec(each, 'hostname'), 'second')
  },
  NEEDS_CRIU,
)
