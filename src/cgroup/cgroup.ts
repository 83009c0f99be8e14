// What the other rooms know of a container's cgroup: a record of folders, and where a process enters them.

import type { Resources } from '../config/types.ts'
import { type Hierarchies, type Hierarchy, type HierarchyMode, UNIFIED } from './hierarchy.ts'
import type { Folders } from './own.ts'

/** Where a container is accounted and limited. Plain data: it goes into state.json as it is. */
export interface Cgroup {
  readonly mode: HierarchyMode
  /** Normalised, from the mount points: "/pod7/web". */
  readonly path: string
  /** Hierarchy name ('memory', 'cpu,cpuacct', 'systemd', '' for the unified one) → the container's folder. */
  readonly directories: Readonly<Record<string, string>>
  /** Folders that runt made, outermost first: only these may be removed. */
  readonly made: readonly string[]
  /** Recorded before create had looked at the folders: what runs in them may be somebody else's, and isn't killed. */
  readonly planned?: true
  /** Of the systemd manager: the unit that the folders belong to. */
  readonly scope?: Scope
}

/** A unit of systemd's. */
export interface Scope {
  readonly unit: string
  /** Whose systemd: the machine's, or that of the user. */
  readonly kind: 'system' | 'user'
  /** systemd's id of this run of the unit, hexadecimal; it isn't known before the unit was started. */
  readonly invocation?: string
}

export { UNIFIED } from './hierarchy.ts'

/**
 * Where a container's folders will be, before anything is made: pure, so that it can be recorded first.
 * @param path from cgroupPath()
 * @param below what the path counts from, where that isn't the mount points
 * @returns a Cgroup that has made nothing yet
 */
export function planCgroup({ mode, v1, unified }: Hierarchies, path: string, below: Folders = {}): Cgroup {
  const directories: Record<string, string> = {}
  const place = ({ name, mountpoint }: Hierarchy): string => folderIn(below[name] ?? mountpoint, path)
  for (const hierarchy of v1) directories[hierarchy.name] = place(hierarchy)
  if (unified === undefined) return { mode, path, directories, made: [], planned: true }
  const folder = place(unified)
  directories[UNIFIED] = folder
  // As /proc/PID/cgroup has it.
  const whole = below[UNIFIED] === undefined ? path : folder.slice(unified.mountpoint.length)
  return { mode, path: whole, directories, made: [], planned: true }
}

/** Is there nothing of it but folders? Who may remove them can remove it then, and nobody has to be asked. */
export function isFoldersAlone({ scope }: Cgroup): boolean {
  return scope === undefined
}

export interface JoinPoints {
  /** Files in which a process that writes "0" enters. */
  readonly procs: readonly string[]
  /** The folder for CLONE_INTO_CGROUP. */
  readonly v2Directory: string | undefined
  /** Somebody else puts the process in: it waits for that. */
  readonly awaited: boolean
}

/** Where even init could not be born for the limit of processes: it has to come from outside. */
export function takesNoForks({ pids, unified }: Resources): boolean {
  return pids.limit === 0n || unified['pids.max']?.trim() === '0'
}

export interface JoinOptions {
  /** Write oneself into all of them: takesNoForks(). */
  readonly fromOutside?: boolean
}

/**
 * The ways into a cgroup. On v1 the file is `tasks`: for a process of one thread the same as cgroup.procs, and the kernel
 * need not stop all forks of the machine for it. A v2 folder that was there before is entered by writing, since a kernel
 * kills what is cloned into a folder that ever had a cgroup.kill (its sequence is compared with the parent's).
 */
export function joinPoints(cgroup: Cgroup, { fromOutside = false }: JoinOptions = {}): JoinPoints {
  // A scope begins with the process that systemd puts into it.
  if (cgroup.planned === true && cgroup.scope !== undefined) return { procs: [], v2Directory: undefined, awaited: true }
  const procs = v1Directories(cgroup).map((directory) => `${directory}/tasks`)
  const unified = cgroup.directories[UNIFIED]
  const isOurs = cgroup.planned === true || (unified !== undefined && cgroup.made.includes(unified))
  if (unified === undefined || (isOurs && !fromOutside)) {
    return { procs, v2Directory: unified, awaited: false }
  }
  return { procs: [...procs, `${unified}/cgroup.procs`], v2Directory: undefined, awaited: false }
}

export function v1Directories(cgroup: Cgroup): string[] {
  return Object.entries(cgroup.directories)
    .filter(([name]) => name !== UNIFIED)
    .map(([, directory]) => directory)
}

/** The folder in the v1 hierarchy that has a controller, alone or mounted together with others. */
export function v1DirectoryOf({ directories }: Cgroup, controller: string): string | undefined {
  return Object.entries(directories).find(([name]) => name.split(',').includes(controller))?.[1]
}

/** Which folders a delete removes, the innermost first: the container's own, and those above. */
export function removals({ directories, made }: Cgroup): { readonly own: string[]; readonly above: string[] } {
  const leaves = new Set(Object.values(directories))
  const inward = [...made].reverse()
  return {
    own: inward.filter((directory) => leaves.has(directory)),
    above: inward.filter((directory) => !leaves.has(directory)),
  }
}

/** A hierarchy as a container's own mount of type cgroup shows it. */
export interface HierarchyView {
  /** Folder name below /sys/fs/cgroup. */
  readonly name: string
  /** Mount options that mount the same hierarchy again; none for the unified one. */
  readonly options: readonly string[]
  /** Names that lead to the folder: cpu and cpuacct for cpu,cpuacct. */
  readonly links: readonly string[]
  /** The container's folder on the host. */
  readonly directory: string
  /** The whole hierarchy on the host. */
  readonly mountpoint: string
}

/**
 * What a mount of type cgroup is to show: every v1 hierarchy, or on a v2 host the unified one alone.
 * @param others where the container is in hierarchies that it has no folder of its own in
 */
export function hierarchyViews(hierarchies: Hierarchies, cgroup: Cgroup, others: Folders = {}): HierarchyView[] {
  const unified = cgroup.directories[UNIFIED] ?? others[UNIFIED]
  if (hierarchies.mode === 'v2' && unified !== undefined) {
    return [
      { name: UNIFIED, options: [], links: [], directory: unified, mountpoint: hierarchies.unified?.mountpoint ?? '' },
    ]
  }
  return hierarchies.v1.flatMap((hierarchy) => {
    const directory = cgroup.directories[hierarchy.name] ?? others[hierarchy.name]
    return directory === undefined ? [] : [viewOf(hierarchy, directory)]
  })
}

function viewOf({ name, controllers, mountpoint }: Hierarchy, directory: string): HierarchyView {
  const options = controllers.length > 0 ? controllers : [`name=${name}`]
  return { name, options, links: controllers.length > 1 ? controllers : [], directory, mountpoint }
}

function folderIn(mountpoint: string, path: string): string {
  return path === '/' ? mountpoint : `${mountpoint === '/' ? '' : mountpoint}${path}`
}
