// dockerd on a containerd of its own, with the runtime under test as the default.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { succeeded } from '../box.ts'
import { execute } from '../runtime.ts'
import { containerdConfig, probeContainerd } from './containerd.ts'
import { Daemon } from './daemon.ts'
import type { Engine, Session, World } from './engine.ts'
import { pathWithRuntime, RUNTIME_NAME } from './path.ts'

const STARTING_SECONDS = 60
/** Of the containerd that all the dockerds share. */
const CONTAINERD = '/run/docker-containerd.sock'
/** A network of its own: two dockerds in one would take the bridge from each other. */
const APART = ['unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'apart']

export interface Dockerd extends Engine {
  readonly daemon: Daemon
}

/** One more dockerd, without images, on the containerd of the first; started again by the same name, it finds what the last one left. */
export function startAnotherDockerd(
  world: World,
  name: string,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Dockerd> {
  return startDockerd(world, name, settings, APART)
}

/** @param words before the command */
async function startDockerd(
  world: World,
  name: string,
  settings: Readonly<Record<string, unknown>> = {},
  words: readonly string[] = [],
): Promise<Dockerd> {
  const folder = `${world.folder}/${name}`
  mkdirSync(folder, { recursive: true })
  const socket = `/run/${name}.sock`
  const config = {
    'data-root': `${folder}/data`,
    'exec-root': `/run/${name}`,
    pidfile: `/run/${name}.pid`,
    hosts: [`unix://${socket}`],
    containerd: CONTAINERD,
    'containerd-namespace': name,
    'containerd-plugins-namespace': `${name}-plugins`,
    runtimes: { [RUNTIME_NAME]: { path: world.runtime.path } },
    'default-runtime': RUNTIME_NAME,
    'storage-driver': 'overlay2',
    'oom-score-adjust': 0,
    'shutdown-timeout': 1,
    ...settings,
  }
  writeFileSync(`${folder}/daemon.json`, JSON.stringify(config))
  const client = ['docker', '--host', `unix://${socket}`]
  const daemon = new Daemon([...words, 'dockerd', '--config-file', `${folder}/daemon.json`], `${folder}/log`, {
    PATH: pathWithRuntime(world, folder),
  })
  await daemon.ready(async () => (await execute([...client, 'version'], `${folder}/probe`)).status === 0)
  return {
    name: 'docker',
    world,
    client,
    daemon,
    tidy: tidyDocker,
    [Symbol.asyncDispose]: () => daemon.stop(),
  }
}

export async function tidyDocker(session: Session): Promise<void> {
  if (session.names.length === 0) return
  await session.run(['rm', '--force', '--volumes', ...session.names])
  await session.run(['network', 'rm', ...session.names])
  await session.run(['volume', 'rm', '--force', ...session.names])
}

/** The image for one dockerd. */
export async function loadImage(dockerd: Dockerd): Promise<void> {
  const { world, client } = dockerd
  const output = mkdtempSync(`${world.folder}/load-`)
  succeeded(
    await execute([...client, 'load', '--input', world.archive], `${output}/load`, { seconds: STARTING_SECONDS }),
  )
}

export async function startDocker(world: World): Promise<Engine> {
  const folder = `${world.folder}/docker`
  mkdirSync(folder)
  writeFileSync(
    `${folder}/containerd.toml`,
    containerdConfig(`${folder}/containerd`, '/run/docker-containerd', CONTAINERD),
  )
  const containerd = new Daemon(['containerd', '--config', `${folder}/containerd.toml`], `${folder}/containerd.log`)
  await containerd.ready(() => probeContainerd(CONTAINERD, folder))
  const dockerd = await startDockerd(world, 'docker', { experimental: true }) // for checkpoints
  await loadImage(dockerd)
  return {
    ...dockerd,
    async [Symbol.asyncDispose]() {
      await dockerd.daemon.stop()
      await containerd.stop()
    },
  }
}
