// Signals of runt in the foreground are meant for the container.

import { RuntError } from '../errors.ts'
import { SIGNAL, type SignalName } from '../linux/signals.ts'
import { ANY_CHILD, WNOHANG } from '../linux/wait.ts'
import { trySyscall } from '../native/syscall.ts'
import { signalProcess } from '../process/wait.ts'

/** What a JavaScript engine can listen to and a person may send. SIGWINCH is the terminal's business, SIGCHLD ours. */
const FORWARDED: readonly SignalName[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGIO',
  'SIGPWR',
  'SIGSYS',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
]

/** What is sent by who has had enough. */
const ENOUGH: ReadonlySet<SignalName> = new Set(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'])

/** How long there may be nobody to send it to, in milliseconds. */
const PATIENCE = 1000

export interface Forwarding extends Disposable {
  /** Rejects some time after a signal that ends programs, when there is no program yet to send it to. */
  readonly interrupted: Promise<never>
  /** To whom the signals go: those that came before, too. */
  aim(pid: number, startTime: number): void
  /** The wait status of that process, when it was a child of ours and has been reaped among the orphans. */
  ended(): number | undefined
}

/** Catch signals from here on, and reap orphans that come to us. A program may expect its signals from its first moment. */
export function forwardSignals(): Forwarding {
  const early: SignalName[] = []
  let reject: (reason: RuntError) => void = () => {}
  const interrupted = new Promise<never>((_, refuse) => {
    reject = refuse
  })
  interrupted.catch(() => {}) // nobody may be waiting
  let timer: ReturnType<typeof setTimeout> | undefined
  let pass = (name: SignalName): void => {
    early.push(name)
    if (ENOUGH.has(name)) timer ??= setTimeout(() => reject(interruption(name)), PATIENCE)
  }
  let aimed: number | undefined
  let status: number | undefined
  const reapOrphans = (): void => {
    for (let child = reapAny(); child !== undefined; child = reapAny()) {
      if (child.pid === aimed) status = child.status
    }
  }
  const listeners: [SignalName, () => void][] = FORWARDED.map((name) => [name, () => pass(name)])
  for (const [name, listener] of listeners) process.on(name, listener)
  return {
    interrupted,
    ended: () => status,
    aim(pid, startTime) {
      clearTimeout(timer)
      aimed = pid
      pass = (name) => signalProcess(pid, startTime, SIGNAL[name])
      for (const name of early.splice(0)) pass(name)
      listeners.push(['SIGCHLD', reapOrphans])
      process.on('SIGCHLD', reapOrphans)
      reapOrphans() // of those that ended before, nobody will tell again
    },
    [Symbol.dispose]() {
      clearTimeout(timer)
      for (const [name, listener] of listeners) process.off(name, listener)
    },
  }
}

function interruption(name: SignalName): RuntError {
  return new RuntError('init', `interrupted by ${name} while the process is made`, {
    hint: 'it does not answer: is its cgroup, or one above it, frozen?',
  })
}

/** @returns undefined when no child has ended */
function reapAny(): { readonly pid: number; readonly status: number } | undefined {
  const status = new Uint8Array(4)
  const pid = trySyscall('wait4', ANY_CHILD, status, WNOHANG, 0)
  return pid > 0 ? { pid, status: new DataView(status.buffer).getInt32(0, true) } : undefined
}
