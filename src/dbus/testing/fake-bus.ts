// A bus for tests: a socket that speaks the protocol's server side, and answers calls as a test tells it.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { decodeMessage, encodeMessage, MESSAGE_TYPE, type Message, messageLength } from '../message.ts'
import type { Value } from '../value.ts'

/** What a call gets: values, an error, signals around it, or silence. */
export interface Answer {
  readonly signature?: string
  readonly body?: readonly Value[]
  readonly error?: readonly [name: string, text: string]
  /** Sent before the answer. */
  readonly before?: readonly Message[]
  /** Sent behind it. */
  readonly after?: readonly Message[]
  readonly silent?: true
}

export type Answering = (call: Message) => Answer

export interface FakeBus extends AsyncDisposable {
  readonly socket: string
  /** Every call but Hello and AddMatch, in order. */
  readonly calls: readonly Message[]
}

export interface FakeBusOptions {
  /** Lines of the handshake, for each that comes; the usual ones by default. */
  readonly handshake?: Readonly<Record<string, string>>
  /** Sent byte by byte, to see that nothing depends on how it arrives. */
  readonly dribble?: boolean
}

const HANDSHAKE = { 'AUTH EXTERNAL': 'DATA', DATA: 'OK 0123456789abcdef0123456789abcdef' }

export async function fakeBus(answering: Answering, options: FakeBusOptions = {}): Promise<FakeBus> {
  const calls: Message[] = []
  const server = await listening((peer) => {
    serve(peer, options, (call) => {
      const known = brokerAnswer(call)
      if (known === undefined) calls.push(call)
      return known ?? answering(call)
    })
  })
  return { ...server, calls }
}

export interface Listening extends AsyncDisposable {
  readonly socket: string
}

/** A socket at which each peer is served so. */
export async function listening(serve: (peer: Socket) => void): Promise<Listening> {
  const folder = mkdtempSync(`${tmpdir()}/runt-bus-`)
  const socket = `${folder}/bus`
  const sockets = new Set<Socket>()
  const server = createServer((peer) => {
    sockets.add(peer)
    peer.on('error', () => {}) // the client may go at any time
    serve(peer)
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return {
    socket,
    async [Symbol.asyncDispose]() {
      for (const peer of sockets) peer.destroy()
      await closed(server)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

function brokerAnswer({ destination, member }: Message): Answer | undefined {
  if (destination !== 'org.freedesktop.DBus') return undefined
  return member === 'Hello' ? { signature: 's', body: [':1.7'] } : {}
}

/** The handshake line by line, then messages. */
function serve(peer: Socket, { handshake = HANDSHAKE, dribble = false }: FakeBusOptions, answering: Answering): void {
  let pending = Buffer.alloc(0)
  let begun = false
  let serial = 0
  const send = (bytes: Uint8Array): void => {
    if (dribble) for (const byte of bytes) peer.write(Uint8Array.of(byte))
    else peer.write(bytes)
  }
  const answer = (call: Message): void => {
    const { silent, before = [], after = [], error, signature = '', body = [] } = answering(call)
    for (const signal of before) send(encodeMessage(signal))
    if (silent) return
    const common = { serial: ++serial, replySerial: call.serial }
    send(
      encodeMessage(
        error === undefined
          ? { type: MESSAGE_TYPE.reply, ...common, signature, body }
          : { type: MESSAGE_TYPE.error, ...common, errorName: error[0], signature: 's', body: [error[1]] },
      ),
    )
    for (const signal of after) send(encodeMessage(signal))
  }
  peer.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    for (;;) {
      if (begun) {
        const length = messageLength(pending)
        if (length === undefined || pending.length < length) return
        answer(decodeMessage(pending.subarray(0, length)))
        pending = pending.subarray(length)
        continue
      }
      const end = pending.indexOf('\r\n')
      if (end < 0) return
      const line = pending.subarray(0, end).toString().replace('\0', '')
      pending = pending.subarray(end + 2)
      begun = line === 'BEGIN'
      if (!begun) send(Buffer.from(`${handshake[line] ?? 'ERROR'}\r\n`))
    }
  })
}

/** A signal as a manager would send it. */
export function signal(
  path: string,
  owner: string,
  member: string,
  signature: string,
  body: readonly Value[],
): Message {
  return { type: MESSAGE_TYPE.signal, serial: 1, path, interface: owner, member, signature, body }
}
