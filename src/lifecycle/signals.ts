// Signals of runt in the foreground are meant for the container.

import { SIGNAL, type SignalName } from '../linux/signals.ts'
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

const WNOHANG = 1
const ANY_CHILD = -1

/** Forward from here on, and reap orphans that came to us. @returns what ends it */
export function forwardSignals(pid: number, startTime: number): () => void {
  const listeners: [SignalName, () => void][] = FORWARDED.map((name) => [
    name,
    () => signalProcess(pid, startTime, SIGNAL[name]),
  ])
  listeners.push(['SIGCHLD', reapOrphans])
  for (const [name, listener] of listeners) process.on(name, listener)
  return () => {
    for (const [name, listener] of listeners) process.off(name, listener)
  }
}

function reapOrphans(): void {
  while (trySyscall('wait4', ANY_CHILD, 0, WNOHANG, 0) > 0);
}
