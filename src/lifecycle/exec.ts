// exec: one more process in a container that is there. Comes in: the container's record and what the flags ask for. Goes out:
// the program's exit status, or its pid when nobody waits. On any error the container is as before.

import { execJoinPoints, placeToAttach } from '../cgroup/exec.ts'
import { managerOf } from '../cgroup/manager.ts'
import type { ProcessConfig } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { sendPidfd } from '../host/pidfd.ts'
import { callerNofile } from '../host/probe.ts'
import { SIGNAL } from '../linux/signals.ts'
import { debug, warn } from '../log.ts'
import { lowerExec } from '../lowering/exec.ts'
import { lineSlots, type ProcessFacts } from '../lowering/facts.ts'
import { isExecutable } from '../native/ffi.ts'
import { close, writeFileAtomically } from '../native/file.ts'
import { trySyscall } from '../native/syscall.ts'
import type { Plan } from '../plan/step.ts'
import { printable } from '../printable.ts'
import { type InitProcess, spawnInit } from '../process/init.ts'
import { keepGoing } from '../process/stopped.ts'
import { encodeReply } from '../process/sync.ts'
import { endOf, exitStatus, isAlive, processStat, reap, signalProcess } from '../process/wait.ts'
import { EXEC_STOPPED } from '../words.ts'
import { handOver } from './agent.ts'
import { type Container, stateOf } from './container.ts'
import { executed, hear, learnPid, type Peer, receiveMaster, tell } from './conversation.ts'
import { type ExecRequest, execConfig } from './exec-process.ts'
import { explainExec } from './explain-exec.ts'
import {
  abiFor,
  checkLabels,
  checkPreserved,
  consoleTarget,
  grantableCapabilities,
  knowsAppArmor,
  ungrantable,
} from './facts.ts'
import { recordedFilter } from './filter.ts'
import { checkId } from './id.ts'
import { compileHere } from './image.ts'
import type { Profile } from './profile.ts'
import { forwardSignals } from './signals.ts'
import { becomeSoloExec, type PreparedExec } from './solo-exec.ts'
import { standIn } from './stand-in.ts'
import { requireStatus, statusOf } from './status.ts'
import type { Store } from './store.ts'

export interface ExecOptions {
  readonly id: string
  readonly request: ExecRequest
  /** Don't wait for its end. */
  readonly detach: boolean
  readonly pidFile: string | undefined
  readonly consoleSocket: string | undefined
  readonly pidfdSocket: string | undefined
  readonly preserveFds: number
  /** "path", or "controller[,controller]:path": below the container's cgroup. */
  readonly subCgroups: readonly string[]
  /** Go on in a paused container: the process starts when it is resumed. */
  readonly ignorePaused: boolean
  readonly profile: boolean
  /** With runt beside it: what the short way falls back on. */
  readonly supervised: boolean
  /** For tests: this step of the plan fails with this errno. */
  readonly inject?: { readonly step: number; readonly errno: number }
}

/**
 * @returns the exit status of the program (128 and the signal for one that was killed); 0 when detached
 * @throws RuntError; the container is as before then
 */
export async function execProcess(store: Store, options: ExecOptions, profile: Profile): Promise<number> {
  checkId(options.id)
  const container = store.load(options.id)
  const target = openInit(store, container, options.ignorePaused)
  try {
    profile.mark('container found')
    const prepared = await prepareExec(container, options) // as long as that waits for its file, a signal ends it
    // Before the program is there: who starts it may signal at once.
    using signals = options.detach ? undefined : forwardSignals()
    if (!options.supervised && isExecutable()) becomeSoloExec(container, options, prepared)
    for (const warning of prepared.warnings) warn(printable(warning))
    const running = await enter(container, options, prepared, target, signals?.interrupted, profile)
    if (options.detach) {
      close(running.init.monitor) // its parent hears of it, and goes
      reap(running.init.first)
      return 0
    }
    signals?.aim(running.pid, running.startTime)
    const status = await standIn(running.init, running.master)
    profile.mark('program ended')
    return exitStatus(status)
  } finally {
    close(target)
  }
}

/** What the plan of a process for a container depends on. @throws RuntError for what can't be run there */
export async function prepareExec(container: Container, options: ExecOptions): Promise<PreparedExec> {
  const warnings: string[] = []
  const config = await execConfig(container, options.request, warnings)
  checkLabels(config.process)
  const points = execJoinPoints(container.cgroup, options.subCgroups, container.pid, options.ignorePaused)
  const attachTo = placeToAttach(container.cgroup, points)
  const nowhere = { procs: [], v2Directory: undefined }
  const cgroup = { ...(attachTo === undefined ? points : nowhere), awaited: attachTo !== undefined }
  const facts = execFacts(container, config, options, cgroup)
  return { config, facts, attachTo, warnings: [...warnings, ...ungrantable(config, facts.grantable)] }
}

/** The plan of a process for a container. */
export function planExec({ config, facts }: PreparedExec): Plan {
  const plan = lowerExec(config, facts)
  return plan
}

function execFacts(
  container: Container,
  config: ProcessConfig,
  options: ExecOptions,
  cgroup: ProcessFacts['cgroup'],
): ProcessFacts {
  const mode = options.detach ? 'run' : 'run-foreground'
  checkPreserved(options.preserveFds)
  return {
    id: container.id,
    mode,
    preservedFds: options.preserveFds,
    listenFds: undefined,
    console: consoleTarget(config, { mode, consoleSocket: options.consoleSocket }),
    noNewKeyring: container.exec.noNewKeyring,
    profile: options.profile,
    cgroup,
    rdtTasks: container.rdt?.tasks ?? [],
    grantable: grantableCapabilities(config),
    nofile: callerNofile(),
    stateRoom: 0,
    apparmor: knowsAppArmor(config),
    landlockAbi: abiFor(config),
    seccomp: recordedFilter(container.exec.filter),
  }
}

/**
 * A pidfd of the container's init: opened first and looked at then, so that it can't be another process's.
 * @throws RuntError when it doesn't run
 */
function openInit(store: Store, container: Container, ignorePaused: boolean): number {
  const pidfd = container.pid === 0 ? -1 : trySyscall('pidfd_open', container.pid, 0)
  try {
    const status = pidfd < 0 && container.phase === 'created' ? 'stopped' : statusOf(store, container)
    if (!(ignorePaused && status === 'paused')) requireStatus('exec', container.id, status)
    return pidfd
  } catch (error) {
    if (pidfd >= 0) close(pidfd)
    throw error
  }
}

/** A process that executes its program. */
interface Running {
  readonly init: InitProcess
  readonly pid: number
  readonly startTime: number
  /** The pty's master, when runt relays the terminal. */
  readonly master: number | undefined
}

/** Up to the program. @throws RuntError; nothing of the process is left then */
async function enter(
  container: Container,
  options: ExecOptions,
  prepared: PreparedExec,
  target: number,
  interrupted: Promise<never> | undefined,
  profile: Profile,
): Promise<Running> {
  const { config, facts, attachTo } = prepared
  const plan = planExec(prepared)
  profile.mark('lower')
  const image = compileHere(plan, {
    profile: options.profile,
    ...(options.inject === undefined ? {} : { inject: options.inject }),
  })
  profile.mark('codegen')
  debug(`container ${container.id}: exec plan of ${plan.steps.length} steps, image of ${image.bytes.length} bytes`)
  const slots = lineSlots(facts.preservedFds)
  const init = spawnInit(image.bytes, slots, [[target, slots.init]], interrupted)
  profile.mark('spawn')
  let born: Pick<Running, 'pid' | 'startTime'> | undefined
  try {
    const unborn: Peer = { plan, init, name: 'exec process', pid: 0 }
    if (attachTo !== undefined) {
      const manager = await managerOf(container.cgroup)
      await manager.attach(container.cgroup, attachTo, await learnPid(unborn))
      await tell(unborn, encodeReply())
    }
    const pid = await learnPid(unborn)
    born = { pid, startTime: processStat(pid)?.startTime ?? 0 }
    const peer = { ...unborn, pid }
    init.channel.whileWaiting(keepGoing(pid, peer.name))
    const master = facts.console?.kind === 'channel' ? await receiveMaster(peer) : undefined
    const agent = container.exec.filter?.agent
    if (agent !== undefined && agent !== null) await handOver(peer, agent, stateOf(container, 'running', container.pid))
    if (options.profile) profile.steps(plan, await init.channel.receiveRaw(8 * (plan.steps.length + 1)))
    await hear(peer, 'ready')
    profile.mark('init ready')
    if (options.pidfdSocket !== undefined) sendPidfd(options.pidfdSocket, pid)
    if (options.pidFile !== undefined) writeFileAtomically(options.pidFile, `${pid}`, 0o644)
    await tell(peer, encodeReply())
    await executed(peer)
    profile.mark('executed')
    return { init, ...born, master }
  } catch (error) {
    abandon(init, born)
    throw unlessEnded(container, explainExec(error, `/proc/${container.pid}/root`, config))
  }
}

/** Nobody is left: not the process, wherever others of the container may hold it up, nor its parent. */
function abandon(init: InitProcess, born: Pick<Running, 'pid' | 'startTime'> | undefined): void {
  init.channel.close()
  if (born !== undefined) signalProcess(born.pid, born.startTime, SIGNAL.SIGKILL)
  endOf(init.first)
  close(init.monitor)
}

/** With its init a container ends, and what was about to join it: that is the news then, not the step that failed. */
function unlessEnded(container: Container, error: unknown): unknown {
  if (isAlive(container.pid, container.startTime)) return error
  const message = `${EXEC_STOPPED}: ${container.id} has ended meanwhile`
  return new RuntError('container-status', message, { cause: error })
}
