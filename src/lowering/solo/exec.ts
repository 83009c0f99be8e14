// exec by an image that needs nobody: what solo.ts is for a container, for one more process in it.

import type { ProcessConfig } from '../../config/types.ts'
import { ERRNO } from '../../linux/errno.ts'
import { NAMESPACES } from '../../linux/namespaces.ts'
import { AT, O, RESOLVE } from '../../linux/open-flags.ts'
import { STATX } from '../../linux/statx.ts'
import { u64 } from '../../plan/builder.ts'
import type { Plan } from '../../plan/step.ts'
import type { ProcessContext } from '../context.ts'
import { lowerReserveSlots, moveToSlot } from '../descriptors.ts'
import { lowerExecHostSide, lowerExecP1, lowerJoinPid, newExecContext } from '../exec.ts'
import type { ProcessFacts } from '../facts.ts'
import { openIn } from '../in-root.ts'
import { statDescriptor } from '../statx.ts'
import { lowerBirth, lowerExpectProgram, lowerExpectReady, lowerLines, lowerReply } from './birth.ts'
import { lowerCheck } from './cgroup.ts'
import { lowerPidFile } from './claim.ts'
import { lowerBecomeEngine, lowerExitAs } from './end.ts'
import type { CgroupWork } from './facts.ts'
import { lowerBlockSignals, lowerSignalMask, lowerStandIn, lowerUnwatchSignals } from './signals.ts'
import { Undo } from './undo.ts'

/** A file as it was when it was looked at. */
export interface KnownFile {
  readonly inode: bigint
  readonly size: bigint
  readonly modified: { readonly seconds: bigint; readonly nanoseconds: number }
}

export interface SoloExec {
  /** The container's init, and the inode of its pidfd: no other process ever has it. */
  readonly init: { readonly pid: number; readonly inode: bigint }
  /** Bytes of the kernel's files that say that the container is not frozen. */
  readonly checks: CgroupWork['checks']
  /** The v2 folder, which must not hand controllers down: init would be further below then, and so would we. */
  readonly leaf: string | undefined
  /** HOME=…, when the program is to have it, and the container's /etc/passwd, which says so; undefined when it has none. */
  readonly home: { readonly entry: string; readonly passwd: KnownFile | undefined } | undefined
  readonly pidFile: string | undefined
  readonly engine: string
}

/** The plan of a process that is added to a container by its own image. @param solo what runt would have found out */
export function lowerSoloExec(config: ProcessConfig, facts: ProcessFacts, solo: SoloExec): Plan {
  const context = newExecContext(config, facts, { solo: true })
  const { plan, slots } = context
  const undo = new Undo(plan)
  const mask = lowerBlockSignals(context)
  undo.onFailure('restore_signals', () => lowerSignalMask(context, mask))
  lowerLines(context, undo)
  lowerReserveSlots(context)
  lowerOpenInit(context, solo, undo)
  for (const check of solo.checks) lowerCheck(context, check, undo)
  if (solo.leaf !== undefined) lowerLeaf(context, solo.leaf, undo)
  const { doors, root } = lowerExecHostSide(context)
  lowerWayBack(context, undo)
  const giveUp = undo.now
  lowerJoinPid(context)
  const birth = { name: 'exec', flags: 0n, cgroup: doors.v2 }
  const born = lowerBirth(context, undo, giveUp, birth, () =>
    lowerExecP1(context, doors, root, () => lowerSamePasswd(context, solo)),
  )
  plan.syscall('close', [slots.lock]) // it only kept a place, and is the channel: when P1 goes, that must be heard
  lowerExpectReady(context, born, undo)
  if (solo.pidFile !== undefined) lowerPidFile(context, solo.pidFile, born, undo)
  lowerReply(context, solo.home?.entry)
  lowerExpectProgram(context, born, undo)
  plan.rescueAt(undefined)
  if (facts.mode === 'run-foreground') {
    lowerUnwatchSignals(context, born.wait)
    // The caller's streams are not held open longer than the program holds them.
    plan.syscall('close_range', [0, 1, 0])
    lowerExitAs(context, lowerStandIn(context, born.pid))
  } else plan.exit(0)
  undo.lower()
  lowerBecomeEngine(context, solo.engine)
  return plan.finish()
}

/** The pidfd of init in its slot, the only one below the temporary descriptors that is free. */
function lowerOpenInit(context: ProcessContext, { init }: SoloExec, undo: Undo): void {
  const { plan, slots } = context
  plan.branch(plan.syscall('pidfd_open', [init.pid, 0]), 'ne', slots.init, undo.now)
  const known = plan.constant(`inode ${init.inode}`, [u64(init.inode)])
  plan.branch(statDescriptor(context, slots.init).field(STATX.inode, 8), 'ne', known.field(0, 8), undo.now)
}

function lowerLeaf({ plan }: ProcessContext, folder: string, undo: Undo): void {
  const flags = { kind: 'open-flags', flags: O.CLOEXEC } as const
  const file = plan.syscall('openat', [AT.FDCWD, `${folder}/cgroup.subtree_control`, flags, 0], { name: 'leaf' })
  const byte = plan.struct('controllers', [u64(0)])
  plan.branch(plan.syscall('read', [file, byte.address, 1]), 'ne', 0, undo.now)
  plan.syscall('close', [file])
}

/** An engine that we become again must not have its children in the container, and can't have threads. */
function lowerWayBack(context: ProcessContext, undo: Undo): void {
  const { plan, slots } = context
  const flags = { kind: 'open-flags', flags: O.CLOEXEC } as const
  const own = plan.syscall('openat', [AT.FDCWD, '/proc/self/ns/pid', flags, 0], { name: 'own_pid_namespace' })
  moveToSlot(context, own, slots.directory) // there is no folder to keep
  plan.syscall('setns', [slots.directory, NAMESPACES.pid.flag], { name: 'may_come_back' }) // who may not, had better not go
  undo.onFailure('leave_pid', () => plan.syscall('setns', [slots.directory, NAMESPACES.pid.flag]))
}

/** P1, inside: the home that was found is still what the container says. */
function lowerSamePasswd(context: ProcessContext, { home }: SoloExec): void {
  if (home === undefined) return
  const { plan } = context
  const call = { flags: O.PATH, resolve: RESOLVE.NO_MAGICLINKS, name: 'passwd', path: 'container' } as const
  if (home.passwd === undefined) {
    const absent = plan.label('absent')
    openIn(context, AT.FDCWD, '/etc/passwd', { ...call, onError: { ENOENT: absent } })
    plan.fail(ERRNO.EEXIST, '/etc/passwd')
    plan.place(absent)
    return
  }
  const file = openIn(context, AT.FDCWD, '/etc/passwd', call)
  const found = statDescriptor(context, file)
  const { inode, size, modified } = home.passwd
  const known = plan.constant('passwd', [u64(inode), u64(size), u64(modified.seconds), u64(modified.nanoseconds)])
  const fields = [
    [STATX.inode, 8],
    [STATX.size, 8],
    [STATX.mtime, 8],
    [STATX.mtime + 8, 4],
  ] as const
  for (const [index, [offset, width]] of fields.entries()) {
    plan.require(found.field(offset, width), 'eq', known.field(8 * index, width), ERRNO.ESTALE, '/etc/passwd')
  }
  plan.syscall('close', [file])
}
