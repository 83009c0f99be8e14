// Where containers are on record when nobody says where: /run/runt for the machine's root, for everybody else a folder of his own.

import { RuntError } from '../errors.ts'
import { isRootless } from '../host/probe.ts'
import { O, S_IF, S_IFMT, WRITABLE_BY_OTHERS } from '../linux/open-flags.ts'
import { callerEnvironment } from '../native/caller.ts'
import { close, type FileStatus, makeDirectory, open, status } from '../native/file.ts'
import { SyscallError } from '../native/syscall.ts'
import { Store } from './store.ts'
import { distrustShared } from './trust.ts'

export { isRootless } from '../host/probe.ts'

const ROOT = '/run/runt'
/** Cleaners of runtime directories leave a folder alone that has the sticky bit. XDG Base Directory Specification */
const PRIVATE = 0o1700
const ELSEWHERE = 'set XDG_RUNTIME_DIR to one that is yours alone, or give --root'

/**
 * @param given the root of the command line, absolute
 * @throws RuntError when the folder that would be taken is another user's
 */
export function openStore(given: string | undefined): Store {
  if (given !== undefined) return new Store(given, { named: true })
  if (!isRootless()) return new Store(ROOT)
  const { XDG_RUNTIME_DIR } = callerEnvironment()
  if (XDG_RUNTIME_DIR?.startsWith('/')) {
    checkRuntimeDirectory(XDG_RUNTIME_DIR)
    return new Store(`${XDG_RUNTIME_DIR}/runt`, { mode: PRIVATE })
  }
  const uid = process.geteuid?.() ?? 0
  if (uid === 0) return new Store(ROOT)
  const login = `/run/user/${uid}`
  return isOwn(look(login), uid)
    ? new Store(`${login}/runt`, { mode: PRIVATE })
    : new Store(inTmp(uid), { mode: PRIVATE })
}

/** Whoever may rename what is in it can give us another root each time. In one with the sticky bit, as /tmp, nobody else can. */
function checkRuntimeDirectory(path: string): void {
  const found = status(path)
  const why = found === undefined ? undefined : distrustShared(found)
  if (why === undefined) return
  throw new RuntError('state', `XDG_RUNTIME_DIR: ${path}: ${why}`, { hint: ELSEWHERE })
}

/** Anybody could have made it before: what stands in a record is done. */
function inTmp(uid: number): string {
  const path = `/tmp/runt-${uid}`
  makeDirectory(path, PRIVATE)
  if (isOwn(look(path), uid)) return path
  throw new RuntError('state', `${path} is not a folder of yours alone`, {
    hint: ELSEWHERE,
  })
}

/** @returns undefined for what is no folder of its own, or can't be looked at */
function look(path: string): FileStatus | undefined {
  try {
    const fd = open(path, O.PATH | O.NOFOLLOW)
    try {
      return status('', fd)
    } finally {
      close(fd)
    }
  } catch (error) {
    if (error instanceof SyscallError) return undefined
    throw error
  }
}

function isOwn(found: FileStatus | undefined, uid: number): boolean {
  if (found === undefined) return false
  return (found.mode & S_IFMT) === S_IF.DIR && found.uid === uid && (found.mode & WRITABLE_BY_OTHERS) === 0
}
