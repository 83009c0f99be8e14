// What Docker alone has of checkpoints: several for a container, each by its name.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { on } from '../case.ts'
import { count, launchTeller, startFrom, TELLER } from '../checkpoints.ts'
import { refused } from '../engine.ts'
import { IMAGE } from '../image.ts'

const NEEDS_CRIU = { criu: true }

on(
  'docker',
  'checkpoint create, ls, rm: a container goes on from any that it has, as often as one likes',
  async (engine) => {
    const name = await launchTeller(engine)
    const list = (): Promise<string> => engine.said('checkpoint', 'ls', name)
    for (const [number, label] of ['early', 'late'].entries()) {
      assert.is(await count(engine, name), number + 1)
      await engine.said('checkpoint', 'create', '--leave-running', name, label)
      assert.match(await list(), new RegExp(`^${label}$`, 'm'))
    }
    for (const [label, number] of [
      ['early', 2],
      ['late', 3],
      ['early', 2],
    ] as const) {
      await engine.said('kill', name)
      await engine.said('wait', name)
      await startFrom(engine, name, label)
      assert.is(await count(engine, name), number)
    }
    assert.match(refused(await engine.run(['checkpoint', 'create', name, 'late'])), /already exists/)
    await engine.said('checkpoint', 'rm', name, 'early')
    assert.match(await list(), /^[^\n]*\nlate$/)
    await engine.said('kill', name)
    await engine.said('wait', name)
    assert.match(refused(await engine.run(['start', '--checkpoint=early', name])), /early/)
  },
  NEEDS_CRIU,
)

on(
  'docker',
  'checkpoint create --checkpoint-dir: another container goes on from its images',
  async (engine) => {
    const folder = `${engine.folder}/checkpoints`
    const name = await launchTeller(engine)
    assert.is(await count(engine, name), 1)
    await engine.said('checkpoint', 'create', `--checkpoint-dir=${folder}`, name, 'one')
    await engine.said('wait', name)
    assert.match(await engine.said('checkpoint', 'ls', `--checkpoint-dir=${folder}`, name), /^one$/m)
    assert.ok(existsSync(`${folder}/one/inventory.img`))
    const elsewhere = ['start', '--checkpoint=one', `--checkpoint-dir=${folder}`, name]
    assert.match(refused(await engine.run(elsewhere)), /custom checkpointdir is not supported/)
    // Where dockerd looks for them.
    const other = engine.fresh()
    const id = await engine.said('create', '--name', other, IMAGE, 'sh', '-c', TELLER)
    const root = await engine.said('info', '--format', '{{.DockerRootDir}}')
    await engine.shell(`cp -r ${folder}/one ${root}/containers/${id}/checkpoints/`)
    await startFrom(engine, other, 'one')
    assert.is(await count(engine, other), 2)
    assert.is(await engine.exec(other, 'cat /told'), 'n=2')
  },
  NEEDS_CRIU,
)

/** What the signals make it tell goes through a connection first. */
const CONNECTED =
  'mkfifo /in; nc -l -p 5000 -e cat & exec 3<>/in; until grep -q ":1388 " /proc/net/tcp*; do sleep 0.05; done; ' +
  'nc 127.0.0.1 5000 <&3 & until grep -q ":1388 .* 01 " /proc/net/tcp*; do sleep 0.05; done; ' +
  `n=0; trap 'n=$((n+1)); echo n=$n >&3' USR1; echo ready; while :; do sleep 0.05; done`

on(
  'docker',
  'an open connection takes an option in the file of CRIU’s',
  async (engine) => {
    const name = await engine.launch(CONNECTED)
    await engine.until(/^ready/m, 'logs', name)
    assert.is(await count(engine, name), 1)
    refused(await engine.run(['checkpoint', 'create', name, 'one']))
    assert.is(await count(engine, name), 2)
    mkdirSync('/etc/criu', { recursive: true })
    const file = `/etc/criu/${engine.engine.world.runtime.name}.conf`
    writeFileSync(file, 'tcp-established\n')
    try {
      await engine.said('checkpoint', 'create', name, 'one')
      await engine.said('wait', name)
      await startFrom(engine, name, 'one')
    } finally {
      rmSync(file)
    }
    assert.is(await count(engine, name), 3)
  },
  NEEDS_CRIU,
)
