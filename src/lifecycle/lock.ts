// One writer at a time: flock(2) on a file of a container's folder.

import { waitUntil } from '../cgroup/knob.ts'
import { RuntError } from '../errors.ts'
import { LOCK } from '../linux/flock.ts'
import { O } from '../linux/open-flags.ts'
import { close, open, readFile, status, tryRemoveDirectory } from '../native/file.ts'
import { failedWith, SyscallError, trySyscall } from '../native/syscall.ts'

/** Held until disposed, or until the process ends. */
export interface Lock extends Disposable {
  readonly fd: number
}

/** @returns undefined when a delete has taken the folder away meanwhile */
export function lockNewFolder(directory: string): Lock | undefined {
  try {
    return lockIfThere(`${directory}/lock`)
  } catch (error) {
    tryRemoveDirectory(directory)
    throw error
  }
}

/**
 * Wait for the lock. Whoever had it may have deleted the container, and another one of its name may be there by now:
 * then it was the wrong lock.
 * @param patience milliseconds; for ever unless told
 * @returns undefined when there is no such file
 * @throws RuntError 'container-busy' when it is another's still
 */
export function lockIfThere(path: string, patience?: number): Lock | undefined {
  try {
    for (;;) {
      const lock = patience === undefined ? takeLock(path, O.RDWR | O.CREAT, LOCK.EX) : takeLockWithin(path, patience)
      if (status('', lock.fd)?.links !== 0) return lock
      lock[Symbol.dispose]()
    }
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** Does another runt hold it right now? */
export function isLocked(path: string): boolean {
  try {
    takeLock(path, O.RDWR, LOCK.EX | LOCK.NB)[Symbol.dispose]()
    return false
  } catch (error) {
    return failedWith(error, 'EAGAIN')
  }
}

function takeLockWithin(path: string, patience: number): Lock {
  let lock: Lock | undefined
  const isDone = () => {
    try {
      lock = takeLock(path, O.RDWR | O.CREAT, LOCK.EX | LOCK.NB)
      return true
    } catch (error) {
      if (failedWith(error, 'EAGAIN')) return false
      throw error
    }
  }
  if (waitUntil(isDone, patience) && lock !== undefined) return lock
  const pid = lockOwner(path)
  throw new RuntError('container-busy', `${path}: another runt is at work on the container`, {
    ...(pid === undefined ? {} : { hint: `it is process ${pid}`, data: { pid } }),
  })
}

/** /proc/locks: "1: FLOCK ADVISORY WRITE 1234 00:1a:5678 0 EOF". proc_locks(5) @returns a pid */
function lockOwner(path: string): number | undefined {
  const inode = status(path)?.inode
  const line = new RegExp(`^\\d+: FLOCK +ADVISORY +WRITE (\\d+) \\w+:\\w+:${inode} `, 'm').exec(readFile('/proc/locks'))
  return line === null ? undefined : Number(line[1])
}

function takeLock(path: string, flags: number, how: number): Lock {
  const fd = open(path, flags | O.NOFOLLOW | O.NONBLOCK, 0o600)
  const result = trySyscall('flock', fd, how)
  if (result < 0) {
    close(fd)
    throw new SyscallError('flock', -result, path)
  }
  return { fd, [Symbol.dispose]: () => close(fd) }
}
