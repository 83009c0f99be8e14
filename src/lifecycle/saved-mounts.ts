// What a config says of mounts, and a checkpoint's images do not keep.

import type { Config, Mount } from '../config/types.ts'
import { resolveInRoot } from '../host/in-root.ts'
import { MOUNT_ATTR, MS } from '../linux/mount-flags.ts'
import { O, RESOLVE } from '../linux/open-flags.ts'
import { close, exists, tryOpen, tryOpenBelow } from '../native/file.ts'
import { NULL_DEVICE } from './external.ts'
import type { SavedMount } from './saved.ts'

/** Flags that forbid something; the kernel has the same bits for mounts and for their attributes. */
const FORBIDS = { ro: MS.RDONLY, nosuid: MS.NOSUID, nodev: MS.NODEV, noexec: MS.NOEXEC } as const
const ALL_FORBIDS = MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC

/**
 * @param mounts of one mount namespace of the checkpoint
 * @param mayMount might a process of this config have mounted more?
 * @returns what is looser in the images, as ends of a sentence
 */
export function looserMounts(config: Config, mounts: readonly SavedMount[], mayMount: boolean): string[] {
  const tree = treeOf(mounts)
  if (tree === undefined) return ['mounts that are no tree']
  return [
    ...(config.root.readonly && !isReadOnly(tree.at('/').mount) ? ['the root can be written to'] : []),
    ...wantedMounts(config).flatMap((wanted) => looser(config, tree, wanted)),
    ...config.linux.maskedPaths.filter((path) => !isMasked(config, tree, path)).map((path) => `${path} is not masked`),
    ...config.linux.readonlyPaths
      .filter((path) => !isReadOnlyPath(config, tree, path))
      .map((path) => `${path} can be written to`),
    ...mounts
      .filter((mount) => !isExpected(config, tree, mount, mayMount))
      .map(({ type, point }) => `${type ?? 'a file system'} is mounted at ${point}`),
  ]
}

interface Tree {
  readonly root: SavedMount
  readonly byId: ReadonlyMap<number, SavedMount>
  /** What a path is in, and whether that is mounted just there. */
  at(path: string): { readonly mount: SavedMount; readonly isThere: boolean }
}

/** @returns undefined when another reader might see other mounts on top */
function treeOf(mounts: readonly SavedMount[]): Tree | undefined {
  const byId = new Map(mounts.map((mount) => [mount.id, mount]))
  const byPlace = new Map(mounts.map((mount) => [`${mount.parent} ${mount.point}`, mount]))
  const [root, ...others] = mounts.filter(({ parent }) => !byId.has(parent))
  if (root === undefined || others.length > 0 || byId.size < mounts.length || byPlace.size < mounts.length)
    return undefined
  return {
    root,
    byId,
    at(path) {
      let mount = root
      let isThere = path === '/'
      const passed = new Set([root.id])
      for (const place of placesOf(path)) {
        for (let next = child(mount, place); next !== undefined && !passed.has(next.id); next = child(mount, place)) {
          mount = next
          isThere = place === path
          passed.add(mount.id)
        }
      }
      return { mount, isThere }
    },
  }
  function child({ id }: SavedMount, place: string): SavedMount | undefined {
    return byPlace.get(`${id} ${place}`)
  }
}

/** "/", "/a", "/a/b" of "/a/b". */
function placesOf(path: string): string[] {
  const words = path.split('/').filter((word) => word !== '')
  return ['/', ...words.map((_, index) => `/${words.slice(0, index + 1).join('/')}`)]
}

/** A mount of the config, and the flags that it has when all options are heeded. */
interface Wanted {
  readonly mount: Mount
  readonly forbids: number
}

/** Those that others don't hide. */
function wantedMounts({ mounts }: Config): Wanted[] {
  const wanted = new Map<string, Wanted>()
  for (const mount of mounts) {
    const { destination, kind, options } = mount
    const { attrSet, attrClear } = options
    const before = wanted.get(destination)
    if (kind === 'remount' && before !== undefined) {
      wanted.set(destination, { ...before, forbids: ((before.forbids & ~attrClear) | attrSet) & ALL_FORBIDS })
    } else if (kind === 'bind' || kind === 'filesystem') {
      for (const place of wanted.keys()) if (isBelow(place, destination)) wanted.delete(place)
      wanted.set(destination, { mount, forbids: attrSet & ALL_FORBIDS })
    }
  }
  return [...wanted.values()]
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder === '/' ? folder : `${folder}/`)
}

function looser(config: Config, tree: Tree, { mount: { destination, kind, type }, forbids }: Wanted): string[] {
  const { mount, isThere } = find(config, tree, destination)
  if (!isThere) return [`nothing is mounted at ${destination}`]
  if (kind === 'bind' && mount.external === undefined) return [`what is mounted at ${destination} is not of this host`]
  if (kind === 'filesystem' && type !== 'cgroup' && mount.type !== type && mount.external === undefined) {
    return [`${mount.type ?? 'another file system'} is mounted at ${destination}, not ${type}`]
  }
  const missing = Object.entries(FORBIDS).filter(([, flag]) => (forbids & flag & ~mount.flags) !== 0)
  return missing.length === 0 ? [] : [`${destination} is not ${missing.map(([name]) => name).join(', ')}`]
}

/** By the path, or by where the image's links lead it. */
function find(config: Config, tree: Tree, path: string): ReturnType<Tree['at']> {
  const found = tree.at(path)
  return found.isThere ? found : tree.at(resolveInRoot(config.root.path, path))
}

function isMasked(config: Config, tree: Tree, path: string): boolean {
  const { mount, isThere } = find(config, tree, path)
  return isThere ? mount.type === 'tmpfs' || mount.external === NULL_DEVICE : !leadsSomewhere(config, path)
}

function isReadOnlyPath(config: Config, tree: Tree, path: string): boolean {
  return isReadOnly(find(config, tree, path).mount) || !leadsSomewhere(config, path)
}

function isReadOnly({ flags }: SavedMount): boolean {
  return (flags & MS.RDONLY) !== 0
}

/** Would a new container have something there that can be hidden? */
function leadsSomewhere({ mounts, root }: Config, path: string): boolean {
  const over = mounts.filter(
    ({ kind, destination }) => kind !== 'remount' && kind !== 'propagation' && isBelow(path, destination),
  )
  const mount = over.at(-1)
  if (mount === undefined) return isIn(root.path, path)
  const rest = path.slice(mount.destination.length)
  if (mount.kind === 'bind') return mount.source !== undefined && isIn(mount.source, rest)
  const shown = { proc: '/proc', sysfs: '/sys' }[mount.type]
  return shown !== undefined && exists(`${shown}${rest}`)
}

function isIn(folder: string, path: string): boolean {
  const root = tryOpen(folder, O.PATH | O.DIRECTORY)
  if (root < 0) return false
  const found = tryOpenBelow(root, path, O.PATH, RESOLVE.IN_ROOT)
  close(root)
  if (found >= 0) close(found)
  return found >= 0
}

/** File systems that a container gets anew, whoever mounts them. */
const OWN_TYPES = ['tmpfs', 'devpts', 'mqueue']

/** CRIU, as root, mounts what the images say; of what reaches the host, only what the config has or shows anyway. */
function isExpected(config: Config, tree: Tree, mount: SavedMount, mayMount: boolean): boolean {
  const { type, point, device, external } = mount
  if (device === tree.root.device || external !== undefined) return true
  if (type === undefined) return false
  if (mayMount || OWN_TYPES.includes(type) || isPartOf(mount, tree.byId.get(mount.parent))) return true
  return config.mounts.some(({ kind, type: wanted, destination }) => {
    const places = [destination, resolveInRoot(config.root.path, destination)]
    if (kind !== 'filesystem') return false
    if (wanted === 'cgroup')
      return /^cgroup2?$/.test(type) && places.some((place) => place === point || isBelow(point, place))
    return wanted === type && places.includes(point)
  })
}

/** A mount of what is seen there without it, as read-only paths are. */
function isPartOf(mount: SavedMount, parent: SavedMount | undefined): boolean {
  if (parent === undefined || parent.device !== mount.device || !isBelow(mount.point, parent.point)) return false
  const rest = mount.point.slice(parent.point === '/' ? 0 : parent.point.length)
  return mount.root === `${parent.root === '/' ? '' : parent.root}${rest}`
}
