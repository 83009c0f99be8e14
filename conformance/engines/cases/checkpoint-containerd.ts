// containerd's checkpoints, by ctr: into folders, and into images from which containers are restored.

import { existsSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { succeeded } from '../../box.ts'
import { on } from '../case.ts'
import { TELLER } from '../checkpoints.ts'
import { type Session, waitFor } from '../engine.ts'
import { exec, launch, status } from './containerd.ts'

const NEEDS_CRIU = { criu: true }

/** What it has told, in the file that it keeps: ctr shows no logs. */
async function told(engine: Session, name: string): Promise<string[]> {
  const { stdout } = await exec(engine, name, 'cat /told')
  return stdout.split('\n').filter(Boolean)
}

/** Send it a signal. @returns the line that it tells then */
async function count(engine: Session, name: string): Promise<string> {
  const before = (await told(engine, name)).length
  await engine.said('tasks', 'kill', '--signal=USR1', name)
  return waitFor(`${name} to tell`, async () => {
    const now = await told(engine, name)
    return { done: now.length > before, value: now.at(-1) ?? '', seen: now.join(' ') }
  })
}

async function launchTeller(engine: Session, ...flags: string[]): Promise<string> {
  const name = await launch(engine, `touch /told; ${TELLER}`, ...flags)
  await waitFor(`${name} to listen`, async () => {
    // USR1 is the signal 10, and caught.
    const { stdout } = await exec(engine, name, 'grep SigCgt /proc/1/status')
    return { done: (Number.parseInt(stdout.trim().slice(-3), 16) & (1 << 9)) !== 0, value: undefined, seen: stdout }
  })
  return name
}

on(
  'containerd',
  'tasks checkpoint: images and log in folders, and the task goes on, or ends with --exit',
  async (engine) => {
    const name = await launchTeller(engine)
    for (const [number, flags] of [[], ['--exit']].entries()) {
      const [images, work] = [`${engine.folder}/images${number}`, `${engine.folder}/work${number}`]
      assert.is(await count(engine, name), `n=${number + 1}`)
      await engine.said('tasks', 'checkpoint', '--image-path', images, '--work-path', work, ...flags, name)
      assert.ok(existsSync(`${images}/inventory.img`))
      assert.ok(existsSync(`${work}/dump.log`))
      if (flags.length === 0) assert.is(await status(engine, name), 'RUNNING')
    }
    await engine.until(new RegExp(`^${name} .*STOPPED`, 'm'), 'tasks', 'ls')
    await engine.run(['tasks', 'delete', name])
    assert.is(await status(engine, name), undefined)
  },
  NEEDS_CRIU,
)

on(
  'containerd',
  'containers checkpoint, restore: a container that goes on where another was',
  async (engine) => {
    const image = `localhost/${engine.id}:checkpoint`
    const name = await launchTeller(engine, '--env=A=b')
    assert.is(await count(engine, name), 'n=1')
    await engine.said('containers', 'checkpoint', '--rw', '--image', '--task', name, image)
    assert.is(await count(engine, name), 'n=2')
    // The cgroup of the other is the same.
    await engine.said('tasks', 'kill', '--signal=KILL', name)
    await engine.until(new RegExp(`^${name} .*STOPPED`, 'm'), 'tasks', 'ls')
    await engine.run(['tasks', 'delete', name])
    const other = engine.fresh()
    // Without a terminal it may be back as soon as the container runs, or wait for its end, whatever that is.
    const restored = engine.run(['containers', 'restore', '--rw', '--live', other, image])
    const runs = engine.until(new RegExp(`^${other} .*RUNNING`, 'm'), 'tasks', 'ls')
    await Promise.race([runs, restored.then(succeeded).then(() => runs)])
    assert.equal(await told(engine, other), ['n=1'])
    assert.is(await count(engine, other), 'n=2')
    assert.is(succeeded(await exec(engine, other, 'tr "\\0" "\\n" </proc/1/environ | grep ^A=')).stdout, 'A=b\n')
    await engine.said('tasks', 'kill', other)
    succeeded(await restored)
    await engine.said('images', 'remove', image)
  },
  NEEDS_CRIU,
)
