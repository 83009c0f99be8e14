// What runt and CRIU say to each other while a container is restored: CRIU tells how far it is, and runt does its part: scope,
// limits, network, hooks, the terminal, the record.

import type { Hierarchies } from '../cgroup/hierarchy.ts'
import type { PlannedCgroup } from '../cgroup/manager.ts'
import type { Config } from '../config/types.ts'
import { CGROUP_MODE, type CriuOptions, REQUEST } from '../criu/messages.ts'
import type { Criu } from '../criu/program.ts'
import { ask, type Listener, type Worker } from '../criu/swrk.ts'
import { RuntError } from '../errors.ts'
import { type MovedDevices, moveDevices } from '../host/network/devices.ts'
import { debug } from '../log.ts'
import { isNew } from '../lowering/context.ts'
import type { Facts } from '../lowering/facts.ts'
import { sendDescriptorTo } from '../native/descriptors.ts'
import { close, makeDirectory, readLink, tryRemoveDirectory } from '../native/file.ts'
import { failedWith } from '../native/syscall.ts'
import { processStat } from '../process/wait.ts'
import { type Container, stateOf } from './container.ts'
import { type Folders, foldersSeenBy } from './criu-folders.ts'
import { commonOptions, requireSuccess } from './criu-options.ts'
import { criuRecord, patienceWith } from './criu-process.ts'
import { externalSources } from './external.ts'
import { runHooks } from './hooks.ts'
import { cgroupRoots, type Inherited, joinedNamespaces, startRestore } from './restore-criu.ts'
import type { RestoreOptions } from './restore-options.ts'
import {
  keepNames,
  limitProcesses,
  requireInside,
  setIoPriority,
  setUpNewNetwork,
  whileRestoring,
} from './restore-setup.ts'
import type { Store } from './store.ts'
import { keepLineFeeds } from './terminal.ts'

/** What is known of a call before anything is made. */
export interface Prepared {
  readonly config: Config
  readonly criu: Criu
  readonly hierarchies: Hierarchies
  readonly group: PlannedCgroup
  /** Standard streams of runt that take the place of the container's. */
  readonly streams: readonly Inherited[]
  readonly folders: Folders
  /** CRIU's options that files name. */
  readonly further: CriuOptions
  /** Rejects when nobody wants to wait for it any longer. */
  readonly interrupted: Promise<never> | undefined
}

/** How far a restore has come. */
export interface Attempt {
  container: Container
  worker: Worker | undefined
  /** The terminal's master, when runt relays it. */
  master: number | undefined
  /** What is to be taken back while the container's network namespace is there. */
  devices: MovedDevices | undefined
  hooksBegan: boolean
}

/** Start CRIU, ask it, and answer its notifications. */
export async function converse(
  store: Store,
  options: RestoreOptions,
  prepared: Prepared,
  facts: Facts,
  attempt: Attempt,
): Promise<void> {
  const { config, criu, hierarchies, streams, folders, further, interrupted } = prepared
  const { id } = options
  using _names = keepNames(config)
  const root = `${store.directory(id)}/criu-root`
  makeDirectory(root, 0o700)
  const { worker, inherited } = await startRestore(config, facts, criu, root, interrupted)
  attempt.worker = worker
  attempt.container = { ...attempt.container, criu: criuRecord(worker) }
  store.save(attempt.container)
  debug(`container ${id}: criu ${criu.version.join('.')} as process ${worker.pid}`)
  await join(options, prepared, attempt, worker.pid)
  const { cgroup } = attempt.container
  using inside = foldersSeenBy(worker.pid, folders)
  const opts: CriuOptions = {
    ...commonOptions(options, inside, further),
    // Without a cgroup of its own the container stays in that of criu, which is not to make the one of the checkpoint.
    ...(Object.keys(cgroup.directories).length === 0 && { manage_cgroups_mode: CGROUP_MODE.ignore }),
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
  const listen = listener(store, options, prepared, attempt)
  const patience = patienceWith(worker, cgroup, options, inside, interrupted)
  requireSuccess(await ask(worker, { type: REQUEST.RESTORE, opts }, listen, patience), `container ${id}`, criu, folders)
  worker[Symbol.dispose]()
  attempt.worker = undefined
  const { criu: _, ...container } = attempt.container
  attempt.container = container
  store.save(container)
  tryRemoveDirectory(root)
}

/** A cgroup that begins with a process begins with CRIU: no other is there by now. It goes, and the container stays. */
async function join({ id }: RestoreOptions, { config, group }: Prepared, attempt: Attempt, pid: number): Promise<void> {
  const cgroup = await group.join(pid, whileRestoring(config.linux.resources))
  if (cgroup === undefined) return
  attempt.container = { ...attempt.container, cgroup }
  debug(`container ${id}: cgroup ${cgroup.path} made with process ${pid} in it`)
}

function listener(
  store: Store,
  options: RestoreOptions,
  { config, hierarchies }: Prepared,
  attempt: Attempt,
): Listener {
  return async ({ script, pid, descriptor }) => {
    debug(`container ${options.id}: criu: ${script}`)
    if (script === 'setup-namespaces' && pid !== undefined) {
      attempt.container = bornAs(attempt.container, pid)
      store.save(attempt.container)
      setUpNetwork(attempt, config)
      runEarlyHooks(config, attempt)
    } else if (script === 'post-restore' && pid !== undefined) {
      const born = bornAs(attempt.container, pid)
      requireInside(born)
      await limitProcesses(hierarchies, attempt.container.cgroup, config.linux.resources)
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

function runEarlyHooks({ hooks }: Config, attempt: Attempt): void {
  const { container } = attempt
  if (hooks.prestart.length + hooks.createRuntime.length === 0) return
  attempt.hooksBegan = true
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
    keepLineFeeds(master)
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
