// delete: undo what create did, in reverse, then the poststop hooks. runtime.md, Delete and steps 12–13 of the lifecycle.

import type { Cgroup } from '../cgroup/cgroup.ts'
import { isFrozen, tryThaw } from '../cgroup/freezer.ts'
import { managerOf } from '../cgroup/manager.ts'
import { RuntError } from '../errors.ts'
import { SIGNAL } from '../linux/signals.ts'
import { debug, warn } from '../log.ts'
import { tracerOf } from '../process/tracer.ts'
import { isAlive, reap, signalProcess, waitForEnd } from '../process/wait.ts'
import { type Container, stateOf } from './container.ts'
import { explainEnd } from './exit.ts'
import { runAllHooks } from './hooks.ts'
import { checkId } from './id.ts'
import type { Lock } from './lock.ts'
import { removeRdt } from './rdt.ts'
import { requireStatus, statusOf } from './status.ts'
import { notFound, type Store } from './store.ts'

/** How long a killed init, or another runt, may take to end, in milliseconds. */
const PATIENCE = 10_000

export interface DeleteOptions {
  /** Kill a running container first; an unknown one is no error, and what is left of one goes. */
  readonly force: boolean
  /** Say why the kernel killed the program, if it did. */
  readonly explain?: boolean
}

/** @throws RuntError unknown id, not stopped, or what could not be removed */
export async function deleteContainer(store: Store, id: string, { force, explain }: DeleteOptions): Promise<void> {
  checkId(id)
  if (!store.has(id)) {
    if (force) return
    throw notFound(id)
  }
  if (force && store.removeEmpty(id)) return
  using lock = lockFor(store, id, force)
  if (lock === undefined && force) return
  if (lock === undefined) throw notFound(id)
  const container = findRecord(store, id, force)
  if (container === undefined) {
    if (!force && store.has(id)) throw notFound(id)
    store.remove(id)
    return
  }
  // Whoever was creating it is gone, since the lock is ours.
  const status = container.phase === 'creating' ? 'stopped' : statusOf(store, container)
  if (!force) requireStatus('delete', id, status)
  const exit = explain === true ? store.findExit(id) : undefined
  if (exit !== undefined) explainEnd(container, exit)
  await destroy(store, container)
}

/** A forced delete ends what another runt may be waiting for: a startContainer hook, which runs as init, and CRIU. */
function lockFor(store: Store, id: string, force: boolean): Lock | undefined {
  if (force && store.isLocked(id)) {
    const container = findRecord(store, id, force)
    for (const { pid, startTime } of [container, container?.criu].filter((each) => each !== undefined)) {
      if (pid > 0) signalProcess(pid, startTime, SIGNAL.SIGKILL)
    }
  }
  return store.lockIfPresent(id, PATIENCE)
}

/** Like destroy, for a container that somebody else may have deleted meanwhile, and made another one of its name. */
export async function destroyIfPresent(store: Store, container: Container): Promise<void> {
  using lock = store.lockSame(container)
  if (lock !== undefined) await destroy(store, container)
}

function findRecord(store: Store, id: string, force: boolean): Container | undefined {
  try {
    return store.find(id)
  } catch (error) {
    if (!force) throw error
    warn(error instanceof Error ? error.message : `${error}`)
    return undefined
  }
}

/**
 * Steps 12 and 13: no process, no cgroup, no record, then the poststop hooks.
 * @throws RuntError naming what could not be removed; the record stays then, so that it can be tried again
 */
export async function destroy(store: Store, container: Container): Promise<void> {
  killInit(container)
  try {
    const manager = await managerOf(container.cgroup)
    await manager.destroy(container.cgroup)
    removeRdt(container)
  } catch (error) {
    throw new RuntError('cgroup', `container ${container.id}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    })
  }
  store.remove(container.id)
  debug(`container ${container.id}: deleted`)
  for (const warning of runAllHooks('poststop', container.hooks.poststop, stateOf(container, 'stopped', 0)))
    warn(warning)
}

function killInit({ id, pid, startTime, cgroup }: Container): void {
  if (pid === 0) return
  // What v1's freezer holds can't even die.
  if (signalProcess(pid, startTime, SIGNAL.SIGKILL) && isFrozen(cgroup)) tryThaw(cgroup)
  if (isAlive(pid, startTime) && !waitForEnd(pid, PATIENCE) && isAlive(pid, startTime)) {
    const hint = whyAlive(pid, cgroup)
    throw new RuntError(
      'container-status',
      `container ${id}: init ${pid} did not end within ${PATIENCE / 1000} s of SIGKILL`,
      hint === undefined ? {} : { hint },
    )
  }
  reap(pid) // when it is a child of ours
}

/** One that is traced may be left of a restore whose criu waits forever. */
function whyAlive(pid: number, cgroup: Cgroup): string | undefined {
  if (isFrozen(cgroup)) return `a cgroup above ${cgroup.path} is frozen: nothing dies there before it is thawed`
  const tracer = tracerOf(pid)
  if (tracer === undefined) return undefined
  return `process ${tracer.pid} (${tracer.command}) traces ${tracer.traced}, and must see its end first: end process ${tracer.pid}`
}
