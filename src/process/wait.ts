// Processes: are they there, are they the ones we mean, how did they end.

import { ERRNO } from '../linux/errno.ts'
import { SIGNAL, signalName } from '../linux/signals.ts'
import { WALL } from '../linux/wait.ts'
import { poll } from '../native/descriptors.ts'
import { close, readFileIfPresent } from '../native/file.ts'
import { SyscallError, trySyscall } from '../native/syscall.ts'
import { FORBIDDEN_CALL } from '../words.ts'

export interface ProcessStat {
  /** R, S, D, Z, X … proc_pid_stat(5) */
  readonly state: string
  /** Clock ticks since boot: with the pid it names one process and no other. */
  readonly startTime: number
  /** How it ended, as wait(2) has it: of a zombie, and only for who may look into the process; else 0. */
  readonly exitCode: number
}

/** /proc/PID/stat; undefined when there is no such process. */
export function processStat(pid: number): ProcessStat | undefined {
  const text = readFileIfPresent(`/proc/${pid}/stat`)
  return text === undefined ? undefined : parseStat(text)
}

/** @param text of /proc/PID/stat */
export function parseStat(text: string): ProcessStat {
  const fields = fieldsOf(text)
  return { state: fields[0] ?? 'X', startTime: Number(fields[19]), exitCode: Number(fields[49]) }
}

/** All from the state on. The command before it stands in parentheses and may hold any character. */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** PF_EXITING of the kernel's sched.h: set before the process leaves its cgroup. */
const EXITING = 0x4

/** Is this process on its way out, or gone? */
export function isEnding(pid: number): boolean {
  const text = readFileIfPresent(`/proc/${pid}/stat`)
  if (text === undefined) return true
  return (Number(fieldsOf(text)[6]) & EXITING) !== 0
}

/** Is this very process there, and not just waiting to be reaped? */
export function isAlive(pid: number, startTime: number): boolean {
  const stat = processStat(pid)
  return stat !== undefined && stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X'
}

/**
 * Send a signal to this very process: a pid that went to another one meanwhile is never signalled.
 * @returns false when the process is gone
 */
export function signalProcess(pid: number, startTime: number, signal: number): boolean {
  const pidfd = trySyscall('pidfd_open', pid, 0)
  // EINVAL on older kernels: it is gone, and its number is that of a session or group that is still there.
  if (pidfd === -ERRNO.ESRCH || pidfd === -ERRNO.EINVAL) return false
  if (pidfd < 0) throw new SyscallError('pidfd_open', -pidfd, `${pid}`)
  try {
    if (!isAlive(pid, startTime)) return false
    const result = trySyscall('pidfd_send_signal', pidfd, signal, 0, 0)
    if (result === -ERRNO.ESRCH) return false
    if (result < 0) throw new SyscallError('pidfd_send_signal', -result, `${pid}`)
    return true
  } finally {
    close(pidfd)
  }
}

/** waitpid(2) of a child of ours. @returns its wait status; undefined when it isn't our child (any more) */
export function reap(pid: number): number | undefined {
  const status = new Uint8Array(4)
  const result = trySyscall('wait4', pid, status, WALL, 0)
  return result === pid ? new DataView(status.buffer).getInt32(0, true) : undefined
}

/**
 * Wait until a process has ended, whoever's child it is.
 * @param timeout milliseconds
 * @returns false when it is there still
 */
export function waitForEnd(pid: number, timeout: number): boolean {
  const pidfd = trySyscall('pidfd_open', pid, 0)
  if (pidfd < 0) return true
  try {
    return poll([pidfd], timeout).length > 0
  } finally {
    close(pidfd)
  }
}

/** How long a process that has nothing more to do may take to end, in milliseconds. */
const PATIENCE = 1000

/** Reap a child that ends by itself; one that waits for what doesn't end is killed. */
export function endOf(pid: number): void {
  if (!waitForEnd(pid, PATIENCE)) trySyscall('kill', pid, SIGNAL.SIGKILL)
  reap(pid)
}

/** "exit status 3", "signal SIGKILL": a wait(2) status in words. */
export function describeStatus(status: number): string {
  const signal = status & 0x7f
  if (signal === 0) return `exit status ${(status >> 8) & 0xff}`
  return `signal ${signalName(signal)}${signal === SIGNAL.SIGSYS ? `: ${FORBIDDEN_CALL}` : ''}`
}

/** The exit status a shell would give: the program's own, or 128 and the signal. */
export function exitStatus(status: number): number {
  const signal = status & 0x7f
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal
}
