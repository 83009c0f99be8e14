// Where containers are on record: a search for whoever doesn't know which engine called runt with which --root.

import { listDirectory, readFile } from '../native/file.ts'
import { failedWith } from '../native/syscall.ts'
import { Store } from './store.ts'

/** Below these engines keep the states of their containers: /run/docker/runtime-runt/moby, /run/containerd/runc/k8s.io. */
const BASE = '/run'
/** A folder of this for each user who has logged in, with the same below it. */
const USERS = '/run/user'
/** Folders from a base to a root at most. */
const DEEPEST = 4

/**
 * @param given the root of the command line: it is one in any case
 * @param runtimeDirectory $XDG_RUNTIME_DIR, if set
 * @returns absolute paths without duplicates, the given one first
 */
export function findRoots(given: string, runtimeDirectory: string | undefined): string[] {
  const users = directoriesIn(USERS).map((name) => `${USERS}/${name}`)
  const bases = [BASE, ...users, ...(runtimeDirectory === undefined ? [] : [runtimeDirectory])]
  return [...new Set([given, ...searchRoots(bases, mountPoints())])]
}

/**
 * Folders that hold a container's. Links aren't followed, and other file systems not entered: one may belong to a program
 * of a user that never answers.
 * @param mounted where file systems are mounted
 */
export function searchRoots(bases: readonly string[], mounted: ReadonlySet<string>): string[] {
  const found: string[] = []
  const search = (folder: string, depth: number): void => {
    const children = directoriesIn(folder)
    const store = new Store(folder, { foreign: true })
    const others = children.filter((name) => !store.isOnRecord(name))
    if (others.length < children.length) found.push(folder)
    if (depth === DEEPEST) return
    for (const name of others) if (!mounted.has(`${folder}/${name}`)) search(`${folder}/${name}`, depth + 1)
  }
  for (const base of bases) search(base, 0)
  return found
}

/** Names of the folders in a folder; none when it may not be read. */
function directoriesIn(folder: string): string[] {
  try {
    const entries = listDirectory(folder)
    return entries.filter(({ kind }) => kind === 'directory').map(({ name }) => name)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM')) return []
    throw error
  }
}

/** Those with blanks in their names stand there encoded, and are none that we meet. */
function mountPoints(): Set<string> {
  const lines = readFile('/proc/self/mountinfo').split('\n')
  return new Set(lines.map((line) => line.split(' ')[4] ?? ''))
}
