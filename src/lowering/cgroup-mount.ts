// A mount of type cgroup: what the container sees of its cgroups, below /sys/fs/cgroup as a rule.

import type { Mount } from '../config/types.ts'
import { FSMOUNT_CLOEXEC, MOVE_MOUNT, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT } from '../linux/open-flags.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { has } from './context.ts'
import type { CgroupView } from './facts.ts'
import { type FsParameter, lowerFsContext } from './fs-context.ts'
import { openOrMake } from './in-root.ts'
import { labelParameters } from './lsm.ts'
import { attach, setMountAttributes } from './rootfs.ts'

/** As every engine's users know it. */
const TMPFS = [
  ['source', 'cgroup'],
  ['mode', '755'],
] as const

/** On v2 the container's subtree; on v1 a tmpfs with a folder for each hierarchy. */
export function lowerCgroupMount(context: Context, mount: Mount): void {
  const { facts } = context
  const target = openOrMake(context, mount.destination, 'directory')
  if (facts.cgroup.unified) {
    const [view] = facts.cgroup.views
    if (view === undefined) return
    const tree = lowerView(context, 'cgroup2', view, mount)
    setMountAttributes(context, tree, { set: mount.options.attrSet })
    attach(context, tree, target)
    return
  }
  lowerHierarchies(context, mount, target)
}

function lowerHierarchies(context: Context, mount: Mount, target: Operand): void {
  const { plan, config, facts } = context
  const label = labelParameters(config.linux.mountLabel, 'tmpfs')
  const fs = lowerFsContext(context, 'tmpfs', [...TMPFS, ...label])
  const tmpfs = plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, 0], { name: 'tmpfs' })
  attach(context, tmpfs, target)
  for (const view of facts.cgroup.views) {
    plan.syscall('mkdirat', [tmpfs, view.name, 0o755], { about: view.name })
    const tree = lowerView(context, 'cgroup', view, mount)
    // By name, and safely so: the tmpfs is ours, and only we have been in it.
    plan.syscall('move_mount', [tree, '', tmpfs, view.name, MOVE_MOUNT.F_EMPTY_PATH], { about: view.name })
    for (const link of view.links) plan.syscall('symlinkat', [view.name, tmpfs, link], { about: link })
  }
  setMountAttributes(context, tmpfs, { set: mount.options.attrSet, recursive: true })
}

/** With a cgroup namespace a new mount shows just the container's part; without, its folder is bound. */
function lowerView(context: Context, type: string, view: CgroupView, mount: Mount): Value {
  const { plan, config } = context
  if (!has(config, 'cgroup')) {
    const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
    return plan.syscall('open_tree', [AT.FDCWD, view.directory, flags], { name: 'tree', about: view.directory })
  }
  const named = view.options.map((option): FsParameter => {
    const [key = option, value] = option.split('=')
    return value === undefined ? [key] : [key, value]
  })
  const parameters: FsParameter[] = [['source', mount.source ?? 'cgroup'], ...named]
  if (type === 'cgroup2') parameters.push(...mount.options.data.map((option) => [option] as const))
  const fs = lowerFsContext(context, type, parameters)
  return plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, 0], { name: 'cgroup' })
}
