// Files and folders by system calls. Paths are host paths that runt itself chose or that a trusted config gave:
// nothing here may be used on a path inside a container's root filesystem.

import { ERRNO } from '../linux/errno.ts'
import { decodeName, encodeName } from '../linux/names.ts'
import { AT, O, openFlagsToArm64 } from '../linux/open-flags.ts'
import { POLLIN } from '../linux/poll.ts'
import { STATX, STATX_BASIC_STATS, STATX_MNT_ID, STATX_SIZE } from '../linux/statx.ts'
import type { NativeArgument } from './ffi.ts'
import { failedWith, SyscallError, syscall, trySyscall } from './syscall.ts'

const toMachine = process.arch === 'arm64' ? openFlagsToArm64 : (flags: number) => flags

/**
 * openat(2), always close-on-exec.
 * @param flags O.* flags in x86-64's numbers
 * @throws SyscallError
 */
export function open(path: string, flags: number, mode = 0, at: number = AT.FDCWD): number {
  return syscall('openat', at, path, toMachine(flags | O.CLOEXEC), mode)
}

/** The same. @returns a descriptor, or -errno */
export function tryOpen(path: string, flags: number, at: number = AT.FDCWD): number {
  return trySyscall('openat', at, path, toMachine(flags | O.CLOEXEC), 0)
}

const OPEN_HOW_SIZE = 24

/**
 * openat2(2) below a folder, always close-on-exec.
 * @param flags O.* flags in x86-64's numbers
 * @param resolve RESOLVE.* flags
 * @returns a descriptor, or -errno
 */
export function tryOpenBelow(folder: number, path: string, flags: number, resolve: number): number {
  const how = new BigUint64Array([BigInt(toMachine(flags | O.CLOEXEC)), 0n, BigInt(resolve)])
  return trySyscall('openat2', folder, path, new Uint8Array(how.buffer), OPEN_HOW_SIZE)
}

export function close(fd: number): void {
  trySyscall('close', fd)
}

/**
 * Everything from a descriptor up to its end.
 * @param most how many bytes that may be @returns undefined when there are more
 */
export function readAll(fd: number): Uint8Array
export function readAll(fd: number, most: number): Uint8Array | undefined
export function readAll(fd: number, most = Number.POSITIVE_INFINITY): Uint8Array | undefined {
  let buffer = new Uint8Array(16384)
  let length = 0
  for (;;) {
    if (length === buffer.length) {
      const larger = new Uint8Array(buffer.length * 4)
      larger.set(buffer)
      buffer = larger
    }
    const count = syscall('read', fd, buffer.subarray(length), buffer.length - length)
    if (count === 0) return buffer.subarray(0, length)
    length += count
    if (length > most) return undefined
  }
}

/**
 * Everything up to the end of what may be a pipe, which somebody may have made non-blocking.
 * @param most how many bytes that may be @returns undefined when there are more
 */
export function readToEnd(fd: number, most: number): Uint8Array | undefined {
  const pieces: Uint8Array[] = []
  for (let left = most; left >= 0; ) {
    const piece = new Uint8Array(65536)
    const length = trySyscall('read', fd, piece, piece.length)
    if (length === -ERRNO.EAGAIN) syscall('ppoll', pollfd(fd), 1, 0n, 0, 0)
    else if (length < 0) throw new SyscallError('read', -length, '')
    else if (length === 0) return Buffer.concat(pieces)
    else {
      pieces.push(piece.subarray(0, length))
      left -= length
    }
  }
  return undefined
}

function pollfd(fd: number): Uint8Array {
  return new Uint8Array(new Int32Array([fd, POLLIN]).buffer)
}

/** @throws SyscallError */
export function readFile(path: string, at: number = AT.FDCWD): string {
  return decodeName(readBytes(path, at))
}

/** @throws SyscallError */
export function readBytes(path: string, at: number = AT.FDCWD): Uint8Array {
  const fd = open(path, O.RDONLY, 0, at)
  try {
    return readAll(fd)
  } finally {
    close(fd)
  }
}

/** Like readFile, but undefined when the file (or a folder on the way) doesn't exist. */
export function readFileIfPresent(path: string, at: number = AT.FDCWD): string | undefined {
  try {
    return readFile(path, at)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR', 'ESRCH')) return undefined
    throw error
  }
}

/** The bytes of a file; undefined when it (or a folder on the way) doesn't exist. */
export function readBytesIfPresent(path: string): Uint8Array | undefined {
  try {
    return readBytes(path)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** Write all of a text or byte array to a descriptor. @param about what an error is to name */
export function writeAll(fd: number, contents: string | Uint8Array, about = ''): void {
  let rest = typeof contents === 'string' ? encodeName(contents) : contents
  while (rest.length > 0) {
    const result = trySyscall('write', fd, rest, rest.length)
    if (result < 0) throw new SyscallError('write', -result, about)
    rest = rest.subarray(result)
  }
}

/** Write into a file that exists, in one write(2): what cgroup and /proc files want. */
export function writeKnob(path: string, text: string, at: number = AT.FDCWD): void {
  const fd = open(path, O.WRONLY | O.TRUNC, 0, at)
  try {
    const bytes = encodeName(text)
    const result = trySyscall('write', fd, bytes, bytes.length)
    if (result < 0) throw new SyscallError('write', -result, path)
  } finally {
    close(fd)
  }
}

/**
 * Make or replace a file so that a reader sees the old or the new contents, never a part: write beside, rename. A link of that
 * name is replaced, and nothing is written to what somebody else has put there.
 */
export function writeFileAtomically(path: string, contents: string | Uint8Array, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    trySyscall('unlinkat', AT.FDCWD, temporary, 0) // of a process that had our pid
    const fd = open(temporary, O.WRONLY | O.CREAT | O.EXCL, mode)
    try {
      writeAll(fd, contents, path)
    } finally {
      close(fd)
    }
    syscall('renameat2', AT.FDCWD, temporary, AT.FDCWD, path, 0)
  } catch (error) {
    trySyscall('unlinkat', AT.FDCWD, temporary, 0)
    throw error
  }
}

/** mkdirat(2). @returns false when it was there already */
export function makeDirectory(path: string, mode: number): boolean {
  const result = trySyscall('mkdirat', AT.FDCWD, path, mode)
  if (result === -ERRNO.EEXIST) return false
  if (result < 0) throw new SyscallError('mkdirat', -result, path)
  return true
}

/** mkdir -p. @returns the folders that it made, outermost first */
export function makeDirectories(path: string, mode: number): string[] {
  const made: string[] = []
  const missing: string[] = []
  let current = path
  for (;;) {
    const result = trySyscall('mkdirat', AT.FDCWD, current, mode)
    if (result === 0) made.push(current)
    if (result === 0 || result === -ERRNO.EEXIST) break
    if (result !== -ERRNO.ENOENT || current === '/') throw new SyscallError('mkdirat', -result, current)
    missing.push(current)
    current = current.replace(/\/[^/]+\/*$/, '') || '/'
  }
  for (const directory of missing.reverse()) if (makeDirectory(directory, mode)) made.push(directory)
  return made
}

/** rmdir(2). @returns 0 or -errno */
export function tryRemoveDirectory(path: string): number {
  return trySyscall('unlinkat', AT.FDCWD, path, AT.REMOVEDIR)
}

/** unlink(2). @returns 0 or -errno */
export function tryUnlink(path: string, at: number = AT.FDCWD): number {
  return trySyscall('unlinkat', at, path, 0)
}

export function exists(path: string): boolean {
  return trySyscall('faccessat2', AT.FDCWD, path, 0, 0) === 0
}

/** Is nothing of this name there, as far as anybody can tell? False also for what we may not look at. */
export function isGone(path: string): boolean {
  const result = trySyscall('faccessat2', AT.FDCWD, path, 0, AT.SYMLINK_NOFOLLOW)
  return result === -ERRNO.ENOENT || result === -ERRNO.ENOTDIR || result === -ERRNO.ENAMETOOLONG
}

/** readlinkat(2). @throws SyscallError */
export function readLink(path: string): string {
  const buffer = new Uint8Array(4096)
  const length = syscall('readlinkat', AT.FDCWD, path, buffer, buffer.length)
  return decodeName(buffer.subarray(0, length))
}

/** The same. @returns undefined for what is no link, or isn't there */
export function linkTarget(path: string, at: number): string | undefined {
  const buffer = new Uint8Array(4096)
  const length = trySyscall('readlinkat', at, path, buffer, buffer.length)
  return length < 0 ? undefined : decodeName(buffer.subarray(0, length))
}

/** Where a path leads, all links resolved; the path itself when it leads nowhere. */
export function realPath(path: string): string {
  const fd = tryOpen(path, O.PATH)
  if (fd < 0) return path
  try {
    return readLink(`/proc/self/fd/${fd}`)
  } finally {
    close(fd)
  }
}

export interface DirectoryEntry {
  readonly name: string
  readonly kind: 'directory' | 'other'
}

const DT_DIR = 4

/** Names in a folder without "." and "..", in the kernel's order. @throws SyscallError */
export function listDirectory(path: string): DirectoryEntry[] {
  const fd = open(path, O.RDONLY | O.DIRECTORY)
  const buffer = new Uint8Array(32768)
  const view = new DataView(buffer.buffer)
  const entries: DirectoryEntry[] = []
  try {
    for (;;) {
      const length = syscall('getdents64', fd, buffer, buffer.length)
      if (length === 0) return entries
      // struct linux_dirent64: u64 ino, i64 off, u16 reclen, u8 type, name
      for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
        const name = decodeName(buffer.subarray(at + 19, buffer.indexOf(0, at + 19)))
        if (name !== '.' && name !== '..')
          entries.push({ name, kind: buffer[at + 18] === DT_DIR ? 'directory' : 'other' })
      }
    }
  } finally {
    close(fd)
  }
}

export interface FileStatus {
  /** st_mode: type and permission bits. */
  readonly mode: number
  /** st_nlink: 0 once it is unlinked. */
  readonly links: number
  readonly uid: number
  readonly gid: number
  readonly rdevMajor: number
  readonly rdevMinor: number
  readonly inode: bigint
  readonly size: bigint
  /** mtime, since the epoch. */
  readonly modified: { readonly seconds: bigint; readonly nanoseconds: number }
  readonly deviceMajor: number
  readonly deviceMinor: number
}

/** statx(2) of a path, links followed, or of a descriptor when the path is ''. @returns undefined when it isn't there */
export function status(path: string, at: number = AT.FDCWD): FileStatus | undefined {
  const buffer = new Uint8Array(STATX_SIZE)
  const call: NativeArgument[] = [at, path, path === '' ? AT.EMPTY_PATH : 0, STATX_BASIC_STATS, buffer]
  const result = trySyscall('statx', ...call)
  if (result === -ERRNO.ENOENT || result === -ERRNO.ENOTDIR) return undefined
  if (result < 0) throw new SyscallError('statx', -result, path)
  const view = new DataView(buffer.buffer)
  return {
    mode: view.getUint16(STATX.mode, true),
    links: view.getUint32(STATX.links, true),
    uid: view.getUint32(STATX.uid, true),
    gid: view.getUint32(STATX.gid, true),
    inode: view.getBigUint64(STATX.inode, true),
    size: view.getBigUint64(STATX.size, true),
    modified: { seconds: view.getBigInt64(STATX.mtime, true), nanoseconds: view.getUint32(STATX.mtime + 8, true) },
    rdevMajor: view.getUint32(STATX.rdevMajor, true),
    rdevMinor: view.getUint32(STATX.rdevMinor, true),
    deviceMajor: view.getUint32(STATX.deviceMajor, true),
    deviceMinor: view.getUint32(STATX.deviceMinor, true),
  }
}

/** The mount that a path leads to. statx(2) @returns undefined when there is none */
export function mountIdOf(path: string): bigint | undefined {
  const buffer = new Uint8Array(STATX_SIZE)
  if (trySyscall('statx', AT.FDCWD, path, 0, STATX_MNT_ID, buffer) < 0) return undefined
  return new DataView(buffer.buffer).getBigUint64(STATX.mountId, true)
}

/** The magic number of the file system that a descriptor's file is on. fstatfs(2) */
export function fileSystemType(fd: number): number {
  const buffer = new Uint8Array(120)
  syscall('fstatfs', fd, buffer)
  return new DataView(buffer.buffer).getUint32(0, true)
}
