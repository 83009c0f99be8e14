// The other end of --console-socket: takes the pty's master from the runtime and talks to the container through it.

import { closeSync, constants, readSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pollAsync, receiveDescriptor } from '../src/native/descriptors.ts'
import { callNative, type NativeArgument } from '../src/native/ffi.ts'
import { PATIENCE } from './patience.ts'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const F_SETFL = 4
const ADDRESS_SIZE = 110
const PATIENCE_MS = 5000 * PATIENCE
const BACKLOG = 1

export interface ConsoleSocket extends Disposable {
  readonly path: string
  /** What the runtime has sent; it has when create is back. */
  accept(): { readonly terminal: Terminal; readonly payload: string }
  /** The same for any descriptor (--pidfd-socket); the caller closes it. */
  acceptDescriptor(): { readonly descriptor: number; readonly payload: string }
  /** The same while the runtime is still at it. */
  untilAccepted(): Promise<{ readonly descriptor: number; readonly payload: string }>
}

export function listenForConsole(path: string): ConsoleSocket {
  const socket = call('socket', AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
  const address = new Uint8Array(ADDRESS_SIZE)
  address[0] = AF_UNIX
  const bytes = new TextEncoder().encode(path)
  if (bytes.length > ADDRESS_SIZE - 3) throw new Error(`${path} is too long for a socket`)
  address.set(bytes, 2)
  call('bind', socket, address, ADDRESS_SIZE)
  call('listen', socket, BACKLOG)
  const acceptDescriptor = (): { descriptor: number; payload: string } => {
    const connection = call('accept4', socket, 0, 0, SOCK_CLOEXEC)
    try {
      const { bytes, descriptor } = receiveDescriptor(connection, 4096, 0)
      if (descriptor === undefined) throw new Error('no descriptor came with the message')
      return { descriptor, payload: new TextDecoder().decode(bytes) }
    } finally {
      closeSync(connection)
    }
  }
  const untilAccepted = async (): Promise<ReturnType<typeof acceptDescriptor>> => {
    const [ready] = await pollAsync([socket], PATIENCE_MS)
    if (ready === undefined) throw new Error(`nobody connects to ${path}`)
    return acceptDescriptor()
  }
  return {
    path,
    acceptDescriptor,
    untilAccepted,
    accept() {
      const { descriptor, payload } = acceptDescriptor()
      return { terminal: new Terminal(descriptor), payload }
    },
    [Symbol.dispose]: () => closeSync(socket),
  }
}

function call(name: string, ...args: NativeArgument[]): number {
  const { value, errnoCode } = callNative(name, ...args)
  const result = Number(BigInt.asIntN(32, value))
  if (result < 0) throw new Error(`${name}: errno ${errnoCode}`)
  return result
}

export class Terminal {
  readonly #master: number
  #text = ''

  constructor(master: number) {
    this.#master = master
    call('fcntl', master, F_SETFL, constants.O_NONBLOCK)
  }

  write(text: string): void {
    writeSync(this.#master, text)
  }

  /** All that came until a pattern is in it. */
  async until(pattern: RegExp): Promise<string> {
    const deadline = Date.now() + PATIENCE_MS
    while (!pattern.test(this.#text)) {
      if (Date.now() > deadline) throw new Error(`no ${pattern} in ${JSON.stringify(this.#text)}`)
      if (!this.#read()) await sleep(5)
    }
    return this.#text
  }

  /** @returns whether there was something to read */
  #read(): boolean {
    const buffer = Buffer.alloc(4096)
    try {
      const length = readSync(this.#master, buffer)
      this.#text += buffer.toString('utf8', 0, length)
      return length > 0
    } catch {
      return false // nothing yet, or (EIO) nobody has the other end open
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#master)
  }
}
