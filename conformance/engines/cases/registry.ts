// A registry on this machine: what an engine pushes, it and others can pull and run.

import { mkdirSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { skip } from '../../case.ts'
import { execute } from '../../runtime.ts'
import { BOTH, on } from '../case.ts'
import { Daemon } from '../daemon.ts'
import type { Session } from '../engine.ts'
import { IMAGE } from '../image.ts'
import { missingPrograms } from '../missing.ts'

/** @returns the registry's address */
async function serve(engine: Session, port: number): Promise<{ address: string; daemon: Daemon }> {
  const missing = missingPrograms(['docker-registry'])
  if (missing !== undefined) skip(missing)
  const address = `127.0.0.1:${port}`
  const folder = `${engine.folder}/registry`
  mkdirSync(folder)
  const config = {
    version: '0.1',
    storage: { filesystem: { rootdirectory: `${folder}/data` } },
    http: { addr: address },
    log: { level: 'warn' },
  }
  writeFileSync(`${folder}/config.yml`, JSON.stringify(config))
  const daemon = new Daemon(['docker-registry', 'serve', `${folder}/config.yml`], `${folder}/log`)
  const probe = ['busybox', 'wget', '-q', '-O', '-', `http://${address}/v2/`]
  await daemon.ready(async () => (await execute(probe, `${folder}/probe`)).status === 0)
  return { address, daemon }
}

on(BOTH, 'push to a registry, and pull from it', async (engine) => {
  const podman = engine.engine.name === 'podman'
  const { address, daemon } = await serve(engine, podman ? 5001 : 5002)
  await using _registry = daemon
  const [tag, flags] = [`${address}/pushed:1`, podman ? ['--tls-verify=false'] : []]
  const { name } = await engine.ended('echo pushed >/mark')
  await engine.said('commit', name, tag)
  await engine.said('push', ...flags, tag)
  await engine.said('rm', '--force', name)
  await engine.said('rmi', tag)
  assert.is.not((await engine.run(['inspect', tag])).status, 0)
  await engine.said('pull', ...flags, tag)
  assert.is(await engine.said('run', '--rm', '--name', engine.fresh(), tag, 'cat', '/mark'), 'pushed')
})

on('containerd', 'push to a registry, and pull from it', async (engine) => {
  const { address, daemon } = await serve(engine, 5003)
  await using _registry = daemon
  const tag = `${address}/pushed:1`
  await engine.said('images', 'tag', IMAGE, tag)
  await engine.said('images', 'push', '--plain-http', tag)
  await engine.said('images', 'remove', tag)
  await engine.said('images', 'pull', '--plain-http', tag)
  const words = ['run', '--rm', '--runc-binary', engine.engine.world.runtime.path, tag, engine.fresh()]
  assert.is(await engine.said(...words, 'sh', '-c', 'echo $IMAGE'), 'box')
})
