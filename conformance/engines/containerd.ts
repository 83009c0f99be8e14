// containerd with its runc shim, which calls the runtime under test.

import { mkdirSync, writeFileSync } from 'node:fs'
import { succeeded } from '../box.ts'
import { execute } from '../runtime.ts'
import { Daemon } from './daemon.ts'
import type { Engine, World } from './engine.ts'
import { pathWithRuntime } from './path.ts'

const NAMESPACE = 'engines'

/** As little as is needed: CRI only if it is configured, and of the snapshotters overlayfs and native. */
export function containerdConfig(root: string, state: string, socket: string, cri?: string): string {
  return `
version = 2
root = "${root}"
state = "${state}"
disabled_plugins = [
  ${cri === undefined ? '"io.containerd.grpc.v1.cri", ' : ''}"io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
oom_score = 0
[grpc]
address = "${socket}"
${cri ?? ''}`
}

/** Does it answer? */
export async function probeContainerd(socket: string, folder: string): Promise<boolean> {
  return (await execute(['ctr', '--address', socket, 'version'], `${folder}/probe`)).status === 0
}

export interface Containerd extends Engine {
  readonly daemon: Daemon
}

export function startContainerd(world: World): Promise<Containerd> {
  return startContainerdAs(world, 'containerd-alone')
}

/** One containerd; started again by the same name, it finds what the last one left. */
export async function startContainerdAs(
  world: World,
  name: string,
  namespace = NAMESPACE,
  cri?: string,
): Promise<Containerd> {
  const folder = `${world.folder}/${name}`
  mkdirSync(folder, { recursive: true })
  const socket = `/run/${name}.sock`
  writeFileSync(`${folder}/config.toml`, containerdConfig(`${folder}/root`, `/run/${name}`, socket, cri))
  const daemon = new Daemon(['containerd', '--config', `${folder}/config.toml`], `${folder}/log`, {
    PATH: pathWithRuntime(world, folder),
  })
  await daemon.ready(() => probeContainerd(socket, folder))
  const client = ['ctr', '--address', socket, '--namespace', namespace]
  succeeded(await execute([...client, 'images', 'import', world.archive], `${folder}/load`))
  return {
    name: 'containerd',
    world,
    client,
    daemon,
    async tidy(session) {
      for (const name of session.names) {
        await session.run(['tasks', 'delete', '--force', name])
        await session.run(['containers', 'delete', name])
      }
    },
    [Symbol.asyncDispose]: () => daemon.stop(),
  }
}
