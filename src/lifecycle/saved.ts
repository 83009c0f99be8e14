// What a checkpoint's images say of its processes' rights. They are believed here, since CRIU acts by these very files; who reads
// them compares them with a config.

import type { Fields, Message } from '../criu/fields.ts'
import {
  CGROUP_FOLDER,
  CGROUPS,
  CORE,
  entriesOf,
  FILE_SYSTEMS,
  IDS,
  IMAGE_VERSION,
  type ImageKind,
  INVENTORY,
  MOUNTS,
  PSTREE,
  SECCOMP,
  TASK_DEAD,
  USERNS,
} from '../criu/images.ts'
import { decode } from '../criu/wire.ts'
import { RuntError } from '../errors.ts'
import type { NamespaceType } from '../linux/namespaces.ts'
import { type Folder, readImage } from './criu-images.ts'

export interface Saved {
  /** Threads of all processes that run, those of init first. */
  readonly threads: readonly SavedThread[]
  /** Namespaces that some process has in common with the host. */
  readonly shared: ReadonlySet<NamespaceType>
  /** Of init's user namespace; undefined when that is the host's. */
  readonly ids: Pick<Message<typeof USERNS.fields>, 'uid_map' | 'gid_map'> | undefined
  /** Of every mount namespace that isn't the host's. */
  readonly mounts: readonly (readonly SavedMount[])[]
}

export interface SavedThread {
  readonly pid: number
  readonly tid: number
  readonly isInit: boolean
  readonly name: string
  readonly creds: NonNullable<NonNullable<Message<typeof CORE.fields>['thread_core']>['creds']>
  /** The filters that all its system calls go through; undefined: none. */
  readonly filters: readonly Uint8Array[] | undefined
  /** Hard limits, by resource. */
  readonly rlimits: readonly bigint[]
}

export interface SavedMount {
  readonly id: number
  readonly parent: number
  readonly device: number
  /** MS_* */
  readonly flags: number
  readonly root: string
  /** From the container's root. */
  readonly point: string
  /** undefined: of no kind that a container has. */
  readonly type: string | undefined
  /** How CRIU asks for one that restore brings along. */
  readonly external: string | undefined
}

/** Of an image that runt reads, at most: a thread has about 1 KB in its own, a mount 200 bytes in the one of all. */
const MOST = 16 << 20
/** A thread or process is an image more to read. */
const MOST_THREADS = 1 << 16

/** @throws RuntError for images that are missing, or aren't as CRIU writes them */
export function readSaved(images: Folder): Saved {
  const { img_version: version, root_ids: host = {} } = first(images, 'inventory.img', INVENTORY)
  if (version !== IMAGE_VERSION) {
    throw new RuntError('criu', `${images.path}/inventory.img: version ${version} of images, not ${IMAGE_VERSION}`)
  }
  const processes = read(images, 'pstree.img', PSTREE)
  if (processes.reduce((sum, { threads = [] }) => sum + threads.length, processes.length) > MOST_THREADS) {
    throw new RuntError('criu', `${images.path}/pstree.img: more than ${MOST_THREADS} threads`)
  }
  const filters = find(images, 'seccomp.img', SECCOMP)?.[0]?.seccomp_filters ?? []
  const shared = new Set<NamespaceType>()
  const namespaces = new Set<number>()
  let own: Message<typeof IDS.fields> | undefined
  const threads = processes.flatMap(({ pid = 0, ppid = 0, threads: tids = [] }) => {
    const found = threadsOf(images, { pid, tids, isInit: ppid === 0 }, filters)
    if (found.length === 0) return []
    const ids = first(images, `ids-${pid}.img`, IDS)
    for (const type of Object.keys(IDS.fields) as NamespaceType[]) if (ids[type] === host[type]) shared.add(type) // its keys
    if (ids.mount !== undefined && ids.mount !== host.mount) namespaces.add(ids.mount)
    if (ppid === 0) own = ids
    return found
  })
  const isOwnUser = own?.user !== undefined && own.user !== host.user
  return {
    threads,
    shared,
    ids: isOwnUser ? first(images, `userns-${own?.user}.img`, USERNS) : undefined,
    mounts: [...namespaces].map((id) => read(images, `mountpoints-${id}.img`, MOUNTS).map(savedMount)),
  }
}

/** None of a zombie, which has no rights. */
function threadsOf(
  images: Folder,
  { pid, tids, isInit }: { readonly pid: number; readonly tids: readonly number[]; readonly isInit: boolean },
  filters: Parameters<typeof chain>[0],
): SavedThread[] {
  const leader = first(images, `core-${pid}.img`, CORE)
  if (leader.tc?.task_state === TASK_DEAD) return []
  return [...new Set([pid, ...tids])].map((tid) => {
    const { thread_core } = tid === pid ? leader : first(images, `core-${tid}.img`, CORE)
    const creds = thread_core?.creds
    // CRIU would leave it root's.
    if (creds === undefined) throw new RuntError('criu', `${images.path}/core-${tid}.img: does not say whose it is`)
    const { seccomp_mode: mode = 0, seccomp_filter: last = 0 } = thread_core ?? {}
    return {
      pid,
      tid,
      isInit,
      name: leader.tc?.comm ?? '',
      creds,
      filters: mode === SECCOMP_MODE_FILTER ? chain(filters, last) : undefined,
      rlimits: (leader.tc?.rlimits?.rlimits ?? []).map(({ max = 0n }) => max),
    }
  })
}

const SECCOMP_MODE_FILTER = 2

/** A filter and those before it: the number of each is lower than that of who comes after. */
function chain(
  filters: readonly { readonly filter?: Uint8Array | undefined; readonly prev?: number | undefined }[],
  last: number,
): Uint8Array[] {
  const found: Uint8Array[] = []
  for (let index: number | undefined = last, above = filters.length; index !== undefined && index < above; ) {
    const { filter, prev }: (typeof filters)[number] = filters[index] ?? {}
    if (filter !== undefined) found.push(filter)
    above = index
    index = prev
  }
  return found
}

/** Cgroups in cgroups, at most. */
const DEEPEST = 64
/** Of a cgroup's file. */
const PROPERTY = /^[\w.-]+$/

/**
 * CRIU makes cgroups by the names in the images, and writes into files of them.
 * @throws RuntError for names that lead elsewhere
 */
export function requireCgroupNames(images: Folder): void {
  const name = 'cgroup.img'
  const wrong = (what: string) =>
    new RuntError('criu', `${images.path}/${name}: ${JSON.stringify(what)}: leads elsewhere`)
  const requirePath = (path: string) => {
    if (path.split('/').includes('..')) throw wrong(path)
  }
  const requireFolder = (bytes: Uint8Array, depth: number): void => {
    const { dir_name: folder = '', children = [], properties = [] } = decode(CGROUP_FOLDER, bytes)
    requirePath(folder)
    for (const { name: property = '' } of properties) if (!PROPERTY.test(property)) throw wrong(property)
    if (depth > DEEPEST) throw wrong(folder)
    for (const child of children) requireFolder(child, depth + 1)
  }
  for (const { sets = [], controllers = [] } of find(images, name, CGROUPS) ?? []) {
    for (const { ctls = [] } of sets) for (const { path = '' } of ctls) requirePath(path)
    for (const { dirs = [] } of controllers) for (const folder of dirs) requireFolder(folder, 0)
  }
}

function savedMount(entry: Message<typeof MOUNTS.fields>): SavedMount {
  const { fstype = 0, mountpoint = '', ext_mount, ext_key, root = '' } = entry
  return {
    id: entry.mnt_id ?? 0,
    parent: entry.parent_mnt_id ?? 0,
    device: entry.root_dev ?? 0,
    flags: (entry.flags ?? 0) | (entry.sb_flags ?? 0),
    root,
    point: mountpoint.replace(/^\.?\/*/, '/'),
    type: FILE_SYSTEMS[fstype],
    external: ext_key ?? (ext_mount === true ? root : undefined),
  }
}

function first<F extends Fields>(images: Folder, name: string, kind: ImageKind<F>): Message<F> {
  const [entry] = read(images, name, kind)
  if (entry === undefined) throw new RuntError('criu', `${images.path}/${name}: empty`)
  return entry
}

/** @throws RuntError when it isn't there */
function read<F extends Fields>(images: Folder, name: string, kind: ImageKind<F>): Message<F>[] {
  const entries = find(images, name, kind)
  if (entries === undefined) throw new RuntError('criu', `${images.path}/${name}: missing: no complete checkpoint`)
  return entries
}

function find<F extends Fields>(images: Folder, name: string, kind: ImageKind<F>): Message<F>[] | undefined {
  const bytes = readImage(images, name, MOST)
  try {
    return bytes === undefined ? undefined : entriesOf(kind, bytes)
  } catch (cause) {
    throw new RuntError('criu', `${images.path}/${name}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}
