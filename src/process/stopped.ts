// A process that is being made among others, who may stop it: signals to it, or ptrace(2). It must get on all the same.

import { RuntError } from '../errors.ts'
import { SIGNAL } from '../linux/signals.ts'
import { trySyscall } from '../native/syscall.ts'
import { processStat, signalProcess } from './wait.ts'

/** How long it may be found stopped, in milliseconds. */
const LONGEST_STOP = 10_000

/**
 * Who waits for a process calls this again and again: a stop is taken back, and one that is stopped all the time is ended.
 * @param pid of a process that has nothing to do with signals
 * @param name what it is, for a person
 * @returns what looks after it; that throws RuntError when it was ended
 */
export function keepGoing(pid: number, name: string): () => void {
  const { startTime } = processStat(pid) ?? { startTime: 0 }
  let since: number | undefined
  return () => {
    const state = processStat(pid)?.state
    if (state !== 'T' && state !== 't') {
      since = undefined
      return
    }
    since ??= performance.now()
    if (performance.now() - since < LONGEST_STOP) {
      trySyscall('kill', pid, SIGNAL.SIGCONT)
      return
    }
    signalProcess(pid, startTime, SIGNAL.SIGKILL)
    throw new RuntError('init', `${name} was stopped again and again, and has been killed`, {
      hint:
        state === 't'
          ? 'a process traces it: one of the container?'
          : 'a process sends it SIGSTOP: one of the container?',
    })
  }
}
