// create: from a bundle to a container whose init waits at its gate. runtime.md, Create and steps 1–5 of the lifecycle.
// Comes in: a bundle and options. Goes out: a container on record. On any error nothing of it is left.

import type { Cgroup } from '../cgroup/cgroup.ts'
import { missingOf } from '../cgroup/fs.ts'
import { readHierarchies } from '../cgroup/hierarchy.ts'
import { delegateCgroup, isDelegated } from '../cgroup/ownership.ts'
import { PIDFD_RECEIVER } from '../config/annotations.ts'
import { withPlace } from '../config/load.ts'
import type { Config } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { InheritedRoot } from '../host/inherited-root.ts'
import type { MovedDevices } from '../host/network/devices.ts'
import { sendPidfd } from '../host/pidfd.ts'
import { pidInside, requireKernel } from '../host/probe.ts'
import { idOutside } from '../linux/id-map.ts'
import { ANY_CHILD } from '../linux/wait.ts'
import { debug, warn } from '../log.ts'
import { has, isNew } from '../lowering/context.ts'
import { type Facts, lineSlots } from '../lowering/facts.ts'
import { lowerCreate } from '../lowering/lower.ts'
import { hasListener } from '../lowering/seccomp.ts'
import { isExecutable } from '../native/ffi.ts'
import { close, readFileIfPresent, writeFileAtomically } from '../native/file.ts'
import type { Plan } from '../plan/step.ts'
import { printable } from '../printable.ts'
import { type InitProcess, spawnInit } from '../process/init.ts'
import { labelsFrom } from '../process/report.ts'
import { keepGoing } from '../process/stopped.ts'
import { encodeReply } from '../process/sync.ts'
import { endOf, processStat, reap } from '../process/wait.ts'
import { handOver } from './agent.ts'
import { loadBundle } from './bundle.ts'
import { saveCard } from './card.ts'
import { type CgroupOptions, planFor } from './cgroup.ts'
import { type Container, type Status, stateOf } from './container.ts'
import { hear, learnPid, type Peer, receiveMaster, tell } from './conversation.ts'
import { destroy } from './delete.ts'
import { requireExitWatch, watchExit } from './exit-watch.ts'
import { checkLabels, consoleTarget, gatherFacts, type LaunchOptions, ungrantable } from './facts.ts'
import { agentOf, filterOf } from './filter.ts'
import { runHooks } from './hooks.ts'
import { checkId } from './id.ts'
import { compileHere } from './image.ts'
import type { Lock } from './lock.ts'
import { noProfile, type Profile } from './profile.ts'
import { prepareRdt } from './rdt.ts'
import { newRecord } from './record.ts'
import { becomeSolo, type SoloOptions } from './solo.ts'
import { claimId } from './status.ts'
import type { Store } from './store.ts'

export interface CreateOptions extends LaunchOptions, CgroupOptions {
  readonly bundle: string
  /** The config's file, absolute, where it isn't the bundle's config.json. */
  readonly config?: string | undefined
  readonly pidFile: string | undefined
  readonly pidfdSocket: string | undefined
  /** Make it step by step, with runt beside it: what the short way falls back on. */
  readonly supervised: boolean
  /** For tests: this step of the plan fails with this errno. */
  readonly inject?: { readonly step: number; readonly errno: number }
}

/** A container that has just been created, and its lines to init. */
export interface Launched {
  readonly container: Container
  readonly plan: Plan
  readonly init: InitProcess
  /** The pty's master, when runt relays the terminal. */
  readonly master: number | undefined
  readonly lock: Lock
}

/** create, for a caller that leaves the container at its gate. */
export async function createContainer(
  store: Store,
  options: CreateOptions,
  profile: Profile = noProfile,
): Promise<void> {
  const { init, lock } = await launch(store, options, profile)
  init.channel.close()
  close(init.monitor)
  lock[Symbol.dispose]()
}

/**
 * Everything up to the gate: init is on record, and has been told so.
 * @throws RuntError; nothing is left of the container then
 */
export async function launch(
  store: Store,
  options: CreateOptions & Partial<SoloOptions>,
  profile: Profile,
): Promise<Launched> {
  checkId(options.id)
  requireKernel()
  const config = await loadBundle(options.bundle, options.config)
  try {
    const pidfdSocket = options.pidfdSocket ?? config.annotations[PIDFD_RECEIVER]
    return await launchConfig(store, config, { ...options, pidfdSocket }, profile)
  } catch (error) {
    throw await withPlace(error, options.bundle, options.config)
  }
}

async function launchConfig(
  store: Store,
  config: Config,
  options: CreateOptions & Partial<SoloOptions>,
  profile: Profile,
): Promise<Launched> {
  if (options.bindDevices !== true) for (const warning of config.warnings) warn(printable(warning))
  const terminal = consoleTarget(config, options)
  checkLabels(config.process)
  if (config.exitRecord) requireExitWatch()
  const filter = await filterOf(store, config)
  profile.mark('config')
  const hierarchies = readHierarchies()
  using group = await planFor(hierarchies, config, options)
  const { planned } = group
  if (!options.supervised && !group.awaitsProcess && isExecutable())
    becomeSolo(store, options, { config, terminal, hierarchies, planned, filter })
  const rdt = await prepareRdt(config, options.id)
  const lock = claimId(store, options.id)
  const attempt: Attempt = {
    container: { ...newRecord(config, options, missingOf(planned), filter), ...(rdt && { rdt: rdt.record }) },
    init: undefined,
    devices: undefined,
    inherited: has(config, 'mount') ? undefined : new InheritedRoot(config.root.path),
    hooksBegan: false,
  }
  try {
    store.save(attempt.container)
    profile.mark('claim')
    const made = group.create(config.linux.resources)
    if (made !== undefined) {
      attempt.container = { ...attempt.container, cgroup: made }
      debug(`container ${options.id}: cgroup ${made.path} made in ${made.made.length} folders`)
    }
    const cgroup = made ?? planned
    if (rdt !== undefined) attempt.container = { ...attempt.container, rdt: rdt.make() }
    profile.mark('cgroup')
    const stateLength = JSON.stringify(stateOf(attempt.container, 'creating', 0)).length
    const directory = store.directory(options.id)
    const facts = {
      ...gatherFacts(config, options, terminal, directory, cgroup, hierarchies, filter, stateLength),
      rdtTasks: rdt?.record.tasks ?? [],
    }
    for (const warning of ungrantable(config, facts.grantable)) warn(warning)
    const plan = lowerCreate(config, facts)
    profile.mark('lower')
    const image = compileHere(plan, {
      profile: options.profile,
      ...(options.inject === undefined ? {} : { inject: options.inject }),
    })
    profile.mark('codegen')
    debug(`container ${options.id}: plan of ${plan.steps.length} steps, image of ${image.bytes.length} bytes`)
    const startSteps = plan.gate === undefined ? {} : labelsFrom(plan, plan.gate)
    attempt.container = { ...attempt.container, startSteps }
    attempt.init = spawnInit(image.bytes, lineSlots(facts.preservedFds), [], options.interrupted)
    profile.mark('spawn')
    const join = async (pid: number): Promise<void> => {
      const cgroup = await group.join(pid, config.linux.resources)
      if (cgroup === undefined) return
      attempt.container = { ...attempt.container, cgroup }
      debug(`container ${options.id}: cgroup ${cgroup.path} made with process ${pid} in it`)
      profile.mark('scope')
    }
    const served = await serve(store, config, facts, plan, options, attempt, attempt.init, join, profile)
    return { ...served, plan, lock }
  } catch (error) {
    await undo(store, attempt, lock)
    if (options.bindDevices === true || !isDeviceRefused(error)) throw error
    debug(`container ${options.id}: ${error.message}: devices are bound`)
    return launchConfig(store, config, { ...options, supervised: true, bindDevices: true }, profile)
  }
}

/** The capability to make nodes is there, but something keeps us from it: a filter of system calls, or a security module. */
function isDeviceRefused(error: unknown): error is RuntError {
  return error instanceof RuntError && error.data.syscall === 'mknodat' && error.data.errno === 'EPERM'
}

/** How far a create has come. */
interface Attempt {
  container: Container
  init: InitProcess | undefined
  /** What is to be taken back while the container's network namespace is there. */
  devices: MovedDevices | undefined
  /** What stood at root.path before, where the container mounts in our own mount namespace. */
  readonly inherited: InheritedRoot | undefined
  hooksBegan: boolean
}

/** Answer init's requests until it is ready, then put it on record. process/sync.ts draws this conversation. */
async function serve(
  store: Store,
  config: Config,
  facts: Facts,
  plan: Plan,
  options: CreateOptions,
  attempt: Attempt,
  init: InitProcess,
  join: (pid: number) => Promise<void>,
  profile: Profile,
): Promise<Omit<Launched, 'plan' | 'lock'>> {
  const unborn: Peer = { plan, init, name: 'container init', pid: 0 }
  const pid = await learnPid(unborn)
  const peer: Peer = { ...unborn, pid }
  if (!isNew(config, 'pid')) init.channel.whileWaiting(keepGoing(pid, peer.name))
  attempt.container = { ...attempt.container, pid, startTime: processStat(pid)?.startTime ?? 0 }
  if (options.mode !== 'run-foreground') reap(init.first)
  profile.mark('init born')
  const newUser = isNew(config, 'user')
  const { netDevices } = config.linux
  if (newUser) {
    const { writeIdMaps } = await import('./id-maps.ts')
    writeIdMaps(pid, config.linux)
  }
  await join(pid)
  giveCgroupAway(pid, config, attempt.container.cgroup, options)
  if (netDevices.length > 0) {
    const { moveDevices } = await import('../host/network/devices.ts')
    attempt.devices = moveDevices(pid, netDevices)
  }
  if (newUser || netDevices.length > 0 || facts.cgroup.awaited) await tell(peer, encodeReply())
  const master = facts.console?.kind === 'channel' ? await receiveMaster(peer) : undefined
  const { prestart, createRuntime, createContainer: inside } = config.hooks
  if (prestart.length + createRuntime.length + inside.length > 0) {
    await hear(peer, 'hooks')
    attempt.hooksBegan = true
    store.save(attempt.container)
    const state = stateOf(attempt.container, 'creating', pid)
    runHooks('prestart', prestart, state)
    runHooks('createRuntime', createRuntime, state)
    await tell(peer, encodeReply(insideState(attempt.container, 'creating', inside.length > 0)))
  }
  const { seccomp } = config.linux
  if (seccomp !== undefined && hasListener(facts)) {
    await handOver(peer, agentOf(seccomp), stateOf(attempt.container, 'creating', pid))
  }
  if (options.profile) profile.steps(plan, await init.channel.receiveRaw(8 * (plan.steps.length + 1)))
  await hear(peer, 'ready')
  profile.mark('init ready')
  const container: Container = { ...attempt.container, phase: 'created' }
  store.save(container)
  if (config.exitRecord && options.mode !== 'run-foreground') watchExit(store, container)
  if (options.mode === 'create') saveCard(store, container)
  debug(`container ${options.id}: init ${pid} waits`)
  if (options.pidfdSocket !== undefined) sendPidfd(options.pidfdSocket, pid)
  if (options.pidFile !== undefined) writeFileAtomically(options.pidFile, `${pid}`, 0o644)
  const state = insideState(container, 'created', config.hooks.startContainer.length > 0)
  await tell(peer, encodeReply(state))
  attempt.devices?.[Symbol.dispose]()
  attempt.devices = undefined
  profile.mark('on record')
  return { container, init, master }
}

/** The state with the pid as the container sees it. */
function insideState(container: Container, status: Status, wanted: boolean): string {
  if (!wanted) return ''
  return JSON.stringify(stateOf(container, status, pidInside(readFileIfPresent(`/proc/${container.pid}/status`) ?? '')))
}

/** The container's user owns its cgroup, where the specification wants that. */
function giveCgroupAway(pid: number, config: Config, cgroup: Cgroup, { rootless }: CreateOptions): void {
  if (config.process === undefined || !isDelegated(config, cgroup)) return
  const uid = idOutside(readFileIfPresent(`/proc/${pid}/uid_map`) ?? '', config.process.user.uid)
  // Without privileges nothing can be given away.
  if (uid !== undefined && !rootless) delegateCgroup(cgroup, uid)
}

/** Take back what an attempt made, in reverse. Poststop hooks run when hooks had begun (lifecycle, step 12). */
async function undo(store: Store, attempt: Attempt, lock: Lock): Promise<void> {
  const { init, devices, hooksBegan } = attempt
  devices?.undo()
  devices?.[Symbol.dispose]()
  init?.channel.close() // init hears of it and exits
  if (init !== undefined) close(init.monitor)
  const container = hooksBegan
    ? attempt.container
    : { ...attempt.container, hooks: { ...attempt.container.hooks, poststop: [] } }
  try {
    await destroy(store, container)
  } catch (error) {
    warn(error instanceof Error ? error.message : `${error}`)
  }
  if (init !== undefined) {
    endOf(init.first)
    // P0 failed to tell of P1, which has ended since the channel is closed: it is the only child left.
    if (container.pid === 0) reap(ANY_CHILD)
  }
  attempt.inherited?.restore()
  lock[Symbol.dispose]()
}
