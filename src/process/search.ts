// Where a program of the host is.

import { AT } from '../linux/open-flags.ts'
import { trySyscall } from '../native/syscall.ts'

const X_OK = 1
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Look a program up as execvp(3) does, but for the current folder, which a search never looks into.
 * @param path the value of PATH; a usual one when it isn't set
 * @returns an absolute path, or undefined when no folder has it
 */
export function findProgram(name: string, path = USUAL_PATH): string | undefined {
  return path
    .split(':')
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => `${folder}/${name}`)
    .find((file) => trySyscall('faccessat2', AT.FDCWD, file, X_OK, 0) === 0)
}
