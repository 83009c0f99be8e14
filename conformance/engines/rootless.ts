// Podman as an ordinary user, who has a name, a home and ranges of ids in this world.

import { appendFileSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { succeeded } from '../box.ts'
import { linkBuilt } from '../built.ts'
import { execute } from '../runtime.ts'
import type { Engine, World } from './engine.ts'
import { containersConf, tidyPodman } from './podman.ts'

export const UID = 4321
const NAME = 'ordinary'
const RANGE = `${NAME}:300000:65536\n`
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
const STARTING_SECONDS = 60

/** The user's own folder. */
export function homeOf({ folder }: Pick<World, 'folder'>): string {
  return `${folder}/${NAME}`
}

export async function startRootless(world: World): Promise<Engine> {
  const home = homeOf(world)
  const runtimeDirectory = `/run/user/${UID}`
  appendFileSync('/etc/passwd', `${NAME}:x:${UID}:${UID}::${home}:/bin/sh\n`)
  appendFileSync('/etc/group', `${NAME}:x:${UID}:\n`)
  for (const file of ['subuid', 'subgid']) writeFileSync(`/etc/${file}`, RANGE)
  mkdirSync('/run/user', { recursive: true })
  for (const folder of [home, `${home}/.config`, `${home}/.config/containers`, runtimeDirectory]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chownSync(folder, UID, UID)
  }
  await openTun(world)
  configure(`${home}/.config/containers`, { ...world, runtime: reachable(world) })
  const identity = ['--reuid', `${UID}`, '--regid', `${UID}`, '--clear-groups']
  const variables = [`PATH=${PATH}`, `HOME=${home}`, `XDG_RUNTIME_DIR=${runtimeDirectory}`, 'LANG=C.UTF-8']
  const client = ['setpriv', ...identity, 'env', '-i', '-C', home, ...variables, 'podman']
  const load = [...client, 'load', '--input', world.archive]
  succeeded(await execute(load, `${world.folder}/${NAME}-load`, { seconds: STARTING_SECONDS }))
  return { name: 'rootless', world, client, tidy: tidyPodman, async [Symbol.asyncDispose]() {} }
}

/** slirp4netns opens it with the user's rights: on most machines everybody may. */
async function openTun(world: World): Promise<void> {
  const node = `${world.folder}/tun`
  const script = `mknod -m 666 ${node} c 10 200 && mount --bind ${node} /dev/net/tun`
  succeeded(await execute(['sh', '-c', script], `${world.folder}/${NAME}-tun`))
}

/** A checkout may lie where he can't go. */
function reachable({ runtime, folder }: World): World['runtime'] {
  return runtime.name === 'runt' ? { ...runtime, path: linkBuilt(`${folder}/${NAME}-runtime`) } : runtime
}

function configure(folder: string, world: World): void {
  writeFileSync(`${folder}/containers.conf`, containersConf(world))
  writeFileSync(`${folder}/storage.conf`, '[storage]\ndriver = "overlay"\n')
  writeFileSync(`${folder}/policy.json`, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
}
