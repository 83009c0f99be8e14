// Into the container's cgroup: the ways in are opened with the host's paths and rights, and gone through before anything else.

import { AT, O } from '../linux/open-flags.ts'
import type { Value } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'

const ORIGIN = '/linux/cgroupsPath'

export interface CgroupDoors {
  readonly procs: readonly Value[]
  readonly v2: Value | undefined
}

/** In P0: open the files to write into, and the v2 folder that P1 is to be born in. */
export function lowerCgroupDoors(context: ProcessContext): CgroupDoors {
  return { procs: lowerCgroupFiles(context), v2: lowerCgroupFolder(context) }
}

/** The files to write into. */
export function lowerCgroupFiles({ plan, facts }: ProcessContext): readonly Value[] {
  const procs: Value[] = []
  plan.section(ORIGIN, undefined, () => {
    const flags = { kind: 'open-flags', flags: O.WRONLY | O.CLOEXEC } as const
    for (const path of facts.cgroup.procs) {
      procs.push(plan.syscall('openat', [AT.FDCWD, path, flags, 0], { name: 'procs', about: path }))
    }
  })
  return procs
}

/** The v2 folder that a child is to be born in. */
export function lowerCgroupFolder({ plan, facts }: ProcessContext): Value | undefined {
  const directory = facts.cgroup.v2Directory
  if (directory === undefined) return undefined
  let folder: Value | undefined
  plan.section(ORIGIN, undefined, () => {
    const flags = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
    folder = plan.syscall('openat', [AT.FDCWD, directory, flags, 0], { name: 'cgroup', about: directory })
  })
  return folder
}

/** Who enters writes "0", which is the writer itself. */
export function lowerCgroupJoin({ plan, facts }: ProcessContext, { procs }: Pick<CgroupDoors, 'procs'>): void {
  plan.section(ORIGIN, undefined, () => {
    for (const [index, fd] of procs.entries()) {
      plan.syscall('write', [fd, '0', 1], { about: facts.cgroup.procs[index] ?? '' })
    }
  })
}
