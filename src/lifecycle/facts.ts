// The facts of one call, gathered for the lowerings.

import { type Cgroup, hierarchyViews, joinPoints, takesNoForks } from '../cgroup/cgroup.ts'
import type { Hierarchies } from '../cgroup/hierarchy.ts'
import { ownFolders } from '../cgroup/own.ts'
import type { Config, ProcessConfig } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { requireLandlock } from '../host/landlock.ts'
import { hasAppArmor, hasSelinux, requireLabels } from '../host/lsm.ts'
import { callerNofile, inFirstUserNamespace, mayMount, permittedCapabilities } from '../host/probe.ts'
import { CAPABILITY_NAMES, type CapabilityName, capabilityBit } from '../linux/capabilities.ts'
import { F } from '../linux/fcntl.ts'
import { has } from '../lowering/context.ts'
import { capabilitySet } from '../lowering/credentials.ts'
import type { ConsoleTarget, Facts, Mode } from '../lowering/facts.ts'
import { callerEnvironment } from '../native/caller.ts'
import { readLink } from '../native/file.ts'
import { trySyscall } from '../native/syscall.ts'
import type { SeccompFilter } from '../seccomp/filter.ts'

/** What the caller of create or run asked for, as far as the plan depends on it. */
export interface LaunchOptions {
  readonly id: string
  readonly mode: Mode
  readonly consoleSocket: string | undefined
  readonly preserveFds: number
  readonly noPivot: boolean
  readonly noNewKeyring: boolean
  readonly profile: boolean
  /** Rejects when nobody wants to wait any longer. */
  readonly interrupted?: Promise<never>
  /** Bind the host's devices: an earlier try to make nodes was refused. */
  readonly bindDevices?: boolean
}

const CAP_MKNOD = capabilityBit(27)

/** State and annotations grow by a pid at most. */
const STATE_SLACK = 64

/**
 * @param filter linux.seccomp, compiled
 * @param stateLength characters of the state without its pid
 * @throws RuntError when a descriptor that is to be preserved isn't open
 */
export function gatherFacts(
  config: Config,
  options: LaunchOptions,
  terminal: ConsoleTarget | undefined,
  stateDirectory: string,
  cgroup: Cgroup,
  hierarchies: Hierarchies,
  filter: SeccompFilter | undefined,
  stateLength: number,
): Facts {
  const listenFds = callerListenFds()
  const preservedFds = (listenFds ?? 0) + options.preserveFds
  checkPreserved(preservedFds)
  const points = joinPoints(cgroup, { fromOutside: takesNoForks(config.linux.resources) })
  const capabilities = permittedCapabilities()
  const hasHooks = config.hooks.createContainer.length + config.hooks.startContainer.length > 0
  return {
    id: options.id,
    mode: options.mode,
    stateDirectory,
    preservedFds,
    listenFds,
    console: terminal,
    noPivot: options.noPivot,
    noNewKeyring: options.noNewKeyring,
    profile: options.profile,
    cgroup: {
      ...points,
      views: viewsOf(hierarchies, cgroup),
      unified: hierarchies.mode === 'v2',
    },
    rdtTasks: [],
    grantable: grantableCapabilities(config),
    makesDeviceNodes: options.bindDevices !== true && (capabilities & CAP_MKNOD) !== 0n && inFirstUserNamespace(),
    mayMount: mayMount(capabilities),
    ordinaryUser: process.geteuid?.() !== 0,
    nested: !inFirstUserNamespace(),
    nofile: callerNofile(),
    stateRoom: hasHooks ? stateLength * 3 + STATE_SLACK : 0,
    apparmor: knowsAppArmor(config),
    landlockAbi: abiFor(config),
    seccomp: filter,
  }
}

/** In a hierarchy where the container has no folder of its own, it is where we are. */
function viewsOf(hierarchies: Hierarchies, cgroup: Cgroup): Facts['cgroup']['views'] {
  const count = hierarchies.v1.length + (hierarchies.unified === undefined ? 0 : 1)
  const whole = Object.keys(cgroup.directories).length === count
  return hierarchyViews(hierarchies, cgroup, whole ? {} : ownFolders(hierarchies))
}

/** Asked only where it matters. */
export function knowsAppArmor({ process }: ProcessConfig): boolean {
  return process?.apparmorProfile !== undefined && hasAppArmor()
}

/** @throws RuntError for a label that no security module of this machine would heed */
export function checkLabels(process: ProcessConfig['process']): void {
  const { apparmorProfile, selinuxLabel } = process ?? {}
  requireLabels({ apparmorProfile, selinuxLabel })
}

/**
 * linux.mountLabel is what SELinux is to know the files by. Where it isn't at work nobody asks, and the container is no less
 * confined without: the config goes on without it, with a warning.
 */
export function withHeededLabels(config: Config): Config {
  const { linux, warnings } = config
  if (linux.mountLabel === undefined || hasSelinux()) return config
  const ignored = 'linux.mountLabel: ignored, SELinux is not at work on this machine'
  return { ...config, linux: { ...linux, mountLabel: undefined }, warnings: [...warnings, ignored] }
}

/** The kernel's Landlock, where the config has rules for it. @throws RuntError when it lacks what they need */
export function abiFor({ linux }: ProcessConfig): number {
  return linux.landlock === undefined ? 0 : requireLandlock(linux.landlock)
}

/** In a user namespace of its own the container's root has all capabilities. */
export function grantableCapabilities(config: ProcessConfig): bigint {
  const own = has(config, 'user')
  return own ? (1n << BigInt(CAPABILITY_NAMES.length)) - 1n : permittedCapabilities()
}

/**
 * Capabilities that the config asks for and that can't be given: the container goes without them (config.md, Linux
 * Process). @returns the warnings
 */
export function ungrantable(config: ProcessConfig, grantable: bigint): string[] {
  const asked = config.process?.capabilities
  if (asked === undefined) return []
  const lacks = (name: CapabilityName): boolean => (capabilitySet([name]) & grantable) === 0n
  const missing = [...new Set(Object.values(asked).flat())].filter(lacks)
  const raisable = (name: CapabilityName): boolean => asked.permitted.includes(name) && asked.inheritable.includes(name)
  const lost = asked.ambient.filter((name) => !lacks(name) && !raisable(name))
  return [
    ...(missing.length === 0
      ? []
      : [`process.capabilities: runt itself lacks ${missing.join(', ')}: the container goes without`]),
    ...(lost.length === 0
      ? []
      : [
          `process.capabilities.ambient: ${lost.join(', ')}: only what is permitted and inheritable can be ambient: the container goes without`,
        ]),
  ]
}

/**
 * Where the terminal goes.
 * @throws RuntError 'usage' when the flags contradict the config
 */
export function consoleTarget(
  config: ProcessConfig,
  { mode, consoleSocket }: Pick<LaunchOptions, 'mode' | 'consoleSocket'>,
): ConsoleTarget | undefined {
  const terminal = config.process?.terminal === true
  const detached = mode !== 'run-foreground'
  if (consoleSocket !== undefined && !terminal) {
    throw new RuntError('usage', 'cannot use console socket if runt will not allocate a terminal', {
      hint: 'process.terminal is not true',
    })
  }
  if (!terminal) return undefined
  if (consoleSocket !== undefined) {
    if (!detached) throw new RuntError('usage', 'cannot use console socket if runt will not detach')
    return { kind: 'socket', path: consoleSocket }
  }
  if (detached) {
    throw new RuntError('usage', 'cannot allocate terminal if runt will detach without setting console socket', {
      hint: 'give --console-socket, or set process.terminal to false',
    })
  }
  return { kind: 'channel' }
}

/** Socket activation: LISTEN_FDS, where LISTEN_PID says that it is meant for us and not inherited. sd_listen_fds(3) */
function callerListenFds(): number | undefined {
  const { LISTEN_FDS, LISTEN_PID } = callerEnvironment()
  if (LISTEN_FDS === undefined || !/^[1-9]\d{0,3}$/.test(LISTEN_FDS)) return undefined
  if (LISTEN_PID !== `${process.pid}`) return undefined
  return Number(LISTEN_FDS)
}

/** What an engine opens first of all, so that it has the first number which the caller left free. */
const FIRST_OF_ENGINE = 'anon_inode:[eventpoll]'

/**
 * A descriptor of the engine in that place would go into the container: only what the caller left open may. Close-on-exec
 * tells nothing: some engines set it for all descriptors that they find.
 */
export function checkPreserved(count: number): void {
  for (let fd = 3; fd < 3 + count; fd++) {
    const path = `/proc/self/fd/${fd}`
    if (trySyscall('fcntl', fd, F.GETFD) >= 0 && readLink(path) !== FIRST_OF_ENGINE) continue
    throw new RuntError('usage', `preserve-fds: descriptor ${fd} is not open in the caller`)
  }
}
