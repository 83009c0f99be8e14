// restore: a container from a checkpoint and a bundle. CRIU makes its processes and mounts again; the cgroup, the record and
// the hooks are runt's. Not in runtime.md: runc's command. On any error nothing of the container is left.

import type { Cgroup } from '../cgroup/cgroup.ts'
import { missingOf } from '../cgroup/fs.ts'
import { readHierarchies } from '../cgroup/hierarchy.ts'
import type { PlannedCgroup } from '../cgroup/manager.ts'
import { withPlace } from '../config/load.ts'
import { type Criu, findCriu, requireFeature, requireVersion } from '../criu/program.ts'
import { RuntError } from '../errors.ts'
import { requireKernel } from '../host/probe.ts'
import { PR } from '../linux/prctl.ts'
import { warn } from '../log.ts'
import type { Facts } from '../lowering/facts.ts'
import { pollAsync } from '../native/descriptors.ts'
import { close, writeFileAtomically } from '../native/file.ts'
import { syscall, trySyscall } from '../native/syscall.ts'
import { exitStatus, reap } from '../process/wait.ts'
import { loadBundle } from './bundle.ts'
import { planFor } from './cgroup.ts'
import type { Container } from './container.ts'
import { openFolders } from './criu-folders.ts'
import { type Folder, readImage, requireImages } from './criu-images.ts'
import { furtherOptions } from './criu-options.ts'
import { destroy, destroyIfPresent } from './delete.ts'
import { consoleTarget, gatherFacts, type LaunchOptions } from './facts.ts'
import { filterOf } from './filter.ts'
import { checkId } from './id.ts'
import { prepareRdt } from './rdt.ts'
import { newRecord } from './record.ts'
import { type Attempt, converse, type Prepared } from './restore-conversation.ts'
import { RESTORE_LOG, type RestoreOptions } from './restore-options.ts'
import { lostIn, whileRestoring } from './restore-setup.ts'
import { readSaved, requireCgroupNames } from './saved.ts'
import { requireNoLooser } from './saved-rights.ts'
import { type Forwarding, forwardSignals } from './signals.ts'
import { DESCRIPTORS_FILE, inheritedStreams } from './standard-streams.ts'
import { claimId } from './status.ts'
import type { Store } from './store.ts'
import { relayTerminal } from './terminal.ts'

/**
 * @returns the exit status of the program (128 and the signal for one that was killed); 0 when detached
 * @throws RuntError; nothing is left of the container then
 */
export async function restoreContainer(store: Store, options: RestoreOptions): Promise<number> {
  if (!options.detach && !options.noSubreaper) syscall('prctl', PR.SET_CHILD_SUBREAPER, 1, 0, 0, 0)
  using signals = options.detach ? undefined : forwardSignals()
  const { container, master } = await restore(store, options, signals?.interrupted)
  if (signals === undefined) return 0
  signals.aim(container.pid, container.startTime)
  try {
    return exitStatus(await untilEnd(container.pid, master, signals))
  } finally {
    await destroyIfPresent(store, container)
  }
}

/** Relay the terminal until the program ends. @returns its wait status */
async function untilEnd(pid: number, master: number | undefined, signals: Forwarding): Promise<number> {
  const pidfd = trySyscall('pidfd_open', pid, 0)
  try {
    if (pidfd >= 0 && master !== undefined) await relayTerminal(master, pidfd)
    if (pidfd >= 0) await pollAsync([pidfd])
  } finally {
    close(pidfd)
  }
  const status = signals.ended() ?? reap(pid)
  if (status === undefined) throw new RuntError('internal', `process ${pid} ended, and nobody told how`)
  return status
}

/** Everything up to running processes, on record. */
async function restore(
  store: Store,
  options: RestoreOptions,
  interrupted: Promise<never> | undefined,
): Promise<{ readonly container: Container; readonly master: number | undefined }> {
  checkId(options.id)
  if (options.manageCgroupsMode === 'strict') {
    throw new RuntError(
      'usage',
      '--manage-cgroups-mode strict: criu would refuse the cgroup, which runt has made by then',
      {
        hint: 'full gives cgroups that are there the limits of the checkpoint; soft leaves them the limits of config.json',
      },
    )
  }
  requireKernel()
  const config = await loadBundle(options.bundle)
  for (const warning of [...config.warnings, ...lostIn(config)]) warn(warning)
  const launch = launchOptions(options)
  consoleTarget(config, launch)
  const criu = await requireCriu(options)
  using folders = openFolders(store, options.id, options, RESTORE_LOG)
  requireImages(folders.images)
  const streams = readStreams(folders.images)
  const further = furtherOptions(config.annotations)
  const filter = await filterOf(store, config)
  const { asSaved, lsmProfile } = options
  const relabelled = lsmProfile !== undefined
  requireNoLooser(config, readSaved(folders.images), options.imagePath, { filter, relabelled, asSaved })
  requireCgroupNames(folders.images)
  const hierarchies = readHierarchies()
  using group = await planFor(hierarchies, config, options)
  const rdt = await prepareRdt(config, options.id)
  const prepared = { config, criu, hierarchies, group, folders, streams, further, interrupted }
  using _lock = claimId(store, options.id)
  const attempt: Attempt = {
    container: { ...newRecord(config, launch, missingOf(group.planned), filter), ...(rdt && { rdt: rdt.record }) },
    worker: undefined,
    master: undefined,
    devices: undefined,
    hooksBegan: false,
  }
  try {
    store.save(attempt.container)
    const made = group.create(whileRestoring(config.linux.resources))
    if (made !== undefined) attempt.container = { ...attempt.container, cgroup: made }
    const { cgroup } = attempt.container
    if (rdt !== undefined) attempt.container = { ...attempt.container, rdt: rdt.make() }
    const facts: Facts = {
      ...gatherFacts(config, launch, undefined, store.directory(options.id), cgroup, hierarchies, filter, 0),
      ...placesToJoin(group, cgroup, options),
      preservedFds: 0,
      listenFds: undefined,
      rdtTasks: rdt?.record.tasks ?? [],
    }
    await converse(store, options, prepared, facts, attempt)
    attempt.devices?.[Symbol.dispose]()
    attempt.devices = undefined
    if (options.workPath === undefined) store.removeWorkFolder(options.id)
    if (options.pidFile !== undefined) writeFileAtomically(options.pidFile, `${attempt.container.pid}`, 0o644)
    return { container: attempt.container, master: attempt.master }
  } catch (error) {
    await undo(store, attempt)
    throw await withPlace(error, options.bundle)
  }
}

function launchOptions({ id, detach, consoleSocket, noPivot }: RestoreOptions): LaunchOptions {
  return {
    id,
    mode: detach ? 'run' : 'run-foreground',
    consoleSocket,
    preserveFds: 0,
    noPivot,
    noNewKeyring: false,
    profile: false,
  }
}

/** The first that can change labels. */
const LABELS_SINCE = [3, 16] as const

async function requireCriu({ lsmProfile, lsmMountContext, lazyPages }: RestoreOptions): Promise<Criu> {
  const criu = await findCriu()
  if (lsmProfile !== undefined) requireVersion(criu, LABELS_SINCE, '--lsm-profile')
  if (lsmMountContext !== undefined) requireVersion(criu, LABELS_SINCE, '--lsm-mount-context')
  if (lazyPages) await requireFeature(criu, 'lazy_pages', 'lazy-pages')
  return criu
}

/** Of descriptors.json: three names. */
const MOST_STREAMS = 1 << 14

function readStreams(images: Folder): Prepared['streams'] {
  const bytes = readImage(images, DESCRIPTORS_FILE, MOST_STREAMS)
  if (bytes !== undefined)
    return inheritedStreams(new TextDecoder().decode(bytes), `${images.path}/${DESCRIPTORS_FILE}`)
  throw new RuntError('criu', `${images.path}: no checkpoint of a container: there is no ${DESCRIPTORS_FILE}`, {
    hint: 'a pre-dump alone can not be restored',
  })
}

/**
 * CRIU puts the processes where they belong. It stays outside itself: the limits are the container's, and not for it. Only
 * where it is not to care for cgroups it goes in first, and they are born there; so it does where systemd puts it in.
 */
function placesToJoin(
  { awaitsProcess }: PlannedCgroup,
  cgroup: Cgroup,
  { manageCgroupsMode }: RestoreOptions,
): Pick<Facts, 'cgroup'> {
  const joins = manageCgroupsMode === 'ignore' && !awaitsProcess
  const procs = joins ? Object.values(cgroup.directories).map((directory) => `${directory}/cgroup.procs`) : []
  return { cgroup: { procs, v2Directory: undefined, awaited: false, views: [], unified: false } }
}

/** Take back what an attempt made, in reverse. Poststop hooks run when hooks had begun. */
async function undo(store: Store, { container, worker, master, devices, hooksBegan }: Attempt): Promise<void> {
  devices?.undo()
  devices?.[Symbol.dispose]()
  worker?.kill()
  worker?.[Symbol.dispose]()
  if (master !== undefined) close(master)
  try {
    await destroy(store, hooksBegan ? container : { ...container, hooks: { ...container.hooks, poststop: [] } })
  } catch (error) {
    warn(error instanceof Error ? error.message : `${error}`)
  }
}
