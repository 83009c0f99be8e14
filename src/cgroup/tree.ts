// All folders below a cgroup. A container may nest its own deeper than a path can say, and than descriptors can be had: one
// descriptor goes down by names, and up by "..", which in these file systems is always what it was.

import { ERRNO } from '../linux/errno.ts'
import { O } from '../linux/open-flags.ts'
import { close, listDirectory, tryOpen } from '../native/file.ts'
import { failedWith, SyscallError } from '../native/syscall.ts'

const FOLDER = O.PATH | O.DIRECTORY | O.NOFOLLOW

/**
 * Visit every folder below one, those farther down first.
 * @param visit gets a path that is good for the time of the call; false ends it all
 * @returns false when a visit did
 * @throws SyscallError
 */
export function visitBelow(directory: string, visit: (place: string) => boolean): boolean {
  let here = tryOpen(directory, FOLDER)
  if (here < 0) return isMissing(here) || fail(here, directory)
  const outer: { readonly name: string; readonly siblings: string[] }[] = []
  try {
    let names = foldersIn(here)
    for (;;) {
      const name = names.pop()
      if (name !== undefined) {
        const below = tryOpen(name, FOLDER, here)
        if (below < 0 && !isMissing(below)) return fail(below, name)
        if (below < 0) continue
        close(here)
        here = below
        outer.push({ name, siblings: names })
        names = foldersIn(here)
        continue
      }
      const last = outer.pop()
      if (last === undefined) return true
      const above = tryOpen('..', FOLDER, here)
      if (above < 0) return fail(above, last.name)
      close(here)
      here = above
      if (!visit(`/proc/self/fd/${here}/${last.name}`)) return false
      names = last.siblings
    }
  } finally {
    close(here)
  }
}

/** None in one that was removed while it was looked at. */
function foldersIn(fd: number): string[] {
  try {
    const entries = listDirectory(`/proc/self/fd/${fd}`)
    return entries.filter(({ kind }) => kind === 'directory').map(({ name }) => name)
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return []
    throw error
  }
}

/** There is nothing of the name. */
function isMissing(result: number): boolean {
  return result === -ERRNO.ENOENT || result === -ERRNO.ENOTDIR || result === -ERRNO.ENAMETOOLONG
}

function fail(result: number, about: string): never {
  throw new SyscallError('openat', -result, about)
}
