// Into the container's resctrl group, as into its cgroup: P0 opens the files, P1 writes itself into them.

import { AT, O } from '../linux/open-flags.ts'
import type { Value } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'

const ORIGIN = '/linux/intelRdt'

/** In P0. @returns a descriptor for each file */
export function lowerRdtDoors({ plan, facts }: ProcessContext): readonly Value[] {
  const doors: Value[] = []
  for (const path of facts.rdtTasks) {
    plan.section(ORIGIN, path, () => {
      const flags = { kind: 'open-flags', flags: O.WRONLY | O.CLOEXEC } as const
      doors.push(plan.syscall('openat', [AT.FDCWD, path, flags, 0], { name: 'tasks' }))
    })
  }
  return doors
}

/** In P1: "0" is the writer itself. */
export function lowerRdtJoin({ plan, facts }: ProcessContext, doors: readonly Value[]): void {
  for (const [index, door] of doors.entries()) {
    plan.section(ORIGIN, facts.rdtTasks[index], () => plan.syscall('write', [door, '0', 1]))
  }
}
