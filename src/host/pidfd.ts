// Pidfds: handed to whoever asked for init's (--pidfd-socket), and what the kernel knows a process by.

import { connectUnix, sendDescriptor } from '../native/descriptors.ts'
import { close, fileSystemType, status } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'

/** "PIDF": since Linux 6.9 pidfds are files of a file system of their own, with an inode for each process. */
const PID_FS_MAGIC = 0x50494446

/** The number that is a process's alone, for as long as the machine runs; undefined on kernels that have none. */
export function pidfdInode(pid: number): bigint | undefined {
  const pidfd = syscall('pidfd_open', pid, 0)
  try {
    return fileSystemType(pidfd) === PID_FS_MAGIC ? status('', pidfd)?.inode : undefined
  } finally {
    close(pidfd)
  }
}

/** A copy of another process's descriptor, close-on-exec. pidfd_getfd(2) @throws SyscallError */
export function takeDescriptor(pid: number, descriptor: number): number {
  const pidfd = syscall('pidfd_open', pid, 0)
  try {
    return syscall('pidfd_getfd', pidfd, descriptor, 0)
  } finally {
    close(pidfd)
  }
}

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
