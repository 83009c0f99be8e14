// What of a planned cgroup a user without privileges may have: where a folder was given to him (delegated), all of it; elsewhere
// nothing, and his container goes without as long as no limit needs it.

import { ERRNO, errnoName, errnoText } from '../linux/errno.ts'
import { AT } from '../linux/open-flags.ts'
import { exists } from '../native/file.ts'
import { trySyscall } from '../native/syscall.ts'
import { type Cgroup, UNIFIED } from './cgroup.ts'
import { readKnobIfPresent } from './knob.ts'
import type { Folders } from './own.ts'

/** A hierarchy that he may not use, and what stands in the way. */
export interface Refusal {
  readonly name: string
  /** "/sys/fs/cgroup/pids: EACCES: permission denied" */
  readonly why: string
}

export interface Permitted {
  /** The plan without what he may not have. */
  readonly cgroup: Cgroup
  readonly refused: readonly Refusal[]
}

/**
 * @param planned from planCgroup()
 * @param own from ownFolders()
 */
export function permittedPart(planned: Cgroup, own: Folders): Permitted {
  const directories: Record<string, string> = {}
  const refused: Refusal[] = []
  for (const [name, directory] of Object.entries(planned.directories)) {
    const why = obstacle(name, directory, own[name])
    if (why === undefined) directories[name] = directory
    else refused.push({ name: name === UNIFIED ? 'the unified hierarchy' : name, why })
  }
  return { cgroup: { ...planned, directories }, refused }
}

/** The cure, in an error about a limit that can't be had for it. */
export function delegationHint({ why }: Refusal): string {
  return `a user may have limits in folders that were given to him (chown), named in linux.cgroupsPath; here not: ${why}`
}

function obstacle(name: string, directory: string, own: string | undefined): string | undefined {
  const base = nearest(directory)
  // What he makes himself is his.
  const where = base === directory ? `${base}/${name === UNIFIED ? 'cgroup.procs' : 'tasks'}` : base
  const barred = refusalOf(where)
  if (barred !== undefined) return barred
  if (name === UNIFIED) return own === undefined ? undefined : refusalOf(`${common(own, directory)}/cgroup.procs`)
  return name.split(',').includes('cpuset') ? emptyCpuset(base) : undefined
}

/** The folder itself, or the innermost above it that is there. */
function nearest(directory: string): string {
  let at = directory
  while (at !== '' && !exists(at)) at = at.slice(0, at.lastIndexOf('/'))
  return at
}

/** The kernel moves a process only within what its owner may write all of. cgroups(7), Cgroup delegation */
function common(one: string, other: string): string {
  const parts = other.split('/')
  const theirs = one.split('/')
  const end = parts.findIndex((part, index) => part !== theirs[index])
  return parts.slice(0, end < 0 ? parts.length : end).join('/')
}

/** What is made below a cpuset without CPUs has none either, and nothing can run in it. */
function emptyCpuset(base: string): string | undefined {
  const empty = ['cpuset.cpus', 'cpuset.mems'].find((file) => readKnobIfPresent(`${base}/${file}`) === '')
  return empty === undefined ? undefined : refusalOf(`${base}/${empty}`)
}

const W_OK = 2

function refusalOf(path: string): string | undefined {
  const result = trySyscall('faccessat2', AT.FDCWD, path, W_OK, AT.EACCESS)
  return result === 0 || result === -ERRNO.ENOENT ? undefined : `${path}: ${errnoName(-result)}: ${errnoText(-result)}`
}
