// A mount of type cgroup: what the container sees of its cgroups, below /sys/fs/cgroup as a rule.

import type { Mount, MountOptions } from '../config/types.ts'
import { propertyError } from '../errors.ts'
import { FSMOUNT_CLOEXEC, MOUNT_ATTR, MOVE_MOUNT, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT } from '../linux/open-flags.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { has, isNew } from './context.ts'
import type { CgroupView } from './facts.ts'
import { lowerFsContext } from './fs-context.ts'
import { splitOption } from './fs-parameters.ts'
import { labelParameters } from './lsm.ts'
import { lowerPropagationChanges, setRecursiveAttributes, setRemountAttributes } from './mount-attributes.ts'
import { attachMount, openTarget } from './mount-target.ts'

/** As every engine's users know it. */
const TMPFS = [
  ['source', 'cgroup'],
  ['mode', '755'],
] as const

/** Nothing in a cgroup file system is to be executed. */
const ALWAYS = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC

/** On v2 the one hierarchy; on v1, also beside a cgroup2, a tmpfs with a folder for each of the others. */
export function lowerCgroupMount(context: Context, mount: Mount): void {
  const { facts } = context
  const target = openTarget(context, mount)
  const [view] = facts.cgroup.views
  if (!facts.cgroup.unified) lowerHierarchies(context, mount, target)
  else if (view !== undefined) {
    const tree = lowerUnified(context, view, mount)
    setRemountAttributes(context, tree, optionsOf(context, mount))
    attachMount(context, mount, tree, target)
    lowerPropagationChanges(context, tree, mount.options)
  }
}

/** Who has a user namespace and no cgroup namespace sees cgroups that are none of the container's (CVE-2023-25809). */
function optionsOf({ config }: Context, { options }: Mount): MountOptions {
  const exposed = has(config, 'user') && !has(config, 'cgroup') ? MOUNT_ATTR.RDONLY : 0
  const set = ((ALWAYS & ~options.attrClear) | options.attrSet | exposed) >>> 0
  return { ...options, attrSet: set, attrClear: options.attrClear & ~exposed }
}

function lowerHierarchies(context: Context, mount: Mount, target: Operand): void {
  const { plan, config, facts } = context
  const [unknown] = mount.options.data
  if (unknown !== undefined) {
    throw propertyError('init', `/mounts/${mount.index}/options`, `${unknown} is no option of cgroups of version 1`, {
      data: { pointer: `/mounts/${mount.index}/options` },
    })
  }
  const label = labelParameters(config.linux.mountLabel, 'tmpfs')
  const fs = lowerFsContext(context, 'tmpfs', [...TMPFS, ...label])
  const tmpfs = plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, 0], { name: 'tmpfs' })
  attachMount(context, mount, tmpfs, target)
  for (const view of facts.cgroup.views) {
    plan.syscall('mkdirat', [tmpfs, view.name, 0o755], { about: view.name })
    const tree = isMountable(context) ? mountView(context, 'cgroup', view, mount) : clone(context, view.directory)
    // By name, and safely so: the tmpfs is ours, and only we have been in it.
    plan.syscall('move_mount', [tree, '', tmpfs, view.name, MOVE_MOUNT.F_EMPTY_PATH], { about: view.name })
    for (const link of view.links) plan.syscall('symlinkat', [view.name, tmpfs, link], { about: link })
  }
  const { attrSet, attrClear, recursiveSet, recursiveClear } = optionsOf(context, mount)
  setRecursiveAttributes(context, tmpfs, {
    recursiveSet: recursiveSet | attrSet,
    recursiveClear: recursiveClear | attrClear,
  })
  lowerPropagationChanges(context, tmpfs, mount.options)
}

/** With a cgroup namespace the container's part; without one all of it, as /proc/self/cgroup speaks of it. */
function lowerUnified(context: Context, view: CgroupView, mount: Mount): Value {
  if (isMountable(context)) return mountView(context, 'cgroup2', view, mount)
  return clone(context, has(context.config, 'cgroup') ? view.directory : view.mountpoint)
}

/** A new mount shows just the part that is the cgroup namespace's; the user namespace must own it for that. */
export function isMountable({ config }: Pick<Context, 'config'>): boolean {
  return isNew(config, 'cgroup') || (has(config, 'cgroup') && !has(config, 'user'))
}

function clone({ plan }: Context, path: string): Value {
  const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
  return plan.syscall('open_tree', [AT.FDCWD, path, flags], { name: 'tree', about: path })
}

function mountView(context: Context, type: string, view: CgroupView, mount: Mount): Value {
  const named = [...view.options, ...mount.options.data].map(splitOption)
  const fs = lowerFsContext(context, type, [['source', mount.source ?? 'cgroup'], ...named])
  return context.plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, 0], { name: 'cgroup' })
}
