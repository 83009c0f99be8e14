// Podman and Buildah with storage, configuration and runtime of their own; they need no daemon.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { succeeded } from '../box.ts'
import { execute } from '../runtime.ts'
import type { Engine, Session, World } from './engine.ts'

const STARTING_SECONDS = 60
/** The world's own, and the only place where all that Podman starts finds it. */
const ETC = '/etc/containers'

export async function startPodman(world: World): Promise<Engine> {
  await prepare(world)
  return {
    name: 'podman',
    world,
    client: ['podman'],
    tidy: tidyPodman,
    async [Symbol.asyncDispose]() {},
  }
}

/** Whoever's it is. */
export async function tidyPodman(session: Session): Promise<void> {
  if (session.names.length === 0) return
  await session.run(['pod', 'rm', '--force', '--ignore', '--time', '0', ...session.names])
  await session.run(['rm', '--force', '--ignore', '--volumes', '--time', '0', ...session.names])
  await session.run(['volume', 'rm', '--force', ...session.names])
  await session.run(['network', 'rm', '--force', ...session.names])
}

export async function startBuildah(world: World): Promise<Engine> {
  await prepare(world)
  return {
    name: 'buildah',
    world,
    client: ['env', `BUILDAH_RUNTIME=${world.runtime.path}`, 'buildah'],
    async tidy(session) {
      if (session.names.length > 0) await session.run(['rm', ...session.names])
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** Both use the same storage, as on any machine. */
async function prepare(world: World): Promise<void> {
  const folder = `${world.folder}/containers`
  if (existsSync(folder)) return
  mkdirSync(folder)
  mkdirSync(ETC, { recursive: true })
  writeFileSync(`${ETC}/containers.conf`, containersConf(world))
  writeFileSync(`${ETC}/storage.conf`, storageConf(folder))
  writeFileSync(`${ETC}/policy.json`, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
  succeeded(
    await execute(['podman', 'load', '--input', world.archive], `${folder}/load`, { seconds: STARTING_SECONDS }),
  )
}

/** containers.conf. */
export function containersConf({ runtime }: World): string {
  return `
[containers]
log_driver = "k8s-file"
[engine]
runtime = "${runtime.name}"
runtime_supports_json = ["${runtime.name}"]
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
${runtime.name} = ["${runtime.path}"]
[network]
network_backend = "netavark"
`
}

function storageConf(folder: string): string {
  return `
[storage]
driver = "overlay"
graphroot = "${folder}/storage"
runroot = "/run/containers/storage"
`
}
