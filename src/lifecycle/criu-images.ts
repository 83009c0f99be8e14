// The folders that CRIU reads and writes as root. What is in them may come from afar, so it is looked at first: CRIU opens files by
// name and follows links, truncates what it writes anew, and waits for a FIFO. A folder that nobody else may write to stays as
// it was found.

import { RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { O, RESOLVE, S_IF, S_IFMT } from '../linux/open-flags.ts'
import {
  close,
  type FileStatus,
  linkTarget,
  listDirectory,
  readAll,
  status,
  tryOpen,
  tryOpenBelow,
  tryUnlink,
} from '../native/file.ts'
import { SyscallError, syscall } from '../native/syscall.ts'
import { distrust, isOfType } from './trust.ts'

/** A folder, and what errors call it. */
export interface Folder {
  readonly fd: number
  readonly path: string
}

/** CRIU's link to the folder of an earlier pre-dump. */
const PARENT = 'parent'

const HINT = 'criu, as root, believes what is in its folders: chown and chmod go-w them, or make a copy that is yours'

/** @throws RuntError unless it is the caller's or root's, and nobody else may write to it */
export function requireOwn({ fd, path }: Folder): void {
  const found = status('', fd)
  const why = found === undefined ? undefined : distrust(found)
  if (why !== undefined) throw new RuntError('criu', `${path}: ${why}`, { hint: HINT })
}

/**
 * Look at a folder of images, and at those of the pre-dumps that it builds upon.
 * @throws RuntError when there is anything in them that CRIU must not open
 */
export function requireImages(folder: Folder): void {
  const chain = [folder]
  try {
    for (let last: Folder | undefined = folder; last !== undefined; ) {
      requireOwn(last)
      requireFiles(last, distrust)
      last = parentOf(last)
      if (last === undefined) break
      chain.push(last)
      if (chain.length > MOST_PARENTS) {
        throw new RuntError('criu', `${folder.path}/${PARENT}: more than ${MOST_PARENTS} folders, or a loop of them`)
      }
    }
  } finally {
    for (const { fd } of chain.slice(1)) close(fd)
  }
}

/** Each is one descriptor of CRIU's. */
const MOST_PARENTS = 128

/**
 * Look at a folder that images are written into.
 * @param parent --parent-path
 * @throws RuntError when something in it would lead CRIU elsewhere
 */
export function requireRoomForImages(folder: Folder, parent: string | undefined): void {
  requireOwn(folder)
  requireFiles(folder, (found) => (found.links === 1 ? distrust(found) : 'has another name'))
  const found = linkTarget(PARENT, folder.fd)
  if (found !== undefined && found !== parent) {
    throw new RuntError(
      'criu',
      `${folder.path}/${PARENT}: a link to another pre-dump than --parent-path, from before`,
      {
        hint: 'remove it, or take an empty folder',
      },
    )
  }
  if (parent === undefined) return
  const earlier = walk(folder, parent)
  try {
    requireImages(earlier)
  } finally {
    close(earlier.fd)
  }
}

/**
 * Folders and sockets can't be opened as files: they are no danger.
 * @param wrong what of a regular file
 */
function requireFiles(folder: Folder, wrong: (found: FileStatus) => string | undefined): void {
  for (const { name } of listDirectory(`/proc/self/fd/${folder.fd}`)) {
    const found = look(folder.fd, name)
    const type = (found?.mode ?? S_IF.SOCK) & S_IFMT
    if (type === S_IF.DIR || type === S_IF.SOCK || (type === S_IF.LNK && name === PARENT)) continue
    const why = type === S_IF.REG && found !== undefined ? wrong(found) : `${KINDS[type]}, which is no image`
    if (why !== undefined) throw new RuntError('criu', `${folder.path}/${name}: ${why}`, { hint: HINT })
  }
}

const KINDS: Readonly<Record<number, string>> = {
  [S_IF.LNK]: 'a symbolic link',
  [S_IF.FIFO]: 'a FIFO',
  [S_IF.CHR]: 'a device',
  [S_IF.BLK]: 'a device',
}

/** @returns undefined when it isn't there */
function look(folder: number, name: string): FileStatus | undefined {
  const fd = tryOpen(name, O.PATH | O.NOFOLLOW, folder)
  if (fd === -ERRNO.ENOENT) return undefined
  if (fd < 0) throw new SyscallError('openat', -fd, name)
  try {
    return status('', fd)
  } finally {
    close(fd)
  }
}

/** @returns the folder that the images build upon, for the caller to close; undefined when they stand alone */
function parentOf(folder: Folder): Folder | undefined {
  const target = linkTarget(PARENT, folder.fd)
  return target === undefined ? undefined : walk(folder, target)
}

const STICKY = 0o1000

/** Follow a relative path by folders that only root and the caller can exchange. */
function walk(from: Folder, path: string): Folder {
  const about = `${from.path}/${PARENT} -> ${path}`
  if (path.startsWith('/')) throw new RuntError('criu', `${about}: must be relative`)
  let fd = openFolder(from.fd, '.', about)
  for (const name of path.split('/').filter((word) => word !== '' && word !== '.')) {
    const found = status('', fd)
    const next = openFolder(fd, name, about)
    close(fd)
    fd = next
    // Who may not rename what is another's in a folder with the sticky bit can't exchange ours.
    const mode = (found?.mode ?? 0) & STICKY ? 0 : (found?.mode ?? 0)
    if (found !== undefined && distrust({ ...found, mode }) === undefined) continue
    close(fd)
    throw new RuntError('criu', `${about}: leads through a folder that others own or may write to`)
  }
  return { fd, path: `${from.path}/${path}` }
}

function openFolder(at: number, name: string, about: string): number {
  const fd = tryOpenBelow(at, name, O.RDONLY | O.DIRECTORY, RESOLVE.NO_SYMLINKS)
  if (fd >= 0) return fd
  throw new RuntError('criu', `${about}: ${new SyscallError('openat2', -fd, name).message}`)
}

/**
 * Take away what CRIU is about to write anew: a link of that name, symbolic or not, would lead it elsewhere.
 * @throws RuntError when it can't be
 */
export function makeRoomFor({ fd, path }: Folder, names: readonly string[]): void {
  for (const name of names) {
    const result = tryUnlink(name, fd)
    if (result < 0 && result !== -ERRNO.ENOENT) {
      throw new RuntError('criu', `${path}/${name}: ${new SyscallError('unlinkat', -result, name).message}`)
    }
  }
}

/**
 * The bytes of a regular file.
 * @param most how many that may be
 * @returns undefined when there is none
 * @throws RuntError when it is something else, or longer
 */
export function readImage(folder: Folder, name: string, most: number): Uint8Array | undefined {
  const file = openRegular(folder, name)
  if (file === undefined) return undefined
  try {
    const bytes = readAll(file, most)
    if (bytes !== undefined) return bytes
  } finally {
    close(file)
  }
  throw new RuntError('criu', `${folder.path}/${name}: more than ${most} bytes`)
}

/** The last bytes of a file; none when it isn't there. @throws RuntError when it is no file */
export function readEnd(folder: Folder, name: string, most: number): Uint8Array {
  const file = openRegular(folder, name)
  if (file === undefined) return new Uint8Array()
  try {
    const end = syscall('lseek', file, 0, SEEK_END)
    syscall('lseek', file, Math.max(0, end - most), SEEK_SET)
    return readAll(file, 2 * most) ?? new Uint8Array()
  } finally {
    close(file)
  }
}

const SEEK_SET = 0
const SEEK_END = 2

function openRegular({ fd: folder, path }: Folder, name: string): number | undefined {
  const flags = O.RDONLY | O.NONBLOCK | O.NOCTTY
  const fd = tryOpenBelow(folder, name, flags, RESOLVE.NO_SYMLINKS | RESOLVE.BENEATH)
  if (fd === -ERRNO.ENOENT) return undefined
  if (fd < 0) throw new RuntError('criu', `${path}/${name}: ${new SyscallError('openat2', -fd, name).message}`)
  if (isOfType(fd, S_IF.REG)) return fd
  close(fd)
  throw new RuntError('criu', `${path}/${name}: not a regular file`)
}
