// events: what a container uses, every now and then, and that it ran out of memory. Not in runtime.md: runc's command.

import type { Cgroup } from '../cgroup/cgroup.ts'
import { type OomWatch, watchOom } from '../cgroup/oom.ts'
import { readStats, type Stats } from '../cgroup/stats.ts'
import { interfacesOf, type NetworkInterface } from '../host/interfaces.ts'
import { debug } from '../log.ts'
import { poll } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { failedWith, trySyscall } from '../native/syscall.ts'
import { isAlive } from '../process/wait.ts'
import type { Container } from './container.ts'
import { checkId } from './id.ts'
import { requireStatus, statusOf } from './status.ts'
import type { Store } from './store.ts'

export interface StatsEvent {
  readonly type: 'stats'
  readonly id: string
  readonly data: Stats & {
    /** For Intel RDT, which this container doesn't use. */
    readonly intel_rdt: Readonly<Record<string, never>>
    readonly network_interfaces: readonly NetworkInterface[] | null
  }
}

export interface OomEvent {
  readonly type: 'oom'
  readonly id: string
}

/** @throws RuntError unknown id, or stopped */
export function containerStats(store: Store, id: string): StatsEvent {
  return statsOf(loadLiving(store, id))
}

/**
 * Tell of a container until it stops: stats at every interval, the first after one, and each time it runs out of memory.
 * @param interval milliseconds
 * @param tell is given what happened; when it finds that nobody listens any more (EPIPE), that is the end
 * @throws RuntError unknown id, or stopped
 */
export function followEvents(
  store: Store,
  id: string,
  interval: number,
  tell: (event: StatsEvent | OomEvent) => void,
): void {
  const container = loadLiving(store, id)
  const init = trySyscall('pidfd_open', container.pid, 0)
  if (init < 0) return
  try {
    using oom = watch(container.cgroup)
    // The pid may have gone to another process before it was opened.
    if (isAlive(container.pid, container.startTime)) follow(container, init, oom, interval, tell)
  } catch (error) {
    if (!failedWith(error, 'EPIPE')) throw error
  } finally {
    close(init)
  }
}

function loadLiving(store: Store, id: string): Container {
  checkId(id)
  const container = store.load(id)
  requireStatus('events', id, statusOf(store, container))
  return container
}

function watch(cgroup: Cgroup): OomWatch | undefined {
  const oom = watchOom(cgroup)
  if (oom === undefined) debug(`cgroup ${cgroup.path}: no memory controller, so no oom events`)
  return oom
}

function follow(
  container: Container,
  init: number,
  oom: OomWatch | undefined,
  interval: number,
  tell: (event: StatsEvent | OomEvent) => void,
): void {
  const { id } = container
  const descriptors = oom === undefined ? [init] : [init, oom.fd]
  let due = performance.now() + interval
  for (;;) {
    const ready = poll(descriptors, Math.max(0, due - performance.now()))
    const hasEnded = ready.includes(init)
    // What killed init may be on record before it is told.
    for (let count = oom !== undefined && ready.length > 0 ? oom.take() : 0; count > 0; count--) {
      tell({ type: 'oom', id })
    }
    if (hasEnded) return
    if (performance.now() < due) continue
    tell(statsOf(container))
    due = Math.max(due + interval, performance.now())
  }
}

function statsOf({ id, pid, cgroup }: Container): StatsEvent {
  const { rdma, ...rest } = readStats(cgroup)
  return { type: 'stats', id, data: { ...rest, intel_rdt: {}, network_interfaces: interfacesOf(pid), rdma } }
}
