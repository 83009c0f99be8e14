// The images that become CRIU. Comes in: how CRIU is called, and for restore a config and facts. Goes out: a plan that makes
// a mount namespace of its own, so that whatever CRIU mounts goes with it, even when it is killed. Then holds for restore: the rootfs
// is a mount, and has every mount point; what CRIU forks is in the container's resctrl group.

import type { Config, Mount } from '../config/types.ts'
import { ERRNO } from '../linux/errno.ts'
import { FSMOUNT_CLOEXEC, MNT_DETACH, MOUNT_ATTR, MOVE_MOUNT, OPEN_TREE } from '../linux/mount-flags.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import { ALL_FDS, AT, CLOSE_RANGE_CLOEXEC } from '../linux/open-flags.ts'
import { PR } from '../linux/prctl.ts'
import { SIGNAL } from '../linux/signals.ts'
import { PlanBuilder } from '../plan/builder.ts'
import type { Plan } from '../plan/step.ts'
import { lowerCgroupDoors, lowerCgroupJoin } from './cgroup-join.ts'
import type { Context } from './context.ts'
import { lowerReserveSlots, moveToSlot } from './descriptors.ts'
import { type Facts, lineSlots } from './facts.ts'
import { lowerFsContext } from './fs-context.ts'
import { newContext } from './lower.ts'
import { openOrMake, openTarget } from './mount-target.ts'
import { writeOomScore } from './process-setup.ts'
import { lowerRdtDoors, lowerRdtJoin } from './rdt-join.ts'
import { attach, cloneTree, lowerPropagation, setMountAttributes } from './rootfs.ts'
import { pointer } from './sources.ts'
import { lowerUnmountAll } from './unmount.ts'

/** How CRIU is called. */
export interface CriuCall {
  /** Absolute path. */
  readonly program: string
  readonly env: readonly string[]
  /** How many descriptors it is given; the first is its end of the conversation. */
  readonly given: number
  /** Pid of the caller. */
  readonly caller: number
}

export interface CriuPlan {
  readonly plan: Plan
  /** The number of the first descriptor that CRIU is given. */
  readonly first: number
}

/** For a checkpoint. @param own is it to have a mount namespace of its own? Not when the container has the host's */
export function lowerCriu(call: CriuCall, own: boolean): CriuPlan {
  const { channel, monitor } = lineSlots(0)
  const plan = new PlanBuilder(channel)
  const first = monitor + 1
  lowerGiven(plan, channel, first, call)
  if (own) lowerOwnMounts(plan)
  lowerCall(plan, first, call)
  return { plan: plan.finish(), first }
}

/** @param root a folder of ours, at which the rootfs is mounted for CRIU */
export function lowerRestore(config: Config, facts: Facts, call: CriuCall, root: string): CriuPlan {
  const context = newContext(config, facts)
  const { plan, slots } = context
  const first = slots.free
  lowerGiven(plan, slots.channel, first, call)
  lowerReserveSlots(context)
  plan.syscall('umask', [0])
  const cgroup = lowerCgroupDoors(context)
  const rdt = lowerRdtDoors(context)
  lowerOwnMounts(plan)
  lowerMask(context)
  if (facts.noPivot) lowerCoveredRoot(context)
  lowerMountPoints(context, root)
  lowerRootAt(context, root)
  lowerCgroupJoin(context, cgroup)
  lowerRdtJoin(context, rdt)
  lowerNoOomScore(plan)
  lowerCall(plan, first, call)
  return { plan: plan.finish(), first }
}

/** CRIU saves 0 as nothing at all: such processes inherit what CRIU has, which is the caller's (1 for a shim of containerd). */
function lowerNoOomScore(plan: PlanBuilder): void {
  plan.section('', 'oom_score_adj 0', () => {
    writeOomScore(plan, 0, { EACCES: 'root lets the caller have no less: these processes get what it has' })
  })
}

/** All descriptors close on exec but those that CRIU is given. */
function lowerGiven(plan: PlanBuilder, channel: number, first: number, { given }: CriuCall): void {
  plan.syscall('close_range', [channel, first - 1, CLOSE_RANGE_CLOEXEC])
  plan.syscall('close_range', [first + given, ALL_FDS, CLOSE_RANGE_CLOEXEC])
}

function lowerOwnMounts(plan: PlanBuilder): void {
  plan.syscall('unshare', [NAMESPACES.mount.flag])
  lowerPropagation({ plan })
}

/** CRIU is nothing without who asked it: it would go on with a container that nobody knows of. */
function lowerCall(plan: PlanBuilder, first: number, { program, env, caller }: CriuCall): void {
  plan.section('', 'criu', () => {
    plan.syscall('prctl', [PR.SET_PDEATHSIG, SIGNAL.SIGKILL, 0, 0, 0], { name: 'die_with_caller' })
    plan.require(plan.syscall('getppid', []), 'eq', caller, ERRNO.ESRCH, 'the caller has ended')
    const args = plan.strings(['criu', 'swrk', `${first}`])
    plan.syscall('execve', [program, args.address, plan.strings(env).address])
    plan.exit(127)
  })
}

/** What the host's null device masks: CRIU makes the first of them read-only, and the rest as the source is. */
function lowerMask(context: Context): void {
  const { plan, config } = context
  if (config.linux.maskedPaths.length === 0) return
  plan.section('/linux/maskedPaths', '/dev/null', () => {
    const mask = plan.syscall('open_tree', [AT.FDCWD, '/dev/null', OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC], {
      name: 'mask',
    })
    setMountAttributes(context, mask, { set: MOUNT_ATTR.RDONLY })
    plan.syscall('move_mount', [mask, '', AT.FDCWD, '/dev/null', MOVE_MOUNT.F_EMPTY_PATH])
  })
}

/** CRIU pivots, which the kernel refuses where the root is the ramdisk itself: a copy of it, mounted over it, will do. */
function lowerCoveredRoot(context: Context): void {
  const { plan } = context
  plan.section('', '/', () => {
    const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.RECURSIVE
    const tree = plan.syscall('open_tree', [AT.FDCWD, '/', flags], { name: 'root_copy' })
    plan.syscall('move_mount', [tree, '', AT.FDCWD, '/', MOVE_MOUNT.F_EMPTY_PATH])
    lowerUnmountAll(context)
    plan.syscall('fchdir', [tree])
    plan.syscall('chroot', ['.'])
  })
}

/** The rootfs, where CRIU looks for it. */
function lowerRootAt(context: Context, folder: string): void {
  const { plan, config, slots } = context
  plan.section('/root/path', config.root.path, () => {
    const tree = cloneTree(context, config.root.path, { recursiveBind: true })
    plan.syscall('move_mount', [tree, '', AT.FDCWD, folder, MOVE_MOUNT.F_EMPTY_PATH])
    moveToSlot(context, tree, slots.root)
  })
}

/**
 * The mounts of a container may need folders and files that a fresh copy of its image hasn't. As at create, each is made in
 * what is mounted there by then; all is unmounted again, since CRIU mounts for itself.
 */
function lowerMountPoints(context: Context, folder: string): void {
  const { plan, config } = context
  lowerRootAt(context, folder)
  if (config.root.readonly) lowerPlaceForOldRoot(context)
  for (const mount of config.mounts) {
    plan.section(pointer(mount), mount.destination, () => lowerMountPoint(context, mount))
  }
  plan.section('/root/path', config.root.path, () => plan.syscall('umount2', [folder, MNT_DETACH]))
}

/** CRIU pivots with the old root in /tmp or, where that isn't there, in a folder that it makes, too late for a read-only root. */
function lowerPlaceForOldRoot(context: Context): void {
  context.plan.section('/root/readonly', '/tmp', () => openOrMake(context, '/tmp'))
}

function lowerMountPoint(context: Context, mount: Mount): void {
  const { plan } = context
  if (mount.kind === 'bind' && mount.source !== undefined) {
    const tree = cloneTree(context, mount.source, mount.options)
    attach(context, tree, openTarget(context, mount, { source: tree }))
  } else if (mount.kind === 'filesystem') {
    const target = openTarget(context, mount)
    // What the checkpoint has in it is no concern of ours: an empty one stands for it.
    const standIn = plan.syscall('fsmount', [lowerFsContext(context, 'tmpfs', []), FSMOUNT_CLOEXEC, 0], {
      name: 'stand_in',
    })
    attach(context, standIn, target)
  }
}
