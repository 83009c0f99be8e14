// How a container ended: what `state` tells of one that has stopped, as far as anybody saw it.

import { oomKills } from '../cgroup/oom.ts'
import { SIGNAL, signalName } from '../linux/signals.ts'
import { exitStatus, processStat } from '../process/wait.ts'
import type { Container } from './container.ts'
import type { Store } from './store.ts'

export interface ExitRecord {
  /** What the program gave to exit(2) … */
  readonly status?: number
  /** … or the signal that ended it: "SIGKILL". */
  readonly signal?: string
  /** Why the kernel sent the signal, when it did: memory ran out, or the filter of system calls forbade one. */
  readonly cause?: 'oom-kill' | 'seccomp'
  /** How many of the container's processes the kernel killed since memory ran out, and whose limit it was, in bytes. */
  readonly oomKills?: number
  readonly limit?: { readonly cgroup: string; readonly bytes: number }
}

/** @returns undefined when nobody saw it end */
export function exitOf(store: Store, container: Container): ExitRecord | undefined {
  const status = store.findExit(container.id) ?? zombieStatus(container)
  if (status === undefined) return undefined
  const oom = oomKills(container.cgroup)
  const signal = status & 0x7f
  return {
    ...(signal === 0 ? { status: exitStatus(status) } : { signal: signalName(signal) }),
    ...causeOf(signal, oom !== undefined, container),
    ...oom,
  }
}

function causeOf(signal: number, hadOom: boolean, { exec }: Container): Pick<ExitRecord, 'cause'> {
  if (signal === SIGNAL.SIGKILL && hadOom) return { cause: 'oom-kill' }
  return signal === SIGNAL.SIGSYS && exec.filter !== null ? { cause: 'seccomp' } : {}
}

/** Of one that its parent hasn't reaped yet. */
function zombieStatus({ pid, startTime }: Container): number | undefined {
  const stat = pid === 0 ? undefined : processStat(pid)
  return stat?.startTime === startTime && stat.state === 'Z' ? stat.exitCode : undefined
}

/** Put it on record, unless somebody has deleted the container meanwhile. @param status init's, of wait(2) */
export function saveExitIfPresent(store: Store, container: Container, status: number): void {
  using lock = store.lockSame(container)
  if (lock !== undefined) store.saveExit(container.id, status)
}
