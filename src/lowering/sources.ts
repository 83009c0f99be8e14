// Where the root file system and the sources of binds come from. Mounts are made in the order that the config lists them, so a
// source is cloned when its turn has come, in P1's mount namespace: what was mounted before is in it, and a flag that an outer
// user namespace has locked stays locked. mount_namespaces(7)

import type { Config, Mount } from '../config/types.ts'
import { FSMOUNT_CLOEXEC, MOVE_MOUNT, MS, OPEN_TREE } from '../linux/mount-flags.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import { AT, O, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import type { DataObject } from '../plan/builder.ts'
import type { Value } from '../plan/step.ts'
import { type Context, has, isNew } from './context.ts'
import { makeFileSystem } from './file-system.ts'
import { lowerFsContext } from './fs-context.ts'
import { lowerIdmap } from './idmap.ts'
import { openInRoot } from './in-root.ts'
import { cloneTree, lowerPropagation, setMountAttributes } from './rootfs.ts'
import { statDescriptor } from './statx.ts'

/** The JSON pointer of a mount. */
export function pointer({ index }: Pick<Mount, 'index'>): string {
  return `/mounts/${index}`
}

/**
 * Who clones the host's mounts, and when:
 * - `in-turn`: P1, when their turn has come. It has the rights that runt has.
 * - `staged`: into a new user namespace P1 takes no rights over the host's files. So P0 clones, in a mount namespace of its own,
 *   onto a tmpfs that is its working folder. P1 is born with a copy of that namespace in which the kernel has locked what an
 *   outer user namespace decided, and clones from its working folder in turn.
 * - `ahead`: all at once. In P0, where they are to be shared with the host, or go into a mount namespace that others have made;
 *   in P1, as who the caller is, where P0 may not clone mounts.
 */
export type Way = 'in-turn' | 'staged' | 'ahead'

/**
 * Is the root file system mounted for the container? Without a mount namespace of its own, which it inherits then, only where
 * something is to be mounted or changed in it: as with runc, it stays mounted there when the container has gone.
 */
export function isRootMounted({ mounts, root, process, linux }: Config): boolean {
  if (linux.namespaces.some(({ type }) => type === 'mount')) return true
  return (
    mounts.length > 0 ||
    root.readonly ||
    process?.terminal === true ||
    linux.devices.length > 0 ||
    linux.rootfsPropagation !== undefined
  )
}

/** How this container gets at its sources. */
export function wayOf({ config, facts }: Pick<Context, 'config' | 'facts'>): Way {
  if (!has(config, 'mount')) return 'in-turn'
  if (!isNew(config, 'mount') || !facts.mayMount) return 'ahead'
  if (has(config, 'user')) return 'staged'
  return config.linux.rootfsPropagation === 'shared' ? 'ahead' : 'in-turn'
}

/**
 * Binds whose source lies on an earlier mount of the same config, or has one below it: they are looked for in the container's
 * own root. Told by the words of the config, below root.path.
 * @returns by the mount's index, the source as a path in the container
 */
export function ownSources({ mounts, root }: Pick<Config, 'mounts' | 'root'>): ReadonlyMap<number, string> {
  const found = new Map<number, string>()
  const isInside = ({ kind, source }: Mount): boolean => kind === 'bind' && `${source}/`.startsWith(`${root.path}/`)
  if (!mounts.some(isInside)) return found
  const earlier = new Set<string>()
  const above = new Set<string>()
  for (const mount of mounts) {
    const { index, kind, source, destination, options } = mount
    if (source !== undefined && isInside(mount)) {
      const inside = source.slice(root.path.length) || '/'
      if (foldersOf(inside).some((path) => earlier.has(path)) || (options.recursiveBind && above.has(inside))) {
        found.set(index, inside)
      }
    }
    if (kind !== 'bind' && kind !== 'filesystem') continue
    earlier.add(destination)
    for (const path of foldersOf(destination)) above.add(path)
  }
  return found
}

/** A path and all that is above it: /a/b, /a, / */
function foldersOf(path: string): string[] {
  const paths = [path]
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) paths.push(path.slice(0, at))
  return path === '/' ? paths : [...paths, '/']
}

/** In P0, with the host's rights. */
export function lowerHostSources(context: Context): void {
  const { plan, config, facts, way } = context
  if (!has(config, 'mount') || !facts.mayMount) return
  if (way === 'ahead') lowerSources(context, config.mounts, config.linux.rootfsPropagation !== 'shared')
  if (way !== 'staged') return
  plan.section('', 'sources', () => {
    plan.syscall('unshare', [NAMESPACES.mount.flag])
    lowerPropagation(context)
  })
  lowerSources(context, config.mounts, false)
  lowerStage(context)
}

/**
 * In P1, before it becomes root of its user namespace: the way to the root file system may be barred then.
 * @returns the root's mount
 */
export function lowerOwnSources(context: Context): Value {
  const { plan, config, facts, way, trees } = context
  if (way === 'ahead' && !facts.mayMount) lowerSources(context, config.mounts, false)
  else if (way === 'in-turn') {
    // With what is mounted below, but not with the container's own mounts.
    lowerSources(
      context,
      config.mounts.filter(({ source }) => source === '/' || `${config.root.path}/`.startsWith(`${source}/`)),
      !has(config, 'mount'),
    )
  } else if (way === 'staged') {
    plan.section('/root/path', config.root.path, () => {
      trees.root = cloneTree(context, STAGED_ROOT, WHOLE)
    })
  }
  if (trees.root === undefined) throw new Error('the root was not cloned')
  return trees.root
}

/**
 * When a mount's turn has come: a detached tree of its own, cloned or new.
 * @param status of the folder whose mode a new one is to have
 */
export function sourceTree(context: Context, mount: Mount, status?: DataObject): Value {
  const { trees, way, ownSources } = context
  const inside = ownSources.get(mount.index)
  if (inside !== undefined) return withIdmap(context, mount, cloneInside(context, mount, inside))
  const ahead = trees.mounts.get(mount.index)
  if (ahead === undefined) {
    const tree = withIdmap(context, mount, newTree(context, mount, status))
    if (mount.kind === 'bind' && !has(context.config, 'mount')) cutOff(context, tree)
    return tree
  }
  return way === 'staged' ? cloneTree(context, stagedName(mount), mount.options) : ahead
}

/**
 * The root, and what must be cloned before its turn has come.
 * @param slave do those who hear of the host's mounts hear of these clones', too, unless told otherwise?
 */
function lowerSources(context: Context, mounts: readonly Mount[], slave: boolean): void {
  const { plan, config, trees, ownSources } = context
  plan.section('/root/path', config.root.path, () => {
    trees.root = cloneTree(context, config.root.path, WHOLE)
    if (slave) cutOff(context, trees.root)
  })
  for (const mount of mounts) {
    const isBind = mount.kind === 'bind' && !ownSources.has(mount.index)
    if (!isBind && (mount.kind !== 'filesystem' || mount.idmap === undefined)) continue
    plan.section(pointer(mount), mount.destination, () => {
      const tree = newTree(context, mount)
      if (slave && isBind) cutOff(context, tree)
      trees.mounts.set(mount.index, withIdmap(context, mount, tree))
    })
  }
}

/** A clone hears of the host's mounts as its original does, and must not tell of the container's. */
function cutOff(context: Context, tree: Value): void {
  setMountAttributes(context, tree, { propagation: MS.SLAVE, recursive: true })
}

function newTree(context: Context, mount: Mount, status?: DataObject): Value {
  if (mount.kind === 'filesystem') return makeFileSystem(context, mount, status)
  return cloneTree(context, mount.source ?? '', mount.options)
}

function withIdmap(context: Context, mount: Mount, tree: Value): Value {
  lowerIdmap(context, mount, tree)
  return tree
}

/** Links lead where they lead in the container. */
function cloneInside(context: Context, { options, source = '' }: Mount, inside: string): Value {
  const flags = AT.EMPTY_PATH | OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | (options.recursiveBind ? AT.RECURSIVE : 0)
  const links = options.nofollow.source ? O.NOFOLLOW : 0
  const place = openInRoot(context, inside, { flags: O.PATH | links, name: 'source' }, { about: source })
  return context.plan.syscall('open_tree', [place, '', flags], { name: 'tree', about: source })
}

const STAGED_ROOT = 'root'
/** The root file system with all that is mounted in it. */
const WHOLE = { recursiveBind: true } as const

function stagedName({ index }: Mount): string {
  return `${index}`
}

/** In P0: what was cloned is attached to a tmpfs, which covers the root file system and becomes the working folder. */
function lowerStage(context: Context): void {
  const { plan, config, trees } = context
  plan.section('', 'sources', () => {
    const fs = lowerFsContext(context, 'tmpfs', [['mode', '755']])
    const stage = plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, 0], { name: 'stage' })
    plan.syscall('move_mount', [stage, '', AT.FDCWD, config.root.path, MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_SYMLINKS])
    plan.syscall('fchdir', [stage])
    const put = (tree: Value, name: string): void => {
      const file = plan.label('file')
      const made = plan.label('made')
      plan.branch(statDescriptor(context, tree).field(STATX.mode, 2, S_IFMT), 'ne', S_IF.DIR, file)
      plan.syscall('mkdirat', [stage, name, 0o700])
      plan.jump(made)
      plan.place(file)
      plan.syscall('mknodat', [stage, name, S_IF.REG | 0o600, 0])
      plan.place(made)
      plan.syscall('move_mount', [tree, '', stage, name, MOVE_MOUNT.F_EMPTY_PATH])
    }
    if (trees.root !== undefined) put(trees.root, STAGED_ROOT)
    for (const mount of config.mounts) {
      const tree = trees.mounts.get(mount.index)
      if (tree !== undefined) put(tree, stagedName(mount))
    }
  })
}
