// --pidfd-socket: hand init's pidfd to whoever asked for it.

import { connectUnix, sendDescriptor } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'

/**
 * Send a pidfd over a Unix stream socket, as one SCM_RIGHTS descriptor.
 * @param socketPath shorter than sun_path
 * @throws SyscallError
 */
export function sendPidfd(socketPath: string, pid: number): void {
  const socket = connectUnix(socketPath)
  const pidfd = syscall('pidfd_open', pid, 0)
  try {
    sendDescriptor(socket, 'pidfd', pidfd)
  } finally {
    close(pidfd)
    close(socket)
  }
}
