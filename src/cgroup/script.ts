// What createCgroup() would do, as a list for somebody else to do: for a cgroup whose folders aren't there yet.

import type { Resources } from '../config/types.ts'
import { placesOf } from './apply.ts'
import { type Cgroup, UNIFIED, v1DirectoryOf } from './cgroup.ts'
import { controllersOf, hasProcesses } from './controllers.ts'
import { DEFAULT_DEVICE_RULES, devicePolicy, exceptionsFile, v1DeviceList } from './device-policy.ts'
import { deviceProgram } from './device-program.ts'
import { type ByteCheck, openForEntry } from './freezer.ts'
import type { Hierarchies } from './hierarchy.ts'
import type { Setting } from './setting.ts'
import { renderSettings } from './settings.ts'

export interface CgroupScript {
  readonly folders: readonly string[]
  /** What must hold of the new folders: a process in them would stand still otherwise. */
  readonly checks: readonly ByteCheck[]
  /** Files to copy once the folders are there. */
  readonly copies: readonly { readonly from: string; readonly to: string }[]
  /** One write(2) each, in order. */
  readonly knobs: readonly { readonly path: string; readonly text: string }[]
  readonly devices: { readonly folder: string; readonly program: Uint8Array } | undefined
}

/**
 * @param missing from missingOf(): every one of its folders is to be made
 * @returns undefined when it takes looking at what the kernel says on the way
 * @throws RuntError as createCgroup() does for settings that can't be had
 */
export function cgroupScript(
  hierarchies: Hierarchies,
  missing: Cgroup,
  resources: Resources,
): CgroupScript | undefined {
  const places = placesOf(missing)
  const settings = renderSettings(resources, places.versionOf)
  const onV2 = settings.filter(({ version }) => version === 'v2')
  const enabling = missing.mode === 'v2' ? enablingKnobs(hierarchies, missing) : []
  if (enabling === undefined || (missing.mode !== 'v2' && onV2.length > 0)) return undefined
  if (settings.some(({ fallback }) => fallback !== undefined)) return undefined
  const v1 = v1DirectoryOf(missing, 'devices')
  const unified = missing.directories[UNIFIED]
  if (v1 === undefined && unified === undefined) return undefined
  const policy = devicePolicy([...resources.devices, ...DEFAULT_DEVICE_RULES])
  return {
    folders: missing.made,
    checks: openForEntry(missing),
    copies: cpusetCopies(hierarchies, missing),
    knobs: [
      ...enabling,
      ...settings.map((setting: Setting) => ({
        path: `${places.directoryOf(setting)}/${setting.file}`,
        text: setting.value,
      })),
      ...(v1 === undefined ? [] : deviceKnobs(v1, policy)),
    ],
    devices:
      v1 === undefined && unified !== undefined ? { folder: unified, program: deviceProgram(policy) } : undefined,
  }
}

/** Every controller that the mount point has, on all the way down; undefined when a parent isn't there yet. */
function enablingKnobs(hierarchies: Hierarchies, { directories, made }: Cgroup): CgroupScript['knobs'] | undefined {
  const mountpoint = hierarchies.unified?.mountpoint
  const folder = directories[UNIFIED]
  if (mountpoint === undefined || folder === undefined || made.length > 1) return undefined
  const parent = folder.slice(0, folder.lastIndexOf('/'))
  const on = new Set(controllersOf(parent))
  // Whatever of them a parent lacks may be refused there; who can deal with that is not this list.
  if (controllersOf(mountpoint).some((name) => !on.has(name))) return undefined
  if (hasProcesses(parent)) return undefined
  const text = [...on].map((name) => `+${name}`).join(' ')
  return text === '' ? [] : [{ path: `${parent}/cgroup.subtree_control`, text }]
}

/** cpuset.cpus and cpuset.mems from the parent, level by level. */
function cpusetCopies(hierarchies: Hierarchies, missing: Cgroup): CgroupScript['copies'] {
  const cpuset = hierarchies.v1.find(({ controllers }) => controllers.includes('cpuset'))
  if (cpuset === undefined) return []
  return ['cpuset.cpus', 'cpuset.mems'].flatMap((file) =>
    missing.made
      .filter((directory) => directory.startsWith(`${cpuset.mountpoint}/`))
      .map((directory) => ({
        from: `${directory.slice(0, directory.lastIndexOf('/'))}/${file}`,
        to: `${directory}/${file}`,
      })),
  )
}

function deviceKnobs(directory: string, policy: ReturnType<typeof devicePolicy>): CgroupScript['knobs'] {
  const list = v1DeviceList(policy)
  return [
    { path: `${directory}/${list.start}`, text: 'a' },
    ...list.exceptions.map((text) => ({ path: `${directory}/${exceptionsFile(list)}`, text })),
  ]
}
