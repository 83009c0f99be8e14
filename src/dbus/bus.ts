// A connection to a message bus: calls with their answers, and signals. Everything has a time limit.
//
// No package: those that npm has for D-Bus speak through node:net and callbacks, bring XML parsers and event streams along
// (4 MB), and have no time limits. What is needed here is what systemd's manager understands; it fits in this room.

import { BusError, BusUnreachable } from './errors.ts'
import { decodeMessage, encodeMessage, FIXED_SIZE, MESSAGE_TYPE, type Message, messageLength } from './message.ts'
import { Stream } from './stream.ts'
import type { Value } from './value.ts'

export interface BusOptions {
  /** Is there a broker behind the socket, or the peer itself, which has no names? */
  readonly broker: boolean
  /** For each call, in milliseconds. */
  readonly patience: number
}

export interface Call {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  /** One type for each of the body's values. */
  readonly signature?: string
  readonly body?: readonly Value[]
}

const DBUS = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' }

export class Bus implements Disposable {
  readonly #stream: Stream
  readonly #options: BusOptions
  #serial = 0
  /** Signals that came while an answer was due. */
  readonly #signals: Message[] = []

  private constructor(stream: Stream, options: BusOptions) {
    this.#stream = stream
    this.#options = options
  }

  /**
   * @param socket path of a Unix socket
   * @throws BusUnreachable, BusError
   */
  static async connect(socket: string, options: BusOptions): Promise<Bus> {
    const deadline = performance.now() + options.patience
    const stream = await Stream.connect(socket, deadline)
    try {
      await authenticate(stream, deadline)
      const bus = new Bus(stream, options)
      if (options.broker) await bus.call({ ...DBUS, member: 'Hello' })
      return bus
    } catch (error) {
      stream[Symbol.dispose]()
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]()
  }

  /**
   * @returns the answer's values
   * @throws BusError when the peer refuses, BusUnreachable when none comes in time
   */
  async call({ destination, signature = '', body = [], ...rest }: Call): Promise<readonly Value[]> {
    const deadline = performance.now() + this.#options.patience
    const serial = ++this.#serial
    const to = this.#options.broker ? { destination } : {}
    this.#send({ type: MESSAGE_TYPE.call, serial, ...to, ...rest, signature, body }, deadline)
    for (;;) {
      const message = await this.#next(deadline)
      if (message.type === MESSAGE_TYPE.signal) this.#signals.push(message)
      if (message.replySerial !== serial) continue
      if (message.type === MESSAGE_TYPE.reply) return message.body
      if (message.type === MESSAGE_TYPE.error) throw errorOf(message)
    }
  }

  /** Ask the broker for signals. @param rule D-Bus Specification, Match Rules */
  async subscribe(rule: string): Promise<void> {
    if (this.#options.broker) await this.call({ ...DBUS, member: 'AddMatch', signature: 's', body: [rule] })
  }

  /**
   * The first signal, of those that have come and those to come, that is wanted; others are dropped.
   * @param patience milliseconds
   * @throws BusUnreachable when none comes in time
   */
  async signal(isWanted: (signal: Message) => boolean, patience: number): Promise<Message> {
    const deadline = performance.now() + patience
    for (;;) {
      const message = this.#signals.shift() ?? (await this.#next(deadline))
      if (message.type === MESSAGE_TYPE.signal && isWanted(message)) return message
    }
  }

  #send(message: Message, deadline: number): void {
    this.#stream.send(encodeMessage(message), deadline)
  }

  async #next(deadline: number): Promise<Message> {
    try {
      const length = messageLength(await this.#stream.peek(FIXED_SIZE, deadline)) ?? 0
      return decodeMessage(await this.#stream.take(length, deadline))
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error
      throw new BusUnreachable(`the bus does not speak D-Bus: ${error.message}`, { cause: error })
    }
  }
}

function errorOf({ errorName = '', body: [text] }: Message): BusError {
  return new BusError(errorName, typeof text === 'string' ? text : '')
}

/**
 * Who we are, the kernel tells the other side; we claim no uid, since in a user namespace ours isn't the one that it sees.
 * D-Bus Specification, Authentication Protocol
 */
async function authenticate(stream: Stream, deadline: number): Promise<void> {
  const ask = async (line: string): Promise<string> => {
    stream.send(new TextEncoder().encode(`${line}\r\n`), deadline)
    return stream.line(deadline)
  }
  let answer = await ask('\0AUTH EXTERNAL')
  if (answer === 'DATA' || answer.startsWith('DATA ')) answer = await ask('DATA')
  if (!answer.startsWith('OK ')) throw new BusUnreachable(`the bus does not let us in: ${answer}`)
  stream.send(new TextEncoder().encode('BEGIN\r\n'), deadline)
}
