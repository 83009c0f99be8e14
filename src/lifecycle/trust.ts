// What stands in a state root is acted upon: hooks run, processes are killed, folders go. So it is believed only when it is the
// caller's or root's, and nobody else's to change; and nothing there may lead elsewhere, or make its reader wait.

import { RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { O, S_IF, S_IFMT, STICKY, WRITABLE_BY_OTHERS } from '../linux/open-flags.ts'
import { close, type FileStatus, readAll, status, tryOpen } from '../native/file.ts'
import { SyscallError } from '../native/syscall.ts'

const HINT = "what lies in a state root is acted upon: it must be yours or root's, and nobody else may write to it"

/** The same for a folder in which each entry is looked at by itself: others may add some to one with the sticky bit, as /tmp. */
export function distrustShared({ uid, mode }: FileStatus): string | undefined {
  return distrust({ uid, mode: (mode & STICKY) === 0 ? mode : mode & ~WRITABLE_BY_OTHERS })
}

/** Bytes of a file in a state root, at most. */
export const LARGEST_RECORD = 64 << 20

/** @returns why a file or folder isn't to be believed, or undefined */
export function distrust({ uid, mode }: Pick<FileStatus, 'uid' | 'mode'>): string | undefined {
  if (uid !== 0 && uid !== process.geteuid?.()) return `belongs to user ${uid}`
  if ((mode & WRITABLE_BY_OTHERS) !== 0) return 'others may write to it'
  return undefined
}

/**
 * Look at a folder before anything in it counts.
 * @param what a state root, which the caller has chosen, or a container's folder in it
 * @returns false when there is none, or none that can be looked at
 * @throws RuntError 'state' for one that isn't to be believed
 */
export function checkFolder(path: string, what: 'root' | 'container'): boolean {
  const fd = tryOpen(path, O.PATH | O.DIRECTORY | (what === 'root' ? 0 : O.NOFOLLOW))
  if (fd < 0) return false
  try {
    check(path, fd, what === 'root' ? distrustShared : distrust)
    return true
  } finally {
    close(fd)
  }
}

function check(path: string, fd: number, judge: (found: FileStatus) => string | undefined): void {
  const found = status('', fd)
  const why = found === undefined ? undefined : judge(found)
  if (why !== undefined) throw new RuntError('state', `${path}: ${why}`, { hint: HINT })
}

export interface RecordOptions {
  /** It is read to be shown, and nothing is done by it. */
  readonly foreign: boolean
  /** How many bytes it may have. */
  readonly most: number
}

/**
 * The bytes of a file in a container's folder.
 * @returns undefined when there is none
 * @throws SyscallError, or RuntError 'state' when it is no file, too long, or not to be believed
 */
export function readRecord(path: string, { foreign, most }: RecordOptions): Uint8Array | undefined {
  const fd = tryOpen(path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK | O.NOCTTY)
  if (fd === -ERRNO.ENOENT || fd === -ERRNO.ENOTDIR) return undefined
  if (fd < 0) throw new SyscallError('openat', -fd, path)
  try {
    if (!isOfType(fd, S_IF.REG)) throw new RuntError('state', `${path}: not a file`)
    if (!foreign) check(path, fd, distrust)
    const bytes = readAll(fd, most)
    if (bytes === undefined) throw new RuntError('state', `${path}: larger than ${most} bytes`)
    return bytes
  } finally {
    close(fd)
  }
}

/** @param type one of S_IF */
export function isOfType(fd: number, type: number): boolean {
  const found = status('', fd)
  return found !== undefined && (found.mode & S_IFMT) === type
}
