// pause and resume: all processes of a container stand still, or go on. Not in runtime.md: runc's commands.

import { freeze, thaw } from '../cgroup/freezer.ts'
import { checkId } from './id.ts'
import { requireCgroup } from './processes.ts'
import { requireStatus, statusOf } from './status.ts'
import type { Store } from './store.ts'

/**
 * Freeze the container's cgroup; back when all its processes have stopped.
 * @throws RuntError unknown id, neither created nor running, or processes that don't stop within 2 s (they run on then)
 */
export function pauseContainer(store: Store, id: string): void {
  checkId(id)
  // Locked: what a delete has killed must not be frozen before it is dead.
  using _lock = store.lock(id)
  const container = store.load(id)
  requireStatus('pause', id, statusOf(store, container))
  requireCgroup(container, 'paused')
  freeze(container.cgroup)
}

/** @throws RuntError unknown id, not paused, or frozen by a cgroup above its own */
export function resumeContainer(store: Store, id: string): void {
  checkId(id)
  using _lock = store.lock(id)
  const container = store.load(id)
  requireStatus('resume', id, statusOf(store, container))
  thaw(container.cgroup)
}
