// dockerd on a containerd of its own, with the runtime under test as the default.

import { mkdirSync, writeFileSync } from 'node:fs'
import { succeeded } from '../box.ts'
import { execute } from '../runtime.ts'
import { containerdConfig, probeContainerd } from './containerd.ts'
import { Daemon } from './daemon.ts'
import type { Engine, World } from './engine.ts'

const STARTING_SECONDS = 60
/** "runc" is a name that dockerd keeps for its own. */
const RUNTIME_NAME = 'tested'

export interface Dockerd extends AsyncDisposable {
  readonly client: readonly string[]
  readonly daemon: Daemon
}

/** One dockerd; more may stand beside it, each with a name of its own. */
export async function startDockerd(
  world: World,
  name: string,
  containerdSocket: string,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Dockerd> {
  const folder = `${world.folder}/${name}`
  mkdirSync(folder, { recursive: true })
  const socket = `/run/${name}.sock`
  const config = {
    'data-root': `${folder}/data`,
    'exec-root': `/run/${name}`,
    pidfile: `/run/${name}.pid`,
    hosts: [`unix://${socket}`],
    containerd: containerdSocket,
    'containerd-namespace': name,
    'containerd-plugins-namespace': `${name}-plugins`,
    runtimes: { [RUNTIME_NAME]: { path: world.runtime.path } },
    'default-runtime': RUNTIME_NAME,
    'storage-driver': 'overlay2',
    'oom-score-adjust': 0,
    ...settings,
  }
  writeFileSync(`${folder}/daemon.json`, JSON.stringify(config))
  const client = ['docker', '--host', `unix://${socket}`]
  const daemon = new Daemon(['dockerd', '--config-file', `${folder}/daemon.json`], `${folder}/log`, {
    PATH: `${linkAsRunc(world, folder)}:${process.env.PATH}`,
  })
  await daemon.ready(async () => (await execute([...client, 'version'], `${folder}/probe`)).status === 0)
  return { client, daemon, [Symbol.asyncDispose]: () => daemon.stop() }
}

/** BuildKit takes the first runc of the PATH; it gets the runtime under test, and a log of calls is kept in runc.log. */
function linkAsRunc({ runtime }: World, folder: string): string {
  const bin = `${folder}/bin`
  mkdirSync(bin, { recursive: true })
  writeFileSync(`${bin}/runc`, `#!/bin/sh\necho "$@" >>${folder}/runc.log\nexec ${runtime.path} "$@"\n`, {
    mode: 0o755,
  })
  return bin
}

export async function startDocker(world: World): Promise<Engine> {
  const folder = `${world.folder}/docker`
  mkdirSync(folder)
  const socket = '/run/docker-containerd.sock'
  writeFileSync(`${folder}/containerd.toml`, containerdConfig(`${folder}/containerd`, '/run/docker-containerd', socket))
  const containerd = new Daemon(['containerd', '--config', `${folder}/containerd.toml`], `${folder}/containerd.log`)
  await containerd.ready(() => probeContainerd(socket, folder))
  const { client, daemon } = await startDockerd(world, 'docker', socket)
  succeeded(
    await execute([...client, 'load', '--input', world.archive], `${folder}/load`, { seconds: STARTING_SECONDS }),
  )
  return {
    name: 'docker',
    world,
    client,
    async tidy(session) {
      if (session.names.length === 0) return
      await session.run(['rm', '--force', '--volumes', ...session.names])
      await session.run(['network', 'rm', ...session.names])
      await session.run(['volume', 'rm', '--force', ...session.names])
    },
    async [Symbol.asyncDispose]() {
      await daemon.stop()
      await containerd.stop()
    },
  }
}
