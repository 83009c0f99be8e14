// What a container is doing: found out from the kernel, not believed. And what may be done to it then.

import { isFrozen } from '../cgroup/freezer.ts'
import { RuntError } from '../errors.ts'
import { AT, O } from '../linux/open-flags.ts'
import { close } from '../native/file.ts'
import { trySyscall } from '../native/syscall.ts'
import { isAlive } from '../process/wait.ts'
import { EXEC_PAUSED, EXEC_STOPPED, NOT_RUNNING } from '../words.ts'
import type { Container, Status } from './container.ts'
import type { Lock } from './lock.ts'
import type { Store } from './store.ts'

/** creating: another runt is at work on it. created: init waits at the gate. paused: frozen. */
export function statusOf(store: Store, container: Container): Status {
  if (container.phase === 'creating') return store.isLocked(container.id) ? 'creating' : 'stopped'
  if (!isAlive(container.pid, container.startTime)) return 'stopped'
  if (isFrozen(container.cgroup)) return 'paused'
  return isAtGate(store, container.id) ? 'created' : 'running'
}

/** Init alone holds the gate open for reading; a writer gets in only while it waits there. fifo(7) */
function isAtGate(store: Store, id: string): boolean {
  const fd = trySyscall(
    'openat',
    AT.FDCWD,
    `${store.directory(id)}/gate`,
    O.WRONLY | O.NONBLOCK | O.NOFOLLOW | O.CLOEXEC,
    0,
  )
  if (fd < 0) return false
  close(fd)
  return true
}

/**
 * Take an id for a new container.
 * @throws RuntError 'container-exists', with what to do about the container that has it
 */
export function claimId(store: Store, id: string): Lock {
  try {
    return store.claim(id)
  } catch (error) {
    if (!(error instanceof RuntError) || error.code !== 'container-exists') throw error
    const container = store.find(id)
    const status = container === undefined ? 'stopped' : statusOf(store, container)
    const hint =
      status === 'stopped'
        ? `runt delete ${id} removes it, or choose another id`
        : `it is ${status}: choose another id, or end it with runt delete --force ${id}`
    throw new RuntError(error.code, error.message, { hint, data: { id, status } })
  }
}

type Operation = 'start' | 'exec' | 'kill' | 'delete' | 'pause' | 'resume' | 'events' | 'update' | 'checkpoint'

/** Which states an operation is legal in. runtime.md, Operations; delete of `created` is what engines need. */
const LEGAL: Readonly<Record<Operation, readonly Status[]>> = {
  start: ['created'],
  exec: ['created', 'running'],
  kill: ['created', 'running', 'paused'],
  delete: ['created', 'stopped'],
  pause: ['created', 'running'],
  resume: ['paused'],
  events: ['created', 'running', 'paused'],
  update: ['created', 'running', 'paused'],
  checkpoint: ['running', 'paused'],
}

/** @throws RuntError in the words that engines know */
export function requireStatus(operation: Operation, id: string, status: Status): void {
  if (LEGAL[operation].includes(status)) return
  throw new RuntError('container-status', REFUSALS[operation](id, status), { data: { id, status } })
}

const REFUSALS: Readonly<Record<Operation, (id: string, status: Status) => string>> = {
  start: (id, status) =>
    status === 'stopped'
      ? `cannot start a container that has stopped: ${id}`
      : `cannot start container ${id}: it is ${status}, not created`,
  exec: (id, status) =>
    status === 'stopped'
      ? `${EXEC_STOPPED}: ${id}`
      : status === 'paused'
        ? `${EXEC_PAUSED} (use --ignore-paused to override): ${id}`
        : `cannot exec in container ${id}: it is ${status}`,
  kill: (id, status) => `${NOT_RUNNING}: ${id} is ${status}`,
  delete: (id, status) => `cannot delete container ${id} that is not stopped: ${status}`,
  pause: (id, status) => `${NOT_RUNNING}: ${id} is ${status}`,
  events: (id) => `container with id ${id} is not running`,
  resume: (id, status) => `container not paused: ${id} is ${status}`,
  update: (id, status) => `${NOT_RUNNING}: ${id} is ${status}`,
  checkpoint: (id, status) => `cannot checkpoint container ${id}: it is ${status}`,
}
