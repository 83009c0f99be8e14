// How a container ended: what `state` tells of one that has stopped, as far as anybody saw it.

import { oomKills } from '../cgroup/oom.ts'
import { SIGNAL, signalName } from '../linux/signals.ts'
import { logError } from '../log.ts'
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
  return status === undefined ? undefined : exitWith(status, container)
}

/** @param status init's, of wait(2); the container's cgroup is still there */
function exitWith(status: number, container: Container): ExitRecord {
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

/** Say why the kernel killed a container's program, if it did: whoever ran it sees only that a signal ended it. */
export function explainEnd(container: Container, status: number): void {
  const exit = exitWith(status, container)
  const ended = `container ${container.id}: the kernel ended the program`
  if (exit.cause === 'seccomp') {
    logError(`${ended}: it made a system call that linux.seccomp forbids`, { exit })
  } else if (exit.cause === 'oom-kill') {
    const { limit } = exit
    const whose = limit === undefined ? '' : `: the limit of cgroup ${limit.cgroup} is ${limit.bytes} bytes`
    const hint = limit === undefined ? '' : '\n  is linux.resources.memory.limit too low?'
    logError(`${ended}: memory ran out${whose}${hint}`, { exit })
  }
}

/** Put it on record, unless somebody has deleted the container meanwhile. @param status init's, of wait(2) */
export function saveExitIfPresent(store: Store, container: Container, status: number): void {
  using lock = store.lockSame(container)
  if (lock !== undefined) store.saveExit(container.id, status)
}
