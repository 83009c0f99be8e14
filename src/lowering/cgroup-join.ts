// Into the container's cgroup: P0 opens the ways in as the host's root, P1 goes through them before it does anything else.

import { AT, O } from '../linux/open-flags.ts'
import type { Value } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'

const ORIGIN = '/linux/cgroupsPath'

export interface CgroupDoors {
  readonly procs: readonly Value[]
  readonly v2: Value | undefined
}

/** In P0: open the files to write into, and the v2 folder that P1 is to be born in. */
export function lowerCgroupDoors({ plan, facts }: ProcessContext): CgroupDoors {
  const procs: Value[] = []
  let v2: Value | undefined
  plan.section(ORIGIN, undefined, () => {
    const flags = { kind: 'open-flags', flags: O.WRONLY | O.CLOEXEC } as const
    for (const path of facts.cgroup.procs) {
      procs.push(plan.syscall('openat', [AT.FDCWD, path, flags, 0], { name: 'procs', about: path }))
    }
    const directory = facts.cgroup.v2Directory
    if (directory === undefined) return
    const directoryFlags = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
    v2 = plan.syscall('openat', [AT.FDCWD, directory, directoryFlags, 0], { name: 'cgroup', about: directory })
  })
  return { procs, v2 }
}

/** In P1: "0" is the writer itself. */
export function lowerCgroupJoin({ plan, facts }: ProcessContext, doors: CgroupDoors): void {
  plan.section(ORIGIN, undefined, () => {
    for (const [index, fd] of doors.procs.entries()) {
      plan.syscall('write', [fd, '0', 1], { about: facts.cgroup.procs[index] ?? '' })
    }
  })
}
