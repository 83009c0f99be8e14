// The folders of one checkpoint or restore: where the images are, and where CRIU works and writes its log.

import { RuntError } from '../errors.ts'
import { O } from '../linux/open-flags.ts'
import { close, makeDirectories, open, readLink, status } from '../native/file.ts'
import { SyscallError } from '../native/syscall.ts'
import { type Folder, makeRoomFor, requireOwn } from './criu-images.ts'
import type { CriuFlags } from './criu-options.ts'
import type { Store } from './store.ts'

/** As descriptors: CRIU opens them by our pid. */
export interface Folders extends Disposable {
  readonly images: Folder
  readonly work: Folder
  /** Name of CRIU's log in the work folder. */
  readonly log: string
}

/**
 * Without a work folder of the caller's, CRIU works in one of runt's, never in that of the images.
 * @param log CRIU's name for it
 * @throws RuntError when there is no such folder, or others may write to it; only a missing work folder is made
 */
export function openFolders(store: Store, id: string, { imagePath, workPath }: CriuFlags, log: string): Folders {
  const images = openFolder(imagePath, imagePath)
  try {
    if (workPath !== undefined) makeFolder(workPath)
    const path = workPath ?? store.makeWorkFolder(id)
    const work = openFolder(path, path)
    try {
      requireOwn(work)
    } catch (error) {
      close(work.fd)
      throw error
    }
    return folders(images, work, log)
  } catch (error) {
    close(images.fd)
    throw error
  }
}

function folders(images: Folder, work: Folder, log: string): Folders {
  return {
    images,
    work,
    log,
    [Symbol.dispose]() {
      close(images.fd)
      close(work.fd)
    },
  }
}

/** What CRIU makes anew in its work folder, beside the log. */
const STATISTICS = ['stats-dump', 'stats-restore']

/** The same folders in the mount namespace of a process, where CRIU mounts things in them; ready for it to write to. */
export function foldersSeenBy(pid: number, { images, work, log }: Folders): Folders {
  const seen = folders(seenBy(pid, images), seenBy(pid, work), log)
  makeRoomFor(seen.work, [log, ...STATISTICS])
  return seen
}

/** Its path without a link: one, as in containerd's work folders, would lead from the root of another back into our own mounts. */
function seenBy(pid: number, folder: Folder): Folder {
  const seen = openFolder(`/proc/${pid}/root${readLink(`/proc/self/fd/${folder.fd}`)}`, folder.path)
  const [one, other] = [status('', seen.fd), status('', folder.fd)]
  const same =
    one?.inode === other?.inode && one?.deviceMajor === other?.deviceMajor && one?.deviceMinor === other?.deviceMinor
  if (same) return seen
  close(seen.fd)
  throw new RuntError('criu', `${folder.path}: another folder has taken its place`)
}

function openFolder(path: string, name: string): Folder {
  try {
    return { fd: open(path, O.RDONLY | O.DIRECTORY), path: name }
  } catch (cause) {
    throw folderError(name, cause)
  }
}

/** Memory of a container is nobody else's affair. */
export function makeFolder(path: string): void {
  try {
    makeDirectories(path, 0o700)
  } catch (cause) {
    throw folderError(path, cause)
  }
}

function folderError(path: string, cause: unknown): RuntError {
  if (!(cause instanceof SyscallError)) throw cause
  return new RuntError('criu', cause.message.includes(path) ? cause.message : `${path}: ${cause.message}`, { cause })
}
