// Config → Plan: what happens, in what order. Comes in: a validated config and the facts of this host and call.
// Goes out: the plan of the container's init. Then holds: the same input gives the same plan.

import type { Config } from '../config/types.ts'
import { CLONE } from '../linux/namespaces.ts'
import { O } from '../linux/open-flags.ts'
import { PR } from '../linux/prctl.ts'
import { PlanBuilder } from '../plan/builder.ts'
import type { Plan, Value } from '../plan/step.ts'
import { type CgroupDoors, lowerCgroupDoors, lowerCgroupJoin } from './cgroup-join.ts'
import { lowerConsole, lowerConsoleSocket } from './console.ts'
import { type Context, has, isNew } from './context.ts'
import { lowerCloseOnExec, lowerCloseTemporary, lowerGateFifos, lowerReserveSlots } from './descriptors.ts'
import { lowerDevices, lowerDevLinks } from './devices.ts'
import { lowerExecve } from './execve.ts'
import { type Facts, slots } from './facts.ts'
import {
  lowerFirstProcess,
  lowerHooksPause,
  lowerNamespaceRoot,
  lowerNamespacesPause,
  lowerReady,
  lowerTellHooked,
  replySize,
} from './handshake.ts'
import { lowerMaskedPaths, lowerReadonlyPaths } from './hidden-paths.ts'
import { HOOK_OUTPUT_ROOM, hasContainerHooks, lowerContainerHooks } from './hooks.ts'
import { lowerLoopback, lowerNames } from './hostname.ts'
import { lowerIdentity } from './identity.ts'
import { lowerIdmapNamespaces } from './idmap.ts'
import { labelSlots, lowerLabelDoors } from './lsm.ts'
import { openOrMake } from './mount-target.ts'
import { lowerMounts, lowerSealDev } from './mounts.ts'
import { lowerCgroupNamespace, lowerJoinNamespaces, lowerTimeNamespace, newNamespaceFlags } from './namespaces.ts'
import { lowerPivot } from './pivot.ts'
import { lowerAffinityReset, lowerCwd, lowerKeyring, lowerOomScore } from './process-setup.ts'
import { lowerSysctl, ownProcfs } from './procfs.ts'
import { lowerRdtDoors, lowerRdtJoin } from './rdt-join.ts'
import { lowerBareRoot, lowerPropagation, lowerRootAttributes, lowerRootfs } from './rootfs.ts'
import { lowerFilter, lowerWatchedFilter } from './seccomp.ts'
import { isRootMounted, lowerHostSources, lowerOwnSources, ownSources, wayOf } from './sources.ts'
import { lowerStartGate } from './start-gate.ts'

/** The plan of a container's init. @param facts probed before; see Facts */
export function lowerCreate(config: Config, facts: Facts): Plan {
  const context = newContext(config, facts)
  lowerP0(context)
  return context.plan.finish()
}

/** @param solo is the image to do runt's part as well? It may branch back then */
export function newContext(config: Config, facts: Facts, { solo = false }: { readonly solo?: boolean } = {}): Context {
  const fixed = slots(facts.preservedFds, {
    init: false,
    gate: facts.mode === 'create',
    hookOutput: hasContainerHooks({ config }),
    console: facts.console?.kind === 'socket',
    path: facts.console?.kind === 'socket' || config.mounts.some(({ idmap }) => idmap !== undefined),
    ...labelSlots({ config, facts }),
    folder: solo,
    pidfd: solo,
  })
  const plan = new PlanBuilder(fixed.channel, hasContainerHooks({ config }) ? HOOK_OUTPUT_ROOM : 0)
  return {
    plan,
    config,
    facts,
    slots: fixed,
    reply: plan.buffer('reply', replySize(facts.stateRoom)),
    trees: { root: undefined, mounts: new Map(), userNamespaces: new Map() },
    binds: new Map(),
    unsealed: [],
    way: wayOf({ config, facts }),
    ownSources: ownSources(config),
    procfs: undefined,
  }
}

/** Descriptors that P0 opens for P1 to go through. */
export interface Doors extends CgroupDoors {
  readonly rdt: readonly Value[]
}

/** On the host's side: whatever needs the host's paths and rights, then P1 is born. */
function lowerP0(context: Context): void {
  const { plan, config, facts } = context
  lowerCloseOnExec(context)
  lowerReserveSlots(context)
  lowerHiddenFromOthers(context)
  const doors = lowerHostSide(context)
  // In the foreground P0 stays as the parent; else P1 is runt's child, and goes to its subreaper when runt exits.
  const parent = facts.mode === 'run-foreground' ? 0n : BigInt(CLONE.PARENT)
  const init = plan.fork('init', newNamespaceFlags(config) | parent, () => lowerP1(context, doors), doors.v2)
  lowerFirstProcess(context, init)
}

/**
 * Who is about to enter a container is not to be looked at by who is in there, and makes files with just the modes it says.
 * In a user namespace that is made with the container there is nobody; an ordinary user has to look into it, for id maps and
 * hooks, and only may as long as it is dumpable.
 */
export function lowerHiddenFromOthers({ plan, config, facts }: Context): void {
  if (!(facts.ordinaryUser && isNew(config, 'user'))) {
    plan.syscall('prctl', [PR.SET_DUMPABLE, 0, 0, 0, 0], { name: 'dumpable' })
  }
  plan.syscall('umask', [0])
}

/** A change of ids takes it away again: see above. */
function lowerSeenByCaller({ plan, config, facts }: Context): void {
  if (!(facts.ordinaryUser && isNew(config, 'user')) || config.process === undefined) return
  plan.section('', 'dumpable', () => plan.syscall('prctl', [PR.SET_DUMPABLE, 1, 0, 0, 0], { name: 'dumpable' }))
}

/** What P0 opens, and where it goes, before P1 is born. */
export function lowerHostSide(context: Context): Doors {
  const { facts } = context
  lowerOomScore(context)
  if (facts.mode === 'create') lowerGateFifos(context)
  lowerConsoleSocket(context)
  const doors = { ...lowerCgroupDoors(context), rdt: lowerRdtDoors(context) }
  lowerHostSources(context)
  lowerIdmapNamespaces(context)
  lowerJoinNamespaces(context)
  return doors
}

/** The container's init, up to the program. */
export function lowerP1(context: Context, doors: Doors): void {
  const { plan, config, slots: fixed } = context
  // Left by filling its slot: a number that is free would go to the next temporary descriptor, and stay open.
  const cloexec = { kind: 'open-flags', flags: O.CLOEXEC } as const
  plan.syscall('dup3', [fixed.channel, fixed.monitor, cloexec], { name: 'leave_monitor' })
  lowerCgroupJoin(context, doors)
  lowerRdtJoin(context, doors.rdt)
  lowerNamespacesPause(context)
  lowerAffinityReset(context)
  lowerCgroupNamespace(context)
  lowerTimeNamespace(context)
  lowerLabelDoors(context, () => ownProcfs(context))
  plan.syscall('setsid', [])
  lowerKeyring(context, 'init')
  if (isRootMounted(config)) {
    if (has(config, 'mount')) lowerPropagation(context)
    lowerRootfs(context, lowerOwnSources(context))
    lowerNamespaceRoot(context)
    lowerMounts(context)
    lowerDevices(context)
    lowerDevLinks(context)
    lowerConsole(context)
    lowerSealDev(context)
  } else {
    lowerBareRoot(context)
    lowerNamespaceRoot(context)
  }
  lowerSysctl(context)
  lowerLoopback(context)
  lowerNames(context)
  lowerHooksPause(context)
  lowerContainerHooks(context, 'createContainer')
  if (has(config, 'mount')) {
    lowerMaskedPaths(context)
    lowerReadonlyPaths(context)
  }
  lowerPivot(context)
  const cwd = lowerCwd(context, (path) => openOrMake(context, path, { flags: O.PATH | O.DIRECTORY, name: 'cwd' }))
  if (isRootMounted(config)) lowerRootAttributes(context)
  const program = lowerIdentity(context, cwd)
  lowerSeenByCaller(context)
  lowerCloseTemporary(context)
  lowerWatchedFilter(context)
  lowerReady(context)
  lowerStartGate(context)
  if (program === undefined) return
  lowerFilter(context)
  lowerContainerHooks(context, 'startContainer', program.environment)
  lowerTellHooked(context)
  lowerExecve(context, program)
}
