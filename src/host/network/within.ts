// Being in somebody else's network namespace for a moment: this thread alone, and nothing that waits.

import { NAMESPACES } from '../../linux/namespaces.ts'
import { O } from '../../linux/open-flags.ts'
import { close, open } from '../../native/file.ts'
import { syscall } from '../../native/syscall.ts'

/**
 * @param pid of a process in the namespace
 * @param work must not be asynchronous
 * @throws SyscallError
 */
export function withinNetworkOf<T>(pid: number, work: () => T): T {
  const here = open('/proc/self/ns/net', O.RDONLY)
  try {
    const there = open(`/proc/${pid}/ns/net`, O.RDONLY)
    try {
      syscall('setns', there, NAMESPACES.network.flag)
    } finally {
      close(there)
    }
    try {
      return work()
    } finally {
      syscall('setns', here, NAMESPACES.network.flag)
    }
  } finally {
    close(here)
  }
}
