// Limits of a container that is there.

import type { Hierarchies } from '../cgroup/hierarchy.ts'
import type { Cgroup } from '../cgroup/manager.ts'
import { type Update, updateCgroup } from '../cgroup/update.ts'

/** Change them, and for a scope the unit's properties in step. @returns how to take it back @throws RuntError 'cgroup' */
export async function changeLimits(
  hierarchies: Hierarchies,
  cgroup: Cgroup,
  update: Update,
): Promise<() => void | Promise<void>> {
  if (cgroup.scope === undefined) return updateCgroup(hierarchies, cgroup, update)
  const { updateScope } = await import('../cgroup/systemd/scope.ts')
  return updateScope(hierarchies, cgroup, update)
}
