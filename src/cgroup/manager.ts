// Who makes, limits and removes a container's cgroup: runt itself in the file system, or systemd, which it asks. Whoever goes without
// cgroups has one of no folders, by the file system.
//
// Freezing, killing and counting are the kernel's, whoever made the folders: freezer.ts, processes.ts, stats.ts.

import type { Resources } from '../config/types.ts'
import { SIGNAL } from '../linux/signals.ts'
import type { Cgroup } from './cgroup.ts'
import { type CreateOptions, createCgroup, killCgroup, removeCgroup } from './fs.ts'
import type { Hierarchies } from './hierarchy.ts'
import { type Update, updateCgroup } from './update.ts'

/** A cgroup to be. Dispose of it. */
export interface PlannedCgroup extends Disposable {
  /** Where it will be; nothing is made. */
  readonly planned: Cgroup
  /** It begins with a process, which is born outside, waits, and is put in by join(). An image can make it otherwise, by itself. */
  readonly awaitsProcess: boolean
  /**
   * Make it, with its limits, unless it awaits a process.
   * @throws RuntError 'cgroup'; what was made is gone again
   */
  create(resources: Resources): Cgroup | undefined
  /**
   * Make one that awaits a process with this one in it, and its limits.
   * @throws RuntError 'cgroup'; what was made is gone again
   */
  join(pid: number, resources: Resources): Promise<Cgroup | undefined>
}

/** What can be done with a cgroup that is there. */
export interface CgroupManager {
  /**
   * New limits and device rules: all of them, or none.
   * @returns how to take them back
   * @throws RuntError 'cgroup'
   */
  limit(hierarchies: Hierarchies, cgroup: Cgroup, update: Update): Promise<() => void | Promise<void>>
  /** Put a process where it may not go by itself. @param below placeToAttach() @throws RuntError 'cgroup' */
  attach(cgroup: Cgroup, below: string, pid: number): Promise<void>
  /** Kill what runs in it, and remove it. @throws RuntError 'cgroup' naming what can't be removed */
  destroy(cgroup: Cgroup): Promise<void>
}

/** The manager of a cgroup on record. What speaks to systemd is loaded for it alone. */
export async function managerOf({ scope }: Cgroup): Promise<CgroupManager> {
  return scope === undefined ? FILE_SYSTEM : (await import('./systemd/scope.ts')).SYSTEMD
}

const FILE_SYSTEM: CgroupManager = {
  limit: async (hierarchies, cgroup, update) => updateCgroup(hierarchies, cgroup, update),
  attach: async () => {}, // its processes go by themselves
  destroy: async (cgroup) => {
    killCgroup(cgroup, SIGNAL.SIGKILL)
    removeCgroup(cgroup)
  },
}

/** A cgroup that runt makes itself. @param planned from planCgroup() */
export function plannedInFiles(hierarchies: Hierarchies, planned: Cgroup, options: CreateOptions): PlannedCgroup {
  return {
    planned,
    awaitsProcess: false,
    create: (resources) => createCgroup(hierarchies, planned, resources, options),
    join: async () => undefined,
    [Symbol.dispose]() {},
  }
}
