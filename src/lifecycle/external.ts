// What of a container is not its own but the host's, and so is left out of a checkpoint and given anew at restore: binds,
// devices, masks, folders of cgroups, namespaces that it joined.

import { type Cgroup, UNIFIED } from '../cgroup/cgroup.ts'
import type { Config } from '../config/types.ts'
import { resolveInRoot } from '../host/in-root.ts'
import type { MountEntry } from '../host/mounts.ts'
import type { NamespaceType } from '../linux/namespaces.ts'
import { isMountable } from '../lowering/cgroup-mount.ts'
import { devicePaths } from '../lowering/devices.ts'
import { realPath } from '../native/file.ts'

/** As the config has it; where its mounts really are, the kernel tells. */
export interface ExternalRecord {
  /** Destinations of binds. */
  readonly binds: readonly string[]
  /** Destinations of cgroup mounts that show folders of the host's own mounts. */
  readonly cgroups: readonly string[]
  readonly devices: readonly string[]
  readonly maskedPaths: readonly string[]
  /** Namespaces given by path. */
  readonly joined: readonly NamespaceType[]
}

export function externalRecord(config: Config): ExternalRecord {
  const { mounts, linux } = config
  const cgroups = mounts.filter(({ kind, type }) => kind === 'filesystem' && type === 'cgroup')
  return {
    binds: mounts.filter(({ kind }) => kind === 'bind').map(({ destination }) => destination),
    cgroups: isMountable({ config }) ? [] : cgroups.map(({ destination }) => destination),
    devices: devicePaths(config),
    maskedPaths: linux.maskedPaths,
    joined: linux.namespaces.filter(({ path }) => path !== undefined).map(({ type }) => type),
  }
}

/** How CRIU calls what masks files; restore takes the host's null device for it, on a mount that is read-only as before. */
export const NULL_DEVICE = '/dev/null'

/**
 * External mounts that a container has.
 * @param rootfs on the host: links of the image lead destinations elsewhere
 * @param mounts that its init sees
 * @returns mount point in the container → the name that restore knows it by
 */
export function externalMounts(
  { binds, cgroups, devices, maskedPaths }: ExternalRecord,
  cgroup: Cgroup,
  rootfs: string,
  mounts: readonly MountEntry[],
): Map<string, string> {
  const seen = new Map(mounts.map((mount) => [mount.point, mount]))
  const placeOf = (path: string): string | undefined =>
    [path, resolveInRoot(rootfs, path)].find((place) => seen.has(place))
  const found = new Map<string, string>()
  for (const path of [...binds, ...cgroups.flatMap((folder) => cgroupPlaces(folder, cgroup)), ...devices]) {
    const place = placeOf(path)
    if (place !== undefined) found.set(place, place)
  }
  for (const path of maskedPaths) {
    const place = placeOf(path)
    if (place !== undefined && seen.get(place)?.type !== 'tmpfs') found.set(place, NULL_DEVICE)
  }
  return found
}

/**
 * Where external mounts come from at restore, by every name that a checkpoint may have for them.
 * @param cgroup of the new container
 */
export function externalSources(config: Config, cgroup: Cgroup): Map<string, string> {
  const { cgroups, devices } = externalRecord(config)
  const sources = new Map([[NULL_DEVICE, NULL_DEVICE]])
  for (const path of devices) sources.set(path, path)
  for (const folder of cgroups) {
    for (const [index, place] of cgroupPlaces(folder, cgroup).entries()) {
      sources.set(place, hierarchiesOf(cgroup)[index]?.[1] ?? '')
    }
  }
  for (const { kind, destination, source } of config.mounts) {
    if (kind !== 'bind' || source === undefined) continue
    const place = realPath(source) // CRIU doesn't follow a link
    sources.set(destination, place)
    sources.set(resolveInRoot(config.root.path, destination), place)
  }
  return sources
}

/** Below a cgroup mount, a folder for each hierarchy of version 1. */
function cgroupPlaces(destination: string, cgroup: Cgroup): string[] {
  return hierarchiesOf(cgroup).map(([name]) => `${destination}/${name}`)
}

function hierarchiesOf({ directories }: Cgroup): [name: string, directory: string][] {
  return Object.entries(directories).filter(([name]) => name !== UNIFIED)
}
