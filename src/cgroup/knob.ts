// A cgroup's files: read whole in one call, written in one call. And short waits, since the kernel finishes some things later.

import { errnoName, errnoText } from '../linux/errno.ts'
import { decodeName, encodeName } from '../linux/names.ts'
import { AT, O } from '../linux/open-flags.ts'
import { close, open } from '../native/file.ts'
import { failedWith, syscall, trySyscall } from '../native/syscall.ts'

const buffer = new Uint8Array(4096)

/**
 * A file that the kernel renders at once; not for lists of processes, which may be longer than a page.
 * @returns its text without the newline at the end
 * @throws SyscallError
 */
export function readKnob(path: string): string {
  const fd = open(path, O.RDONLY)
  try {
    return decodeName(buffer.subarray(0, syscall('read', fd, buffer, buffer.length))).trimEnd()
  } finally {
    close(fd)
  }
}

/** The same; undefined when the file, its folder or its device is gone. */
export function readKnobIfPresent(path: string): string | undefined {
  try {
    return readKnob(path)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR', 'ENODEV')) return undefined
    throw error
  }
}

/** Open, write, close. @returns 0 or -errno of the open or the write */
export function tryWriteKnob(path: string, text: string): number {
  const fd = tryOpen(path)
  if (fd < 0) return fd
  const result = tryWrite(fd, text)
  close(fd)
  return result
}

/** One write(2) for each line, up to the first that fails. @returns 0 or -errno, and the line it was about */
export function tryWriteLines(
  path: string,
  lines: readonly string[],
): { readonly result: number; readonly line: string } {
  const fd = tryOpen(path)
  let result = Math.min(fd, 0)
  let line = ''
  for (const next of fd < 0 ? [] : lines) {
    line = next
    result = tryWrite(fd, line)
    if (result < 0) break
  }
  if (fd >= 0) close(fd)
  return { result, line }
}

/** Truncation means nothing to the kernel's files, but a stand-in on another file system would keep old text. */
function tryOpen(path: string): number {
  return trySyscall('openat', AT.FDCWD, path, O.WRONLY | O.TRUNC | O.CLOEXEC, 0)
}

function tryWrite(fd: number, text: string): number {
  const bytes = encodeName(text)
  return Math.min(trySyscall('write', fd, bytes, bytes.length), 0)
}

/** write "max" to /sys/fs/cgroup/x/pids.max: EINVAL: invalid argument */
export function describeWrite(path: string, text: string, result: number): string {
  return `write ${JSON.stringify(text)} to ${path}: ${errnoName(-result)}: ${errnoText(-result)}`
}

/** nanosleep(2) */
export function sleep(milliseconds: number): void {
  const time = new BigInt64Array([BigInt(Math.floor(milliseconds / 1000)), BigInt((milliseconds % 1000) * 1e6)])
  trySyscall('nanosleep', new Uint8Array(time.buffer), 0)
}

const LONGEST_SLEEP = 64

/**
 * Ask again and again, with sleeps of 1, 2, 4 … milliseconds between.
 * @param bound milliseconds of sleep in all
 * @returns whether the answer was yes in the end
 */
export function waitUntil(isDone: () => boolean, bound: number): boolean {
  let slept = 0
  for (let pause = 1; !isDone(); pause = Math.min(pause * 2, LONGEST_SLEEP)) {
    if (slept >= bound) return false
    sleep(pause)
    slept += pause
  }
  return true
}
