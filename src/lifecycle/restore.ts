// restore: a container from a checkpoint and a bundle. CRIU makes its processes and mounts again; the cgroup, the record and
// the hooks are runt's. Not in runtime.md: runc's command. On any error nothing of the container is left.

import { createCgroup, missingOf } from '../cgroup/fs.ts'
import { type Hierarchies, readHierarchies } from '../cgroup/hierarchy.ts'
import { type Cgroup, planCgroup } from '../cgroup/manager.ts'
import { cgroupPath } from '../cgroup/path.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/types.ts'
import { type CriuOptions, REQUEST } from '../criu/messages.ts'
import { type Criu, findCriu, requireFeature, requireVersion } from '../criu/program.ts'
import { ask, type Listener, type Worker } from '../criu/swrk.ts'
import { RuntError } from '../errors.ts'
import { type MovedDevices, moveDevices } from '../host/network/devices.ts'
import { requireKernel } from '../host/probe.ts'
import { PR } from '../linux/prctl.ts'
import { debug, warn } from '../log.ts'
import { isNew } from '../lowering/context.ts'
import type { Facts } from '../lowering/facts.ts'
import { pollAsync, sendDescriptorTo } from '../native/descriptors.ts'
import {
  close,
  makeDirectory,
  readFileIfPresent,
  readLink,
  tryRemoveDirectory,
  writeFileAtomically,
} from '../native/file.ts'
import { failedWith, syscall, trySyscall } from '../native/syscall.ts'
import { exitStatus, processStat, reap } from '../process/wait.ts'
import { type Container, stateOf } from './container.ts'
import { type CriuFlags, commonOptions, openFolders, requireSuccess } from './criu-options.ts'
import { destroy, destroyIfPresent } from './delete.ts'
import { externalSources } from './external.ts'
import { consoleTarget, gatherFacts, type LaunchOptions } from './facts.ts'
import { filterOf } from './filter.ts'
import { runHooks } from './hooks.ts'
import { checkId } from './id.ts'
import { prepareRdt } from './rdt.ts'
import { newRecord } from './record.ts'
import { cgroupRoots, type Inherited, joinedNamespaces, startRestore } from './restore-criu.ts'
import { limitProcesses, lostIn, setIoPriority, setUpNewNetwork, whileRestoring } from './restore-setup.ts'
import { type Forwarding, forwardSignals } from './signals.ts'
import { DESCRIPTORS_FILE, inheritedStreams } from './standard-streams.ts'
import type { Store } from './store.ts'
import { relayTerminal } from './terminal.ts'

export interface RestoreOptions extends CriuFlags {
  readonly id: string
  readonly bundle: string
  readonly consoleSocket: string | undefined
  readonly pidFile: string | undefined
  /** Don't wait for its end. */
  readonly detach: boolean
  /** Don't become the parent of the container's orphans. */
  readonly noSubreaper: boolean
  /** Let CRIU pivot where the root is a ramdisk. */
  readonly noPivot: boolean
  /** "TYPE:NAME", in place of the one that the processes had. */
  readonly lsmProfile: string | undefined
  /** SELinux context of mounts, in place of theirs. */
  readonly lsmMountContext: string | undefined
  /** Go on without cgroups where they may not be used. */
  readonly rootless: boolean
}

const LOG = 'restore.log'

/**
 * @returns the exit status of the program (128 and the signal for one that was killed); 0 when detached
 * @throws RuntError; nothing is left of the container then
 */
export async function restoreContainer(store: Store, options: RestoreOptions): Promise<number> {
  if (!options.detach && !options.noSubreaper) syscall('prctl', PR.SET_CHILD_SUBREAPER, 1, 0, 0, 0)
  using signals = options.detach ? undefined : forwardSignals()
  const { container, master } = await restore(store, options)
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

/** What is known of a call before anything is made. */
interface Prepared {
  readonly config: Config
  readonly criu: Criu
  readonly hierarchies: Hierarchies
  /** Standard streams of runt that take the place of the container's. */
  readonly streams: readonly Inherited[]
}

/** How far a restore has come. */
interface Attempt {
  container: Container
  worker: Worker | undefined
  /** The terminal's master, when runt relays it. */
  master: number | undefined
  /** What is to be taken back while the container's network namespace is there. */
  devices: MovedDevices | undefined
  hooksBegan: boolean
}

/** Everything up to running processes, on record. */
async function restore(
  store: Store,
  options: RestoreOptions,
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
  const config = await loadConfig(options.bundle)
  for (const warning of [...config.warnings, ...lostIn(config)]) warn(warning)
  const launch = launchOptions(options)
  consoleTarget(config, launch)
  const criu = await requireCriu(options)
  openFolders(options, LOG)[Symbol.dispose]() // an error now leaves nothing behind
  const streams = readStreams(options.imagePath)
  const filter = await filterOf(store, config)
  const hierarchies = readHierarchies()
  const planned = planCgroup(hierarchies, cgroupPath(config.linux.cgroupsPath, options.id))
  const rdt = await prepareRdt(config, options.id)
  const prepared = { config, criu, hierarchies, streams }
  using _lock = store.claim(options.id)
  const attempt: Attempt = {
    container: { ...newRecord(config, launch, missingOf(planned), filter), ...(rdt && { rdt: rdt.record }) },
    worker: undefined,
    master: undefined,
    devices: undefined,
    hooksBegan: false,
  }
  try {
    store.save(attempt.container)
    const cgroup = createCgroup(hierarchies, planned, whileRestoring(config.linux.resources), {
      rootless: options.rootless,
    })
    attempt.container = { ...attempt.container, cgroup }
    if (rdt !== undefined) attempt.container = { ...attempt.container, rdt: rdt.make() }
    const facts: Facts = {
      ...gatherFacts(config, launch, undefined, store.directory(options.id), cgroup, hierarchies, filter, 0),
      ...placesToJoin(cgroup, options),
      preservedFds: 0,
      listenFds: undefined,
      rdtTasks: rdt?.record.tasks ?? [],
    }
    await converse(store, options, prepared, facts, attempt)
    attempt.devices?.[Symbol.dispose]()
    attempt.devices = undefined
    if (options.pidFile !== undefined) writeFileAtomically(options.pidFile, `${attempt.container.pid}`, 0o644)
    return { container: attempt.container, master: attempt.master }
  } catch (error) {
    await undo(store, attempt)
    throw error
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

function readStreams(imagePath: string): Prepared['streams'] {
  const path = `${imagePath}/${DESCRIPTORS_FILE}`
  const text = readFileIfPresent(path)
  if (text !== undefined) return inheritedStreams(text, path)
  throw new RuntError('criu', `${imagePath}: no checkpoint of a container: there is no ${DESCRIPTORS_FILE}`, {
    hint: 'a pre-dump alone can not be restored',
  })
}

/**
 * CRIU puts the processes where they belong. It stays outside itself: the limits are the container's, and not for it. Only
 * where it is not to care for cgroups it goes in first, and they are born there.
 */
function placesToJoin(cgroup: Cgroup, { manageCgroupsMode }: RestoreOptions): Pick<Facts, 'cgroup'> {
  const joins = manageCgroupsMode === 'ignore'
  const procs = joins ? Object.values(cgroup.directories).map((directory) => `${directory}/cgroup.procs`) : []
  return { cgroup: { procs, v2Directory: undefined, awaited: false, views: [], unified: false } }
}

/** Start CRIU, ask it, and answer its notifications. */
async function converse(
  store: Store,
  options: RestoreOptions,
  prepared: Prepared,
  facts: Facts,
  attempt: Attempt,
): Promise<void> {
  const { config, criu, hierarchies, streams } = prepared
  const { id } = options
  const root = `${store.directory(id)}/criu-root`
  makeDirectory(root, 0o700)
  const { worker, inherited } = await startRestore(config, facts, criu, root)
  attempt.worker = worker
  debug(`container ${id}: criu ${criu.version.join('.')} as process ${worker.pid}`)
  const { cgroup } = attempt.container
  using inside = openFolders(options, LOG, worker.pid)
  const opts: CriuOptions = {
    ...commonOptions(options, inside, config.annotations),
    root,
    rst_sibling: true,
    evasive_devices: true,
    lsm_profile: options.lsmProfile,
    lsm_mount_context: options.lsmMountContext,
    ext_mnt: [...externalSources(config, cgroup)].map(([key, val]) => ({ key, val })),
    cg_root: cgroupRoots(hierarchies, cgroup),
    join_ns: joinedNamespaces(config),
    inherit_fd: [...streams, ...inherited],
  }
  const answer = await ask(worker, { type: REQUEST.RESTORE, opts }, listener(store, options, prepared, attempt))
  requireSuccess(answer, `container ${id}`, criu, inside)
  worker[Symbol.dispose]()
  attempt.worker = undefined
  tryRemoveDirectory(root)
}

function listener(
  store: Store,
  options: RestoreOptions,
  { config, hierarchies }: Prepared,
  attempt: Attempt,
): Listener {
  return ({ script, pid, descriptor }) => {
    debug(`container ${options.id}: criu: ${script}`)
    if (script === 'setup-namespaces' && pid !== undefined) {
      attempt.container = bornAs(attempt.container, pid)
      setUpNetwork(attempt, config)
      runEarlyHooks(store, config, attempt)
    } else if (script === 'post-restore' && pid !== undefined) {
      const born = bornAs(attempt.container, pid)
      limitProcesses(hierarchies, attempt.container.cgroup, config.linux.resources)
      if (config.process?.ioPriority !== undefined) setIoPriority(attempt.container.cgroup, config.process.ioPriority)
      attempt.container = { ...born, phase: 'created', exec: { ...born.exec, namespaces: namespacesOf(born) } }
      store.save(attempt.container)
    } else if (script === 'orphan-pts-master' && descriptor !== undefined) {
      takeTerminal(options, attempt, descriptor)
    } else if (descriptor !== undefined) close(descriptor)
  }
}

function bornAs(container: Container, pid: number): Container {
  return { ...container, pid, startTime: processStat(pid)?.startTime ?? 0 }
}

/** The namespaces are there, and no process but the first: as at create. */
function setUpNetwork(attempt: Attempt, config: Config): void {
  const { linux } = config
  const { pid } = attempt.container
  if (isNew(config, 'network')) setUpNewNetwork(pid, linux)
  if (linux.netDevices.length > 0) attempt.devices = moveDevices(pid, linux.netDevices)
}

function runEarlyHooks(store: Store, { hooks }: Config, attempt: Attempt): void {
  const { container } = attempt
  if (hooks.prestart.length + hooks.createRuntime.length === 0) return
  attempt.hooksBegan = true
  store.save(container)
  const state = stateOf(container, 'creating', container.pid)
  runHooks('prestart', hooks.prestart, state)
  runHooks('createRuntime', hooks.createRuntime, state)
}

/** CRIU puts what it restores into a time namespace, so that its clocks go on where they were. */
function namespacesOf({ pid, exec }: Container): Container['exec']['namespaces'] {
  if (exec.namespaces.includes('time')) return exec.namespaces
  try {
    const isOwn = readLink(`/proc/${pid}/ns/time`) !== readLink('/proc/self/ns/time')
    return isOwn ? [...exec.namespaces, 'time'] : exec.namespaces
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return exec.namespaces // a kernel without them
    throw error
  }
}

/** The master of the container's terminal, whose end outside was not part of the checkpoint. */
function takeTerminal({ consoleSocket }: RestoreOptions, attempt: Attempt, master: number): void {
  if (consoleSocket === undefined) {
    if (attempt.master !== undefined) close(attempt.master)
    attempt.master = master
    return
  }
  try {
    sendDescriptorTo(consoleSocket, '/dev/ptmx', master)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : `${cause}`
    throw new RuntError('host', `--console-socket ${consoleSocket}: ${why}`, { cause })
  } finally {
    close(master)
  }
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
