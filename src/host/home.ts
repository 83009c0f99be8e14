// Where a user is at home: the container's own /etc/passwd, and the only use of that file (CVE-2016-3697).

import { ERRNO } from '../linux/errno.ts'
import { decodeName } from '../linux/names.ts'
import { O, RESOLVE, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { close, type FileStatus, open, readAll, status, tryOpen, tryOpenBelow } from '../native/file.ts'
import { failedWith } from '../native/syscall.ts'

const LARGEST_PASSWD = 1 << 20

/**
 * The home of a user in a container that is there: read below the process's root, following nothing that leads out.
 * @returns "/" when the file doesn't say; undefined when we may not look into the process: it isn't dumpable, and we aren't root
 */
export function homeOf(pid: number, uid: number): string | undefined {
  try {
    return homeBelow(`/proc/${pid}/root`, uid, RESOLVE.NO_MAGICLINKS) ?? '/'
  } catch (error) {
    // A process that is gone has no home; what became of it is another's to tell.
    if (failedWith(error, 'ENOENT', 'ESRCH')) return '/'
    if (failedWith(error, 'EACCES')) return undefined
    throw error
  }
}

/** The file that says so, as it is now; undefined when it isn't there. */
export function passwdOf(pid: number): FileStatus | undefined {
  const root = tryOpen(`/proc/${pid}/root`, O.PATH | O.DIRECTORY)
  if (root < 0) return undefined
  try {
    const fd = tryOpenBelow(root, 'etc/passwd', O.PATH, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS)
    if (fd < 0) return undefined
    try {
      return status('', fd)
    } finally {
      close(fd)
    }
  } finally {
    close(root)
  }
}

/**
 * The same before there is a container, from its root on the host.
 * @returns undefined when a link is on the way: it may lead elsewhere once there are mounts; or when there is no such root, which
 *   is told by who mounts it
 */
export function homeIn(root: string, uid: number): string | undefined {
  try {
    return homeBelow(root, uid, RESOLVE.NO_SYMLINKS)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** @returns undefined when the way is not as `resolve` wants it */
function homeBelow(folder: string, uid: number, resolve: number): string | undefined {
  const root = open(folder, O.PATH | O.DIRECTORY)
  try {
    const flags = O.RDONLY | O.NONBLOCK | O.NOCTTY
    const fd = tryOpenBelow(root, 'etc/passwd', flags, RESOLVE.IN_ROOT | resolve)
    if (fd < 0) return fd === -ERRNO.ELOOP ? undefined : '/'
    try {
      return homeFrom(readPlain(fd), uid)
    } finally {
      close(fd)
    }
  } finally {
    close(root)
  }
}

/** Only a plain file, and not a huge one. */
function readPlain(fd: number): string {
  const found = status('', fd)
  if (found === undefined || (found.mode & S_IFMT) !== S_IF.REG) return ''
  const bytes = readAll(fd, LARGEST_PASSWD)
  return bytes === undefined ? '' : decodeName(bytes)
}

/** passwd(5) */
function homeFrom(text: string, uid: number): string {
  for (const line of text.split('\n')) {
    const [, , id, , , home] = line.split(':')
    if (id === `${uid}` && home !== undefined && home.startsWith('/')) return home
  }
  return '/'
}
