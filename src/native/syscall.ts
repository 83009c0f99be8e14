// Raw system calls by name. Faster to load than node:fs, with the kernel's own errno, and *at(2) on descriptors.

import { ERRNO, errnoName, errnoText } from '../linux/errno.ts'
import { SYSCALLS, type SyscallName } from '../linux/syscalls.ts'
import { printable } from '../printable.ts'
import { callNative, callNativeAsync, type NativeArgument, type NativeResult } from './ffi.ts'

const COLUMN = process.arch === 'arm64' ? 1 : 0

/** A system call that failed, with the path or object it was about. */
export class SyscallError extends Error {
  readonly errno: number
  /** ENOENT … */
  readonly code: string
  readonly syscall: SyscallName

  constructor(syscall: SyscallName, errno: number, about: string) {
    super(`${syscall}${about === '' ? '' : ` ${printable(about)}`}: ${errnoName(errno)}: ${errnoText(errno)}`)
    this.name = 'SyscallError'
    this.errno = errno
    this.code = errnoName(errno)
    this.syscall = syscall
  }
}

/** @returns the call's result, or -errno; EINTR is retried */
export function trySyscall(name: SyscallName, ...args: NativeArgument[]): number {
  for (;;) {
    const result = toResult(callNative('syscall', SYSCALLS[name][COLUMN], ...args))
    if (result !== -ERRNO.EINTR) return result
  }
}

/**
 * @returns the call's result
 * @throws SyscallError, speaking of the first string among the arguments
 */
export function syscall(name: SyscallName, ...args: NativeArgument[]): number {
  const result = trySyscall(name, ...args)
  if (result < 0) throw new SyscallError(name, -result, args.find((arg) => typeof arg === 'string') ?? '')
  return result
}

/** Like syscall, but on another thread: the event loop runs on while the kernel waits. EINTR is retried. */
export async function syscallAsync(name: SyscallName, ...args: NativeArgument[]): Promise<number> {
  for (;;) {
    const result = toResult(await callNativeAsync('syscall', SYSCALLS[name][COLUMN], ...args))
    if (result >= 0) return result
    if (result !== -ERRNO.EINTR) throw new SyscallError(name, -result, '')
  }
}

function toResult({ value, errnoCode }: NativeResult): number {
  return value === -1n ? -errnoCode : Number(value)
}

/** True for a SyscallError with one of these errno names. */
export function failedWith(error: unknown, ...codes: string[]): boolean {
  return error instanceof SyscallError && codes.includes(error.code)
}
