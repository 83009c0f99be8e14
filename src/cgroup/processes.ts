// The processes of a cgroup: which they are, and an end to all of them.

import { propertyError, RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { SIGNAL } from '../linux/signals.ts'
import { isGone, readFile } from '../native/file.ts'
import { failedWith, SyscallError, trySyscall } from '../native/syscall.ts'
import { CGROUP_NOT_EMPTY } from '../words.ts'
import { type Cgroup, UNIFIED } from './cgroup.ts'
import { isFrozen, tryFreeze, tryThaw } from './freezer.ts'
import { readKnobIfPresent, tryWriteKnob, waitUntil } from './knob.ts'
import { visitBelow } from './tree.ts'

/** Hierarchies to ask for the processes; all have the same, but nobody moves processes within these for accounting. */
const BEST_FOR_LISTS = [UNIFIED, 'freezer', 'devices', 'pids']

/** How long killed processes may take to end, in milliseconds. */
const PATIENCE = 10_000

/**
 * @param recursive also those in folders below, which the container may have made
 * @returns pids in this process's pid namespace; none when the cgroup is gone
 */
export function pidsOf(cgroup: Cgroup, { recursive }: { readonly recursive: boolean }): number[] {
  const { directories } = cgroup
  const name = BEST_FOR_LISTS.find((each) => directories[each] !== undefined) ?? Object.keys(directories)[0]
  const directory = name === undefined ? undefined : directories[name]
  return directory === undefined ? [] : pidsIn(directory, recursive)
}

/** The processes of one folder, and of those below it. */
export function pidsIn(directory: string, recursive: boolean): number[] {
  const pids = ownPids(directory)
  if (!recursive) return pids
  visitBelow(directory, (place) => {
    for (const pid of ownPids(place)) pids.push(pid)
    return true
  })
  return pids
}

function ownPids(directory: string): number[] {
  try {
    const lines = readFile(`${directory}/cgroup.procs`).split('\n')
    return lines.map(Number).filter((pid) => pid > 0) // 0 is a process that this pid namespace can't see
  } catch (error) {
    if (failedWith(error, 'EOPNOTSUPP')) return [] // a threaded cgroup: its processes stand in the folder above
    if (failedWith(error, 'ENODEV') || isGone(directory)) return []
    throw error
  }
}

/**
 * Send a signal to every process of a container, also those in folders below. SIGKILL waits until none is left.
 * Does nothing to a cgroup that is only planned: whoever is in it came before.
 * @throws RuntError 'cgroup' when processes survive
 */
export function killCgroup(cgroup: Cgroup, signal: number): void {
  if (cgroup.planned === true) return
  if (signal === SIGNAL.SIGKILL) killAll(cgroup)
  else signalAll(cgroup, signal, { thenThaw: !isFrozen(cgroup) })
}

function killAll(cgroup: Cgroup): void {
  if (!isPopulated(cgroup)) return
  const atOnce = killAtOnce(cgroup)
  if (atOnce) tryThaw(cgroup) // a process that v1's freezer holds doesn't even die
  const isEmpty = () => {
    if (!isPopulated(cgroup)) return true
    if (!atOnce) signalAll(cgroup, SIGNAL.SIGKILL, { thenThaw: true })
    return false
  }
  if (waitUntil(isEmpty, PATIENCE)) return
  const left = pidsOf(cgroup, { recursive: true })
  throw new RuntError('cgroup', `cgroup ${cgroup.path}: processes survive SIGKILL: ${left.join(' ')}`)
}

function isPopulated(cgroup: Cgroup): boolean {
  const unified = cgroup.directories[UNIFIED]
  if (unified === undefined) return pidsOf(cgroup, { recursive: true }).length > 0
  return readKnobIfPresent(`${unified}/cgroup.events`)?.includes('populated 1') ?? false
}

/** cgroup.kill (Linux 5.14) reaches all descendants, and forks can't get away. */
function killAtOnce(cgroup: Cgroup): boolean {
  const directory = cgroup.directories[UNIFIED]
  return directory !== undefined && tryWriteKnob(`${directory}/cgroup.kill`, '1') === 0
}

/** Stopped, a group can't fork between being listed and being signalled. */
function signalAll(cgroup: Cgroup, signal: number, { thenThaw }: { readonly thenThaw: boolean }): void {
  const frozen = tryFreeze(cgroup)
  try {
    for (const pid of pidsOf(cgroup, { recursive: true })) {
      const result = trySyscall('kill', pid, signal)
      if (result < 0 && result !== -ERRNO.ESRCH) throw new SyscallError('kill', -result, `${pid}`)
    }
  } finally {
    if (frozen && thenThaw) tryThaw(cgroup)
  }
}

/**
 * A folder that was there before must be empty to take a container (config-linux.md, Cgroups Path: what a runtime may
 * check of the cgroup).
 * @throws RuntError 'cgroup'
 */
export function checkEmpty(directories: readonly string[]): void {
  for (const directory of directories) {
    const count = pidsIn(directory, true).length
    if (count > 0)
      throw propertyError('cgroup', '/linux/cgroupsPath', `${CGROUP_NOT_EMPTY}: ${directory} has ${count} processes`)
    checkType(directory)
  }
}

/**
 * Not every cgroup of v2 can have processes that are to be listed, killed and frozen. cgroup-v2.rst, Threads
 * @throws RuntError 'cgroup'
 */
export function checkType(directory: string): void {
  const type = readKnobIfPresent(`${directory}/cgroup.type`)
  if (type !== 'threaded' && type !== 'domain invalid') return
  const why = type === 'threaded' ? 'is a threaded cgroup' : 'is below a threaded cgroup'
  throw propertyError('cgroup', '/linux/cgroupsPath', `${directory} ${why}: it can not have processes of its own`)
}
