// The loopback device of somebody else's network namespace.

import { O } from '../../linux/open-flags.ts'
import { close, open } from '../../native/file.ts'
import { NetworkDevices } from './socket.ts'

/**
 * Switch it on.
 * @param pid of a process in the namespace
 * @throws SyscallError
 */
export function switchOnLoopback(pid: number): void {
  const here = open('/proc/self/ns/net', O.RDONLY)
  const there = open(`/proc/${pid}/ns/net`, O.RDONLY)
  try {
    using devices = NetworkDevices.of(there, here)
    const index = devices.find('lo')?.index
    if (index !== undefined) devices.change(index, { up: true })
  } finally {
    close(here)
    close(there)
  }
}
