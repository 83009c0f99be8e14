// /proc/self/mountinfo → which cgroup hierarchies this host has, and where. One read of one file.

import { readFile } from '../native/file.ts'

/** v1: no cgroup2. hybrid: v1 controllers and a cgroup2 beside them. v2: cgroup2 alone. none: nothing is mounted. */
export type HierarchyMode = 'v1' | 'hybrid' | 'v2' | 'none'

export interface V1Hierarchy {
  /** Its controllers joined by commas, or the name of a hierarchy without controllers. */
  readonly name: string
  readonly controllers: readonly string[]
  readonly mountpoint: string
  /** What of the hierarchy is mounted there: "/" but inside a container that has no cgroup namespace. */
  readonly root: string
}

export interface Hierarchies {
  readonly mode: HierarchyMode
  readonly v1: readonly V1Hierarchy[]
  readonly unified?: { readonly mountpoint: string; readonly root: string }
}

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

/** @param mountinfo text of /proc/PID/mountinfo (proc_pid_mountinfo(5)) */
export function parseHierarchies(mountinfo: string): Hierarchies {
  const lines = mountinfo.split('\n')
  const found = lines.filter((line) => line.includes(' - cgroup')).map(parseCgroupMount)
  const isVisible = found.length === 0 ? () => false : visibility(lines)
  const visible = found.filter((mount) => mount !== undefined && isVisible(mount)) as CgroupMount[]
  const unified = best(visible.filter((mount) => mount.type === 'cgroup2'))
  // With cgroup2 in the usual place the host is a v2 host; a v1 hierarchy somewhere else is another program's affair.
  const v1 = unified?.mountpoint === USUAL_PLACE ? [] : chooseV1(visible)
  const mode = unified === undefined ? (v1.length > 0 ? 'v1' : 'none') : v1.length > 0 ? 'hybrid' : 'v2'
  if (unified === undefined) return { mode, v1 }
  return { mode, v1, unified: { mountpoint: unified.mountpoint, root: unified.root } }
}

interface CgroupMount {
  readonly id: string
  readonly type: string
  readonly name: string
  readonly controllers: readonly string[]
  readonly mountpoint: string
  readonly root: string
}

function parseCgroupMount(line: string): CgroupMount | undefined {
  const [front = '', back = ''] = line.split(' - ')
  const [id = '', , , root = '', mountpoint = ''] = front.split(' ')
  const [type = '', , options = ''] = back.split(' ')
  if (type !== 'cgroup' && type !== 'cgroup2') return undefined
  const words = options.split(',')
  const controllers = type === 'cgroup2' ? [] : words.filter((word) => CONTROLLERS.has(word))
  const named = words.find((word) => word.startsWith('name='))?.slice('name='.length)
  const name = controllers.length > 0 ? controllers.join(',') : (named ?? '')
  return { id, type, name, controllers, mountpoint: decodeField(mountpoint), root: decodeField(root) }
}

function chooseV1(mounts: readonly CgroupMount[]): V1Hierarchy[] {
  const byName = new Map<string, CgroupMount[]>()
  for (const mount of mounts) {
    if (mount.type !== 'cgroup' || mount.name === '') continue
    const same = byName.get(mount.name)
    if (same === undefined) byName.set(mount.name, [mount])
    else same.push(mount)
  }
  return [...byName.values()].flatMap((same) => {
    const mount = best(same)
    if (mount === undefined) return []
    const { name, controllers, mountpoint, root } = mount
    return [{ name, controllers, mountpoint, root }]
  })
}

/** Of several mounts of one hierarchy: in the usual place before elsewhere, whole before a part, then the first. */
function best(mounts: readonly CgroupMount[]): CgroupMount | undefined {
  const cost = ({ mountpoint, root }: CgroupMount) =>
    (`${mountpoint}/`.startsWith(`${USUAL_PLACE}/`) ? 0 : 2) + (root === '/' ? 0 : 1)
  return mounts.reduce<CgroupMount | undefined>(
    (chosen, mount) => (chosen === undefined || cost(mount) < cost(chosen) ? mount : chosen),
    undefined,
  )
}

/** Mounts stay listed when another one covers them: walk the path as the kernel does, and see who answers. */
function visibility(lines: readonly string[]): (mount: CgroupMount) => boolean {
  const mounts = lines.map((line) => line.split(' ', 5)).filter((fields) => fields.length === 5)
  const ids = new Set(mounts.map(([id]) => id))
  const children = new Map<string, string>()
  for (const [id = '', parent = '', , , mountpoint = ''] of mounts) {
    const above = ids.has(parent) && parent !== id ? parent : OUTSIDE
    children.set(`${above} ${decodeField(mountpoint)}`, id)
  }
  return ({ id, mountpoint }) => resolve(children, mountpoint) === id
}

/** Parent of the mounts at the top: the one beyond the process's root. */
const OUTSIDE = '-'

function resolve(children: ReadonlyMap<string, string>, path: string): string {
  let current = OUTSIDE
  let prefix = ''
  for (const part of path === '/' ? [''] : path.split('/')) {
    prefix = part === '' ? '/' : prefix === '/' ? `/${part}` : `${prefix}/${part}`
    for (let next = children.get(`${current} ${prefix}`); next !== undefined; ) {
      current = next
      next = children.get(`${current} ${prefix}`)
    }
  }
  return current
}

/** The kernel writes space, tab, newline and backslash as \ooo. */
function decodeField(field: string): string {
  if (!field.includes('\\')) return field
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
