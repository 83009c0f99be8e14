// update: other limits and device rules for a container that is there. Not in runtime.md: runc's command.

import { readHierarchies } from '../cgroup/hierarchy.ts'
import { managerOf } from '../cgroup/manager.ts'
import { mergeResources } from '../cgroup/merge.ts'
import type { Resources } from '../config/types.ts'
import { warn } from '../log.ts'
import { printable } from '../printable.ts'
import type { Container } from './container.ts'
import { checkId } from './id.ts'
import { requireCgroup } from './processes.ts'
import { changeRdt } from './rdt.ts'
import { requireStatus, statusOf } from './status.ts'
import type { Store } from './store.ts'
import { restored, stored } from './stored.ts'
import { resourcesOf, schemataOf, type UpdateRequest } from './update-request.ts'

/**
 * Change the limits that a request mentions; the record has them then, so that the next update starts from there.
 * @throws RuntError for a request that can't be read, unknown id, stopped, or a limit that can't be had: all are as before then
 */
export async function updateContainer(store: Store, id: string, request: UpdateRequest): Promise<void> {
  checkId(id)
  const schemata = schemataOf(request)
  const warnings: string[] = []
  const asked = await resourcesOf(request, warnings)
  for (const warning of warnings) warn(printable(warning))
  using _lock = store.lock(id)
  const container = store.load(id)
  requireStatus('update', id, statusOf(store, container))
  if (asked !== undefined) requireCgroup(container, 'limited')
  const [rdtFlag] = request.schemata.keys()
  const undoRdt = rdtFlag === undefined ? undefined : await changeRdt(container, rdtFlag, schemata)
  try {
    if (asked !== undefined) await changeResources(store, container, asked)
  } catch (error) {
    undoRdt?.()
    throw error
  }
}

async function changeResources(store: Store, container: Container, asked: Resources): Promise<void> {
  const before = restored<Resources>(container.resources)
  const after = mergeResources(before, asked)
  const manager = await managerOf(container.cgroup)
  const undo = await manager.limit(readHierarchies(), container.cgroup, { before, asked, after })
  try {
    store.save({ ...container, resources: stored(after) })
  } catch (error) {
    await undo()
    throw error
  }
}
