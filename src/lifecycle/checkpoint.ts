// checkpoint: the state of a container's processes goes into files, from which restore makes them again. CRIU does it; not
// in runtime.md: runc's command.

import { freezerDirectory, isFrozen, tryThaw } from '../cgroup/freezer.ts'
import { type CriuOptions, type CriuRequest, REQUEST } from '../criu/messages.ts'
import { type Criu, findCriu, isAtLeast, lazyServerTrouble, requireFeature } from '../criu/program.ts'
import { ask, type Listener } from '../criu/swrk.ts'
import { RuntError } from '../errors.ts'
import { type MountEntry, mountsOf } from '../host/mounts.ts'
import { F } from '../linux/fcntl.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import { S_IF, S_IFMT } from '../linux/open-flags.ts'
import { debug, warn } from '../log.ts'
import { lowerCriu } from '../lowering/criu.ts'
import { close, readLink, status, writeFileAtomically } from '../native/file.ts'
import { trySyscall } from '../native/syscall.ts'
import type { Container } from './container.ts'
import { foldersSeenBy, makeFolder, openFolders } from './criu-folders.ts'
import { requireRoomForImages } from './criu-images.ts'
import { type CriuFlags, commonOptions, EXTERNAL_NAMESPACES, furtherOptions, requireSuccess } from './criu-options.ts'
import { criuRecord, patienceWith, startCriu } from './criu-process.ts'
import { destroy } from './delete.ts'
import { type ExternalRecord, externalMounts } from './external.ts'
import { checkId } from './id.ts'
import { appendMeanwhile, DESCRIPTORS_FILE, externalFiles, streamNames } from './standard-streams.ts'
import { requireStatus, statusOf } from './status.ts'
import type { Store } from './store.ts'

export interface CheckpointOptions extends CriuFlags {
  /** The container goes on afterwards. */
  readonly leaveRunning: boolean
  /** Only its memory, for a later checkpoint that then has less to write; it goes on. */
  readonly preDump: boolean
  /** An earlier pre-dump, relative to the images' folder. */
  readonly parentPath: string | undefined
  readonly tcpSkipInFlight: boolean
  readonly linkRemap: boolean
  /** Where memory goes instead of into files. */
  readonly pageServer: { readonly address: string; readonly port: number } | undefined
  /** A descriptor of the caller's: a zero byte goes there as soon as lazy pages can be asked for. */
  readonly statusFd: number | undefined
}

const LOG = 'dump.log'

/**
 * Without `leaveRunning` and `preDump` the container ends, and is deleted as by delete.
 * @throws RuntError; the container goes on as it was then
 */
export async function checkpointContainer(store: Store, id: string, options: CheckpointOptions): Promise<void> {
  checkId(id)
  using _lock = store.lock(id)
  const container = store.load(id)
  requireStatus('checkpoint', id, statusOf(store, container))
  const { external } = container
  if (external === undefined) {
    throw new RuntError('criu', `container ${id}: an older runt created it, without noting what a checkpoint needs`)
  }
  if (container.exec.linux.landlock !== undefined) {
    throw new RuntError(
      'config-unsupported',
      `container ${id}: its Landlock rules can not be saved: criu knows nothing of them`,
    )
  }
  if (options.statusFd !== undefined) requireWritable(options.statusFd)
  const criu = await findCriu()
  makeFolder(options.imagePath)
  requireParent(options)
  if (options.preDump || options.parentPath !== undefined) {
    await requireFeature(criu, 'mem_track', options.preDump ? 'pre-dump' : 'parent-path')
  }
  if (options.lazyPages) {
    await requireFeature(criu, 'lazy_pages', 'lazy-pages')
    const trouble = lazyServerTrouble()
    if (trouble !== undefined) warn(trouble)
  }
  using folders = openFolders(store, id, options, LOG)
  requireRoomForImages(folders.images, options.parentPath)
  const further = furtherOptions(container.annotations)
  const mounts = options.preDump ? [] : mountsOf(container.pid)
  const streams = options.preDump ? [] : streamNames(container, mounts)
  using _appending = appendMeanwhile(container, streams)
  const wasPaused = isFrozen(container.cgroup)
  const own = container.exec.namespaces.includes('mount')
  try {
    const { worker } = await startCriu(criu, [], (call) => lowerCriu(call, own))
    using _worker = worker
    debug(`container ${id}: criu ${criu.version.join('.')} as process ${worker.pid}, images in ${options.imagePath}`)
    store.save({ ...container, criu: criuRecord(worker) })
    using seen = foldersSeenBy(worker.pid, folders)
    const opts = {
      ...commonOptions(options, seen, further),
      ...dumpOptions(container, options),
      ...(options.preDump ? {} : externalOptions(container, external, mounts, streams)),
    }
    if (!options.preDump) {
      writeFileAtomically(`/proc/self/fd/${folders.images.fd}/${DESCRIPTORS_FILE}`, JSON.stringify(streams), 0o600)
    }
    const type = options.preDump ? preDumpOf(criu) : REQUEST.DUMP
    const patience = patienceWith(worker, container.cgroup, options, seen)
    const answer = await ask(worker, { type, opts }, listener(id, options), patience)
    requireSuccess(answer, `container ${id}`, criu, folders)
  } finally {
    store.save(container)
    // A criu that was killed has no time to thaw what it froze.
    if (!wasPaused && isFrozen(container.cgroup)) tryThaw(container.cgroup)
  }
  if (options.workPath === undefined) store.removeWorkFolder(id)
  if (!options.leaveRunning && !options.preDump) await destroy(store, container)
}

/** After a PRE_DUMP criu waits for the next, and complains on stderr when none comes; one alone is known since 3.17. */
function preDumpOf(criu: Criu): CriuRequest['type'] {
  return isAtLeast(criu, [3, 17]) ? REQUEST.SINGLE_PRE_DUMP : REQUEST.PRE_DUMP
}

function listener(id: string, { statusFd }: CheckpointOptions): Listener {
  return ({ script }) => {
    debug(`container ${id}: criu: ${script}`)
    if (script !== 'status-ready' || statusFd === undefined) return
    const zero = new Uint8Array(1)
    if (trySyscall('write', statusFd, zero, zero.length) !== 1) warn(`--status-fd ${statusFd}: nobody reads it`)
    close(statusFd)
  }
}

const O_ACCMODE = 0o3

/** Engines keep descriptors of their own, whose numbers the caller has left free. */
function requireWritable(descriptor: number): void {
  const flags = trySyscall('fcntl', descriptor, F.GETFL)
  const isOwn = flags >= 0 && readLink(`/proc/self/fd/${descriptor}`).startsWith('anon_inode:')
  if (flags >= 0 && !isOwn && (flags & O_ACCMODE) !== 0) return
  throw new RuntError('usage', `--status-fd ${descriptor}: not a descriptor that can be written to`)
}

function requireParent({ imagePath, parentPath }: CheckpointOptions): void {
  if (parentPath === undefined) return
  if (parentPath.startsWith('/')) {
    throw new RuntError('usage', `--parent-path ${parentPath}: must be relative, seen from the images' folder`)
  }
  const parent = status(`${imagePath}/${parentPath}`)
  if (parent !== undefined && (parent.mode & S_IFMT) === S_IF.DIR) return
  throw new RuntError('usage', `--parent-path ${parentPath}: there is no such folder seen from ${imagePath}`)
}

/** What a pre-dump asks for, too. */
function dumpOptions(container: Container, options: CheckpointOptions): CriuOptions {
  return {
    pid: container.pid,
    root: container.rootfs,
    leave_running: options.leaveRunning,
    tcp_skip_in_flight: options.tcpSkipInFlight,
    link_remap: options.linkRemap,
    freeze_cgroup: freezerDirectory(container.cgroup),
    external: joinedNamespaces(container),
    ps: options.pageServer,
    parent_img: options.parentPath,
    track_mem: options.parentPath !== undefined || options.preDump,
  }
}

/** What of it is not its own, so that the rest can be restored. */
function externalOptions(
  container: Container,
  external: ExternalRecord,
  mounts: readonly MountEntry[],
  streams: readonly string[],
): CriuOptions {
  const names = externalMounts(external, container.cgroup, container.rootfs, mounts)
  return {
    ext_mnt: [...names].map(([key, val]) => ({ key, val })),
    external: [...joinedNamespaces(container), ...externalFiles(streams)],
  }
}

/** "net[INODE]:NAME" for namespaces that were there before the container, and are expected to be there at restore. */
function joinedNamespaces({ pid, external }: Container): string[] {
  return (['network', 'pid'] as const)
    .filter((type) => external?.joined.includes(type))
    .map((type) => {
      const { link } = NAMESPACES[type]
      return `${link}[${status(`/proc/${pid}/ns/${link}`)?.inode}]:${EXTERNAL_NAMESPACES[type]}`
    })
}
