// Descriptors between processes: socket pairs, SCM_RIGHTS, sealed memory, polling.

import { ERRNO } from '../linux/errno.ts'
import { F } from '../linux/fcntl.ts'
import { F_ADD_SEALS, MFD, SEALS } from '../linux/memfd.ts'
import { encodeName } from '../linux/names.ts'
import { O } from '../linux/open-flags.ts'
import { POLLIN } from '../linux/poll.ts'
import { close, open } from './file.ts'
import { Arena } from './memory.ts'
import { SyscallError, syscall, syscallAsync, trySyscall } from './syscall.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET = 5
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
export const MSG_CMSG_CLOEXEC = 0x40000000
const MSG_NOSIGNAL = 0x4000

/** socketpair(2) of datagrams in order, close-on-exec. */
export function socketPair(): [ours: number, theirs: number] {
  const pair = new Uint8Array(8)
  syscall('socketpair', AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)
  const view = new DataView(pair.buffer)
  return [view.getInt32(0, true), view.getInt32(4, true)]
}

/** pipe2(2), close-on-exec. */
export function pipe(): [read: number, write: number] {
  const ends = new Uint8Array(8)
  syscall('pipe2', ends, O.CLOEXEC)
  const view = new DataView(ends.buffer)
  return [view.getInt32(0, true), view.getInt32(4, true)]
}

const SO_RCVTIMEO = 20

/** From here on a receive that waits longer fails with EAGAIN. socket(7) @param milliseconds below 1000 */
export function setReceiveTimeout(socket: number, milliseconds: number): void {
  const time = new BigInt64Array([0n, BigInt(milliseconds * 1000)])
  syscall('setsockopt', socket, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(time.buffer), 16)
}

/** struct msghdr with one iovec and room for one descriptor. */
function messageHeader(arena: Arena, payload: bigint, length: number, control: bigint): bigint {
  const iovec = new BigUint64Array([payload, BigInt(length)])
  const iovecAddress = arena.place(new Uint8Array(iovec.buffer))
  const header = new BigUint64Array([0n, 0n, iovecAddress, 1n, control, CONTROL_SIZE, 0n])
  return arena.place(new Uint8Array(header.buffer))
}

const CONTROL_SIZE = 24n // CMSG_SPACE(sizeof(int))
const CONTROL_LENGTH = 20n // CMSG_LEN(sizeof(int))

/** recvmsg(2): bytes, and a descriptor when one came. */
export function receiveDescriptor(
  socket: number,
  size: number,
  flags: number,
): { readonly bytes: Uint8Array; readonly descriptor: number | undefined } {
  using arena = new Arena(size + 4096)
  const payload = arena.reserve(size)
  const control = arena.reserve(Number(CONTROL_SIZE))
  const header = messageHeader(arena, payload, size, control)
  const length = trySyscall('recvmsg', socket, header, flags)
  if (length === -ERRNO.ECONNRESET) return { bytes: new Uint8Array(0), descriptor: undefined }
  if (length < 0) throw new SyscallError('recvmsg', -length, '')
  const view = new DataView(arena.read(control, Number(CONTROL_SIZE)).buffer)
  const came = view.getBigUint64(0, true) === CONTROL_LENGTH && view.getUint32(12, true) === SCM_RIGHTS
  return { bytes: arena.read(payload, length), descriptor: came ? view.getInt32(16, true) : undefined }
}

/** sendmsg(2) of a text with one descriptor, which goes with the first byte. */
export function sendDescriptor(socket: number, text: string, descriptor: number): void {
  const bytes = encodeName(text)
  using arena = new Arena(bytes.length + 4096)
  const payload = arena.place(bytes)
  const control = new Uint8Array(Number(CONTROL_SIZE))
  const view = new DataView(control.buffer)
  view.setBigUint64(0, CONTROL_LENGTH, true)
  view.setUint32(8, SOL_SOCKET, true)
  view.setUint32(12, SCM_RIGHTS, true)
  view.setInt32(16, descriptor, true)
  const header = messageHeader(arena, payload, bytes.length, arena.place(control))
  let sent = syscall('sendmsg', socket, header, MSG_NOSIGNAL)
  while (sent < bytes.length) {
    const rest = bytes.subarray(sent)
    sent += syscall('sendto', socket, rest, rest.length, MSG_NOSIGNAL, 0, 0)
  }
}

/**
 * Connect to a Unix stream socket. A peer that doesn't accept, and whose queue is full, is not waited for: EAGAIN.
 * @param path shorter than sun_path, or /proc/self/fd/N of an O_PATH descriptor; an abstract name begins with NUL. unix(7)
 */
export function connectUnix(path: string): number {
  const result = tryConnectUnix(path, O.NONBLOCK)
  if (result < 0) throw new SyscallError('connect', -result, path)
  syscall('fcntl', result, F.SETFL, 0)
  return result
}

/** Connect to a Unix datagram socket. */
export function connectDatagram(path: string): number {
  const result = tryConnectUnix(path, 0, SOCK_DGRAM)
  if (result < 0) throw new SyscallError('connect', -result, path)
  return result
}

/** @param flags of socket(2): O.NONBLOCK, not to wait for a peer that doesn't accept @returns a descriptor, or -errno */
export function tryConnectUnix(path: string, flags: number, kind = SOCK_STREAM): number {
  const socket = syscall('socket', AF_UNIX, kind | SOCK_CLOEXEC | flags, 0)
  const name = encodeName(path.startsWith('\0') ? path : `${path}\0`)
  const address = new Uint8Array(2 + name.length)
  address[0] = AF_UNIX
  address.set(name, 2)
  const result = trySyscall('connect', socket, address, address.length)
  if (result === 0) return socket
  trySyscall('close', socket)
  return result
}

/**
 * Send a text with one descriptor to whoever listens at a path, which may be longer than sun_path. unix(7)
 * @throws SyscallError
 */
export function sendDescriptorTo(path: string, text: string, descriptor: number): void {
  const place = open(path, O.PATH)
  try {
    const socket = connectUnix(`/proc/self/fd/${place}`)
    try {
      sendDescriptor(socket, text, descriptor)
    } finally {
      close(socket)
    }
  } finally {
    close(place)
  }
}

/** A file in memory. @param name for people, in /proc/PID/maps */
export function memoryFile(name: string, bytes: Uint8Array): number {
  const fd = syscall('memfd_create', name, MFD.CLOEXEC)
  writeWhole(fd, bytes)
  syscall('lseek', fd, 0, 0)
  return fd
}

/** An executable file in memory that nobody can change any more (CVE-2019-5736). memfd_create(2), fcntl(2) */
export function sealedExecutable(name: string, bytes: Uint8Array): number {
  let fd = trySyscall('memfd_create', name, MFD.CLOEXEC | MFD.ALLOW_SEALING | MFD.EXEC)
  // Kernels before 6.3 don't know MFD_EXEC; theirs are executable as they are.
  if (fd === -ERRNO.EINVAL) fd = syscall('memfd_create', name, MFD.CLOEXEC | MFD.ALLOW_SEALING)
  if (fd < 0) throw new SyscallError('memfd_create', -fd, name)
  writeWhole(fd, bytes)
  syscall('fcntl', fd, F_ADD_SEALS, SEALS)
  return fd
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  let rest = bytes
  while (rest.length > 0) rest = rest.subarray(syscall('write', fd, rest, rest.length))
}

const POLLOUT = 0x4

/** A struct pollfd array, and a timespec for it. */
function pollArguments(
  descriptors: readonly number[],
  timeout: number | undefined,
  events = POLLIN,
): [Uint8Array, Uint8Array | bigint] {
  const fds = new Uint8Array(8 * descriptors.length)
  const view = new DataView(fds.buffer)
  for (const [index, fd] of descriptors.entries()) {
    view.setInt32(8 * index, fd, true)
    view.setInt16(8 * index + 4, events, true)
  }
  if (timeout === undefined) return [fds, 0n]
  const nanoseconds = BigInt(Math.round(timeout * 1000)) * 1000n
  const time = new BigInt64Array([nanoseconds / 1000000000n, nanoseconds % 1000000000n])
  return [fds, new Uint8Array(time.buffer)]
}

function readyOf(fds: Uint8Array, descriptors: readonly number[]): number[] {
  const view = new DataView(fds.buffer)
  return descriptors.filter((_, index) => view.getInt16(8 * index + 6, true) !== 0)
}

/**
 * Wait until one of the descriptors can be read or is hung up.
 * @param timeout milliseconds; undefined: for ever
 * @returns those that can; none after the timeout
 */
export function poll(descriptors: readonly number[], timeout?: number): number[] {
  const [fds, time] = pollArguments(descriptors, timeout)
  syscall('ppoll', fds, descriptors.length, time, 0, 0)
  return readyOf(fds, descriptors)
}

/** The same on another thread: JavaScript's signal listeners run meanwhile. */
export async function pollAsync(descriptors: readonly number[], timeout?: number): Promise<number[]> {
  const [fds, time] = pollArguments(descriptors, timeout)
  await syscallAsync('ppoll', fds, descriptors.length, time, 0, 0)
  return readyOf(fds, descriptors)
}

/** Wait until a descriptor takes bytes, or never will. @param timeout milliseconds; undefined: for ever */
export function pollWritable(fd: number, timeout?: number): void {
  const [fds, time] = pollArguments([fd], timeout, POLLOUT)
  syscall('ppoll', fds, 1, time, 0, 0)
}
