// Being in somebody else's namespace for a moment: this thread alone, and nothing that waits.

import { NAMESPACES } from '../linux/namespaces.ts'
import { O } from '../linux/open-flags.ts'
import { close, open } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'

/**
 * @param type of a namespace that a thread may change by itself
 * @param file that stands for it, as /proc/PID/ns/net
 * @param work must not be asynchronous
 * @throws SyscallError
 */
export function withinNamespace<T>(type: 'network' | 'uts', file: string, work: () => T): T {
  const { link, flag } = NAMESPACES[type]
  const here = open(`/proc/self/ns/${link}`, O.RDONLY)
  try {
    const there = open(file, O.RDONLY)
    try {
      syscall('setns', there, flag)
    } finally {
      close(there)
    }
    try {
      return work()
    } finally {
      syscall('setns', here, flag)
    }
  } finally {
    close(here)
  }
}
