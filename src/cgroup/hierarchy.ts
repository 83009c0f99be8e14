// /proc/self/mountinfo → which cgroup hierarchies this host has, and where. One read of one file.

import { decodeField } from '../linux/mountinfo.ts'
import { readFile } from '../native/file.ts'

/** v1: no cgroup2. hybrid: v1 controllers and a cgroup2 beside them. v2: cgroup2 alone. none: nothing is mounted. */
export type HierarchyMode = 'v1' | 'hybrid' | 'v2' | 'none'

export interface Hierarchy {
  /** Its controllers joined by commas, or the name of a hierarchy without controllers; UNIFIED for cgroup2. */
  readonly name: string
  readonly controllers: readonly string[]
  readonly mountpoint: string
  /** What of the hierarchy is mounted there: "/" but inside a container that has no cgroup namespace. */
  readonly root: string
}

export interface Hierarchies {
  readonly mode: HierarchyMode
  readonly v1: readonly Hierarchy[]
  readonly unified?: Hierarchy
}

/** The name of the hierarchy that needs none. */
export const UNIFIED = ''

/** The place for cgroups by convention: systemd's, and every engine's. */
const USUAL_PLACE = '/sys/fs/cgroup'

/** cgroups-v1's controllers; what else stands among the mount options is none. */
const CONTROLLERS = new Set(
  'cpuset cpu cpuacct blkio memory devices freezer net_cls perf_event net_prio hugetlb pids rdma misc'.split(' '),
)

/**
 * @param mountinfo the file to read, for tests
 * @throws SyscallError when there is no procfs
 */
export function readHierarchies(mountinfo = '/proc/self/mountinfo'): Hierarchies {
  return parseHierarchies(readFile(mountinfo))
}

/**
 * Loops rather than chains of callbacks here: this runs once in a process, and each new function costs a start 30 µs.
 * @param mountinfo text of /proc/PID/mountinfo (proc_pid_mountinfo(5))
 */
export function parseHierarchies(mountinfo: string): Hierarchies {
  const mounts = parseMounts(mountinfo)
  const known = new Map<string, string>()
  const chosen = new Map<string, Hierarchy>()
  for (const { id, hierarchy } of mounts.cgroups) {
    const rival = chosen.get(hierarchy.name)
    if (rival !== undefined && cost(rival) <= cost(hierarchy)) continue
    if (topOf(hierarchy.mountpoint, mounts, known) === id) chosen.set(hierarchy.name, hierarchy)
  }
  const unified = chosen.get(UNIFIED)
  chosen.delete(UNIFIED)
  // With cgroup2 in the usual place the host is a v2 host; a v1 hierarchy somewhere else is another program's affair.
  if (unified?.mountpoint === USUAL_PLACE) chosen.clear()
  const v1 = [...chosen.values()]
  if (unified === undefined) return { mode: v1.length > 0 ? 'v1' : 'none', v1 }
  return { mode: v1.length > 0 ? 'hybrid' : 'v2', v1, unified }
}

/** Of several mounts of one hierarchy: in the usual place before elsewhere, whole before a part, then the first. */
function cost({ mountpoint, root }: Hierarchy): number {
  return (`${mountpoint}/`.startsWith(`${USUAL_PLACE}/`) ? 0 : 2) + (root === '/' ? 0 : 1)
}

interface Mount {
  readonly id: string
  readonly parent: string
}

interface CgroupMount {
  readonly id: string
  readonly hierarchy: Hierarchy
}

interface Mounts {
  readonly ids: ReadonlySet<string>
  readonly byPlace: ReadonlyMap<string, readonly Mount[]>
  readonly cgroups: readonly CgroupMount[]
}

/** Where the file system's type stands, when no optional field comes before it: "- type source options". */
const EARLIEST_DASH = 6

function parseMounts(mountinfo: string): Mounts {
  const ids = new Set<string>()
  const byPlace = new Map<string, Mount[]>()
  const cgroups: CgroupMount[] = []
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ')
    const [id = '', parent = '', , root = '', place = ''] = fields
    const mountpoint = decodeField(place)
    ids.add(id)
    const here = byPlace.get(mountpoint)
    if (here === undefined) byPlace.set(mountpoint, [{ id, parent }])
    else here.push({ id, parent })
    const type = fields[fields.indexOf('-', EARLIEST_DASH) + 1]
    if (type !== 'cgroup' && type !== 'cgroup2') continue
    const { name, controllers } = identityOf(type, fields[fields.length - 1] ?? '')
    if (type === 'cgroup' && name === UNIFIED) continue // neither controllers nor a name: not a v1 hierarchy that can be
    cgroups.push({ id, hierarchy: { name, controllers, mountpoint, root: decodeField(root) } })
  }
  return { ids, byPlace, cgroups }
}

/** @param options of the superblock: rw,cpu,cpuacct or rw,xattr,name=systemd */
function identityOf(type: string, options: string): Pick<Hierarchy, 'name' | 'controllers'> {
  const controllers: string[] = []
  let name = UNIFIED
  if (type === 'cgroup2') return { name, controllers }
  for (const word of options.split(',')) {
    if (CONTROLLERS.has(word)) controllers.push(word)
    else if (word.startsWith('name=')) name = word.slice('name='.length)
  }
  return { name: controllers.length > 0 ? controllers.join(',') : name, controllers }
}

/** Parent of the mounts at the top: the one beyond the process's root. */
const OUTSIDE = ''

/**
 * The mount that answers at a path. Mounts stay listed when another one covers them, so walk down as the kernel does.
 * @param known answers so far
 */
function topOf(path: string, mounts: Mounts, known: Map<string, string>): string {
  const before = known.get(path)
  if (before !== undefined) return before
  let top = path === '/' ? OUTSIDE : topOf(path.slice(0, path.lastIndexOf('/')) || '/', mounts, known)
  // No more steps than there are mounts here: in a text that isn't the kernel's they may go in a circle.
  for (let left = mounts.byPlace.get(path)?.length ?? 0; left > 0; left--) {
    const next = childAt(path, top, mounts)
    if (next === undefined) break
    top = next
  }
  known.set(path, top)
  return top
}

function childAt(path: string, parent: string, { ids, byPlace }: Mounts): string | undefined {
  let found: string | undefined
  for (const mount of byPlace.get(path) ?? []) {
    const above = ids.has(mount.parent) ? mount.parent : OUTSIDE
    if (above === parent && mount.id !== parent) found = mount.id // the later of two covers the earlier
  }
  return found
}
