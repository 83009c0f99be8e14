// Podman and Docker as an ordinary user, who has a name, a home and ranges of ids in this world.

import { appendFileSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { succeeded } from '../box.ts'
import { linkBuilt } from '../built.ts'
import { execute } from '../runtime.ts'
import { Daemon } from './daemon.ts'
import { tidyDocker } from './docker.ts'
import type { Engine, World } from './engine.ts'
import { RUNTIME_NAME } from './path.ts'
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
  const user = await makeUser(world)
  configure(`${user.home}/.config/containers`, { ...world, runtime: user.runtime })
  const client = [...user.words, 'podman']
  await load(client, world, `${world.folder}/${NAME}-load`)
  return { name: 'rootless', world, client, tidy: tidyPodman, async [Symbol.asyncDispose]() {} }
}

async function load(client: readonly string[], { archive }: World, output: string): Promise<void> {
  succeeded(await execute([...client, 'load', '--input', archive], output, { seconds: STARTING_SECONDS }))
}

const DOCKERD = '/usr/share/docker.io/contrib/dockerd-rootless.sh'

/** dockerd, with a containerd of its own, in the namespaces of rootlesskit. */
export async function startRootlessDocker(world: World): Promise<Engine> {
  const { home, runtimeDirectory, words, runtime } = await makeUser(world)
  const folder = `${home}/docker`
  mkdirSync(folder)
  const config = {
    'data-root': `${folder}/data`,
    runtimes: { [RUNTIME_NAME]: { path: runtime.path } },
    'default-runtime': RUNTIME_NAME,
    'shutdown-timeout': 1,
  }
  writeFileSync(`${folder}/daemon.json`, JSON.stringify(config))
  chownSync(folder, UID, UID)
  const client = [...words, 'docker', '--host', `unix://${runtimeDirectory}/docker.sock`]
  const daemon = new Daemon(
    [...words, DOCKERD, '--config-file', `${folder}/daemon.json`],
    `${world.folder}/rootless-docker.log`,
  )
  await daemon.ready(async () => (await execute([...client, 'version'], `${world.folder}/${NAME}-probe`)).status === 0)
  await load(client, world, `${world.folder}/${NAME}-docker-load`)
  return { name: 'rootless-docker', world, client, tidy: tidyDocker, [Symbol.asyncDispose]: () => daemon.stop() }
}

interface User {
  readonly home: string
  readonly runtimeDirectory: string
  /** What a command of his begins with. */
  readonly words: readonly string[]
  /** The runtime under test, where he can go. */
  readonly runtime: World['runtime']
}

let user: User | undefined

/** He is there once for all engines. */
async function makeUser(world: World): Promise<User> {
  if (user !== undefined) return user
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
  const identity = ['--reuid', `${UID}`, '--regid', `${UID}`, '--clear-groups']
  const variables = [`PATH=${PATH}`, `HOME=${home}`, `XDG_RUNTIME_DIR=${runtimeDirectory}`, 'LANG=C.UTF-8']
  const runtime = reachable(world)
  user = { home, runtimeDirectory, runtime, words: ['setpriv', ...identity, 'env', '-i', '-C', home, ...variables] }
  return user
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
