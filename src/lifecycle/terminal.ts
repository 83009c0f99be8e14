// The caller's terminal and the container's pty, in the foreground: bytes both ways, raw mode, window size.

import { ERRNO } from '../linux/errno.ts'
import { TCGETS, TCSETS, TERMIOS_SIZE, TIOC } from '../linux/ioctls.ts'
import { poll, pollAsync, pollWritable } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { failedWith, SyscallError, trySyscall } from '../native/syscall.ts'

const STDIN = 0
const STDOUT = 1
const CHUNK = 65536
/** c_oflag's place in struct termios. */
const OFLAG = 4
const ONLCR = 0o4

/**
 * Relay until the program has ended and its last output is written, or the caller's terminal is gone: then the container's
 * goes too, which its programs hear of (SIGHUP). The caller's terminal is as before on every way out.
 * @param master the pty's master; closed at the end
 * @param monitor becomes readable when the program has ended
 */
export async function relayTerminal(master: number, monitor: number): Promise<void> {
  const restore = makeRaw(STDIN)
  const resize = (): void => copyWindowSize(STDIN, master)
  process.on('SIGWINCH', resize)
  process.on('exit', restore)
  resize()
  try {
    await relay(master, monitor)
  } catch (error) {
    if (!failedWith(error, 'EIO', 'EPIPE')) throw error
  } finally {
    process.off('SIGWINCH', resize)
    process.off('exit', restore)
    restore()
    close(master)
  }
}

/**
 * A terminal shows what the program's says, byte for byte. A file or a pipe gets the lines that the program wrote, without the
 * carriage returns that only a terminal needs. To be called before the program starts.
 * @param master of the container's pty
 */
export function keepLineFeeds(master: number): void {
  const termios = new Uint8Array(TERMIOS_SIZE)
  if ([STDIN, STDOUT].every(isTerminal) || trySyscall('ioctl', master, TCGETS, termios) < 0) return
  const view = new DataView(termios.buffer)
  view.setUint32(OFLAG, view.getUint32(OFLAG, true) & ~ONLCR, true)
  trySyscall('ioctl', master, TCSETS, termios)
}

function isTerminal(fd: number): boolean {
  return trySyscall('ioctl', fd, TCGETS, new Uint8Array(TERMIOS_SIZE)) === 0
}

async function relay(master: number, monitor: number): Promise<void> {
  const buffer = new Uint8Array(CHUNK)
  let sources = [monitor, master, STDIN]
  while (sources.includes(monitor)) {
    const ready = await pollAsync(sources)
    if (ready.includes(STDIN) && !pump(STDIN, master, buffer)) {
      if (isHungUp(STDIN)) return
      sources = sources.filter((fd) => fd !== STDIN)
    }
    if (ready.includes(master) && !pump(master, STDOUT, buffer)) sources = sources.filter((fd) => fd !== master)
    if (ready.includes(monitor)) break
  }
  // The program has ended; what it wrote last may still be in the pty.
  while (sources.includes(master) && poll([master], 0).length > 0 && pump(master, STDOUT, buffer));
}

/** @returns false at the end of the input: EIO is how a pty says that nobody has it open any more */
function pump(from: number, to: number, buffer: Uint8Array): boolean {
  const length = trySyscall('read', from, buffer, buffer.length)
  if (length === -ERRNO.EAGAIN) return true
  if (length <= 0) return false
  writePatiently(to, buffer.subarray(0, length))
  return true
}

/** Whoever shares the caller's terminal may have made it non-blocking. */
function writePatiently(fd: number, bytes: Uint8Array): void {
  let rest = bytes
  while (rest.length > 0) {
    const count = trySyscall('write', fd, rest, rest.length)
    if (count === -ERRNO.EAGAIN) pollWritable(fd)
    else if (count < 0) throw new SyscallError('write', -count, 'terminal')
    else rest = rest.subarray(count)
  }
}

/** Its window was closed: reading gives an end of file as if it were a pipe's. */
function isHungUp(fd: number): boolean {
  return trySyscall('ioctl', fd, TCGETS, new Uint8Array(TERMIOS_SIZE)) === -ERRNO.EIO
}

/** cfmakeraw(3), when it is a terminal. @returns what restores it */
function makeRaw(fd: number): () => void {
  const before = new Uint8Array(TERMIOS_SIZE)
  if (trySyscall('ioctl', fd, TCGETS, before) < 0) return () => {}
  const raw = before.slice()
  const view = new DataView(raw.buffer)
  const clear = (offset: number, bits: number): void =>
    view.setUint32(offset, view.getUint32(offset, true) & ~bits, true)
  clear(0, 0o2753) // iflag: IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
  clear(OFLAG, 0o1) // OPOST
  clear(12, 0o100113) // lflag: ISIG ICANON ECHO ECHONL IEXTEN
  clear(8, 0o460) // cflag: CSIZE PARENB
  view.setUint32(8, view.getUint32(8, true) | 0o60, true) // CS8
  raw[17 + 6] = 1 // VMIN
  raw[17 + 5] = 0 // VTIME
  trySyscall('ioctl', fd, TCSETS, raw)
  return () => {
    trySyscall('ioctl', fd, TCSETS, before)
  }
}

function copyWindowSize(from: number, to: number): void {
  const size = new Uint8Array(8)
  if (trySyscall('ioctl', from, TIOC.GWINSZ, size) === 0) trySyscall('ioctl', to, TIOC.SWINSZ, size)
}
