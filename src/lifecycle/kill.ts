// kill: a signal to the container's process. runtime.md, Kill

import { tryThaw } from '../cgroup/freezer.ts'
import { killCgroup } from '../cgroup/processes.ts'
import { RuntError } from '../errors.ts'
import { parseSignal, SIGNAL } from '../linux/signals.ts'
import { signalProcess } from '../process/wait.ts'
import { checkId } from './id.ts'
import { hasCgroup, processesOf, signalProcesses } from './processes.ts'
import { requireStatus, statusOf } from './status.ts'
import type { Store } from './store.ts'

export { signalNames } from '../linux/signals.ts'

export interface KillOptions {
  /** To every process of the container, not just init; then a stopped container is no error. */
  readonly all: boolean
}

/**
 * @param signal a number, or a name with or without SIG; 0 only asks whether it could be sent
 * @throws RuntError unknown id or signal, or not running
 */
export function killContainer(store: Store, id: string, signal: string, { all }: KillOptions): void {
  checkId(id)
  const number = signal === '0' ? 0 : parseSignal(signal)
  if (number === undefined) throw new RuntError('signal', `unknown signal ${JSON.stringify(signal)}`)
  const container = store.load(id)
  if (all) {
    signalProcesses(container, number)
    return
  }
  const status = statusOf(store, container)
  // Without a pid namespace of its own the kernel doesn't end the others when init goes, or has gone.
  const isGroup = number === SIGNAL.SIGKILL && container.sharesPidNamespace && hasCgroup(container)
  if (!isGroup || processesOf(container).length === 0) requireStatus('kill', id, status)
  if (isGroup) killCgroup(container.cgroup, SIGNAL.SIGKILL)
  else if (!signalProcess(container.pid, container.startTime, number)) requireStatus('kill', id, 'stopped')
  // What v1's freezer holds can't even die. Other signals wait until resume.
  if (number === SIGNAL.SIGKILL && status === 'paused') tryThaw(container.cgroup)
}
