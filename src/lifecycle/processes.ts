// Which processes a container has: its cgroup's; where it has none, those of its pid namespace.

import { killCgroup, pidsOf } from '../cgroup/processes.ts'
import { RuntError } from '../errors.ts'
import { pidsInNamespaceOf } from '../host/pid-namespace.ts'
import { ERRNO } from '../linux/errno.ts'
import { SyscallError, trySyscall } from '../native/syscall.ts'
import { isAlive, signalProcess } from '../process/wait.ts'
import type { Container } from './container.ts'

export function hasCgroup({ cgroup }: Pick<Container, 'cgroup'>): boolean {
  return Object.keys(cgroup.directories).length > 0
}

/** @throws RuntError when there is no telling them from others */
export function processesOf(container: Container): number[] {
  const { id, pid, startTime, cgroup } = container
  if (hasCgroup(container)) return pidsOf(cgroup, { recursive: true }).sort((a, b) => a - b)
  if (!isAlive(pid, startTime)) return []
  const pids = container.sharesPidNamespace ? undefined : pidsInNamespaceOf(pid)
  if (pids !== undefined) return pids
  throw new RuntError('cgroup', `container ${id} has neither a cgroup nor a pid namespace of its own`, {
    hint: 'so its processes can not be told from others',
  })
}

/** A signal to every process of a container, init last: with it a pid namespace ends. */
export function signalProcesses(container: Container, signal: number): void {
  if (hasCgroup(container)) {
    killCgroup(container.cgroup, signal)
    return
  }
  const { pid: init, startTime } = container
  for (const pid of processesOf(container)) {
    if (pid === init) continue
    const result = trySyscall('kill', pid, signal)
    if (result < 0 && result !== -ERRNO.ESRCH) throw new SyscallError('kill', -result, `${pid}`)
  }
  signalProcess(init, startTime, signal)
}

/** @throws RuntError for what only a cgroup can do */
export function requireCgroup(container: Container, what: string): void {
  if (hasCgroup(container)) return
  throw new RuntError('cgroup', `container ${container.id} has no cgroup: it can not be ${what}`, {
    hint: 'it was created by a user who may not make cgroups: see linux.cgroupsPath',
  })
}
