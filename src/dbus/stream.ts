// A socket with a time limit for everything: bytes out, lines and counted bytes in.

import { setTimeout as sleep } from 'node:timers/promises'
import { ERRNO } from '../linux/errno.ts'
import { O } from '../linux/open-flags.ts'
import { pollAsync, pollWritable, tryConnectUnix } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { SyscallError, trySyscall } from '../native/syscall.ts'
import { BusUnreachable } from './errors.ts'

const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const ROOM = 1 << 16
/** Of the handshake, with its end. Nobody says more in one. */
const LONGEST_LINE = 1 << 14
/** Milliseconds between two attempts to connect to a socket whose queue is full. */
const PAUSE = 20

export class Stream implements Disposable {
  readonly #fd: number
  readonly #about: string
  #pending = new Uint8Array(0)

  private constructor(fd: number, about: string) {
    this.#fd = fd
    this.#about = about
  }

  /**
   * @param path of a Unix socket
   * @param deadline of performance.now()
   * @throws BusUnreachable
   */
  static async connect(path: string, deadline: number): Promise<Stream> {
    const about = path.replace('\0', '@')
    for (;;) {
      const fd = tryConnectUnix(path, O.NONBLOCK)
      if (fd >= 0) return new Stream(fd, about)
      // The queue of connections that it is yet to accept is full.
      if (fd !== -ERRNO.EAGAIN) throw new BusUnreachable(new SyscallError('connect', -fd, about).message)
      if (performance.now() > deadline) throw new BusUnreachable(`${about} accepts no connection`)
      await sleep(PAUSE)
    }
  }

  [Symbol.dispose](): void {
    close(this.#fd)
  }

  /** @throws BusUnreachable */
  send(bytes: Uint8Array, deadline: number): void {
    let rest = bytes
    while (rest.length > 0) {
      const left = this.#left(deadline)
      const sent = trySyscall('sendto', this.#fd, rest, rest.length, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0)
      if (sent >= 0) rest = rest.slice(sent)
      else if (sent === -ERRNO.EAGAIN) pollWritable(this.#fd, left)
      else throw new BusUnreachable(new SyscallError('sendto', -sent, this.#about).message)
    }
  }

  /** Up to \r\n, without it. @throws BusUnreachable */
  async line(deadline: number): Promise<string> {
    for (;;) {
      const end = this.#pending.indexOf(LINE_FEED)
      if (end >= 0) return new TextDecoder().decode(this.#take(end + 1)).trimEnd()
      if (this.#pending.length > LONGEST_LINE) throw new BusUnreachable(`${this.#about} sends a line without an end`)
      await this.#receive(deadline)
    }
  }

  /** The next bytes, not yet taken. @throws BusUnreachable */
  async peek(count: number, deadline: number): Promise<Uint8Array> {
    while (this.#pending.length < count) await this.#receive(deadline)
    return this.#pending.subarray(0, count)
  }

  /** @throws BusUnreachable */
  async take(count: number, deadline: number): Promise<Uint8Array> {
    await this.peek(count, deadline)
    return this.#take(count)
  }

  #take(count: number): Uint8Array {
    const taken = this.#pending.slice(0, count)
    this.#pending = this.#pending.slice(count)
    return taken
  }

  /** The deadline counts whether or not something is there: who sends on and on gets no further than who is silent. */
  async #receive(deadline: number): Promise<void> {
    const left = this.#left(deadline)
    const buffer = new Uint8Array(ROOM)
    const length = trySyscall('recvfrom', this.#fd, buffer, ROOM, MSG_DONTWAIT, 0, 0)
    if (length === -ERRNO.EAGAIN) {
      await pollAsync([this.#fd], left)
      return
    }
    if (length < 0) throw new BusUnreachable(new SyscallError('recvfrom', -length, this.#about).message)
    if (length === 0) throw new BusUnreachable(`${this.#about} closed the connection`)
    const joined = new Uint8Array(this.#pending.length + length)
    joined.set(this.#pending)
    joined.set(buffer.subarray(0, length), this.#pending.length)
    this.#pending = joined
  }

  /** Milliseconds to the deadline. @throws BusUnreachable when it is over */
  #left(deadline: number): number {
    const left = deadline - performance.now()
    if (left <= 0) throw new BusUnreachable(`${this.#about} does not answer`)
    return left
  }
}

const LINE_FEED = 10
