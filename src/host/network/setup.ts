// What a new network namespace is given, when it isn't the container's init that does it: the loopback device switched on,
// and kernel parameters.

import { O, RESOLVE } from '../../linux/open-flags.ts'
import { close, open, tryOpenBelow, writeAll } from '../../native/file.ts'
import { SyscallError } from '../../native/syscall.ts'
import { withinNamespace } from '../within.ts'
import { NetworkDevices } from './socket.ts'

/** @param pid of a process in the namespace @throws SyscallError */
export function switchOnLoopback(pid: number): void {
  withinNamespace('network', `/proc/${pid}/ns/net`, () => {
    using devices = new NetworkDevices()
    const index = devices.find('lo')?.index
    if (index !== undefined) devices.change(index, { up: true })
  })
}

/**
 * Write a parameter of the namespace: /proc/sys/net shows the one that its reader is in.
 * @param path below /proc/sys
 * @throws SyscallError
 */
export function writeNetworkSysctl(pid: number, path: string, value: string): void {
  withinNamespace('network', `/proc/${pid}/ns/net`, () => {
    const folder = open('/proc/sys', O.PATH | O.DIRECTORY)
    const file = tryOpenBelow(folder, path, O.WRONLY, RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS)
    close(folder)
    if (file < 0) throw new SyscallError('openat2', -file, `/proc/sys/${path}`)
    try {
      writeAll(file, value, `/proc/sys/${path}`)
    } finally {
      close(file)
    }
  })
}
