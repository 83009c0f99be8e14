// A connection to a message bus: calls with their answers, and signals. Everything has a deadline and a size.
//
// No package: those that npm has for D-Bus speak through node:net and callbacks, bring XML parsers and event streams along
// (4 MB), and have no time limits. What is needed here is what systemd's manager understands; it fits in this room.

import { BusError, BusUnreachable } from './errors.ts'
import {
  decodeMessage,
  encodeMessage,
  FIXED_SIZE,
  MESSAGE_TYPE,
  type Message,
  messageLength,
  typeOf,
} from './message.ts'
import { Stream } from './stream.ts'
import type { Value } from './value.ts'

export interface Call {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  /** One type for each of the body's values. */
  readonly signature?: string
  readonly body?: readonly Value[]
  /** The signature of the answer, where it matters. */
  readonly answer?: string
}

const DBUS = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' }

/** Bytes of signals that are kept while an answer is due. */
const MOST_KEPT = 1 << 24

export class Bus implements Disposable {
  readonly #stream: Stream
  readonly #broker: boolean
  #serial = 0
  /** Signals that came while the last answer was due, not yet decoded. */
  #signals: Uint8Array[] = []

  private constructor(stream: Stream, broker: boolean) {
    this.#stream = stream
    this.#broker = broker
  }

  /**
   * @param socket path of a Unix socket
   * @param broker is there a broker behind it, or the peer itself, which has no names?
   * @param deadline here and below: of performance.now(), for all that is said until the promise is kept
   * @throws BusUnreachable, BusError
   */
  static async connect(socket: string, broker: boolean, deadline: number): Promise<Bus> {
    const stream = await Stream.connect(socket, deadline)
    try {
      await authenticate(stream, deadline)
      const bus = new Bus(stream, broker)
      if (broker) await bus.call({ ...DBUS, member: 'Hello' }, deadline)
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
   * @throws BusError when the peer refuses, BusUnreachable when no answer comes in time, or not the kind of one
   */
  async call(
    { destination, signature = '', body = [], answer, ...rest }: Call,
    deadline: number,
  ): Promise<readonly Value[]> {
    const serial = ++this.#serial
    const to = this.#broker ? { destination } : {}
    this.#stream.send(encodeMessage({ type: MESSAGE_TYPE.call, serial, ...to, ...rest, signature, body }), deadline)
    this.#signals = []
    for (let kept = 0; kept <= MOST_KEPT; ) {
      const bytes = await this.#next(deadline)
      if (typeOf(bytes) === MESSAGE_TYPE.signal) {
        this.#signals.push(bytes)
        kept += bytes.length
        continue
      }
      const message = decoded(bytes)
      if (message.replySerial !== serial) continue
      if (message.type === MESSAGE_TYPE.error) throw errorOf(message)
      if (message.type !== MESSAGE_TYPE.reply) continue
      if (answer === undefined || message.signature === answer) return message.body
      throw new BusUnreachable(
        `the bus answers ${rest.member} with ${JSON.stringify(message.signature)}, not "${answer}"`,
      )
    }
    throw new BusUnreachable('the bus sends signals instead of an answer')
  }

  /** Ask the broker for signals. @param rule D-Bus Specification, Match Rules */
  async subscribe(rule: string, deadline: number): Promise<void> {
    if (this.#broker) await this.call({ ...DBUS, member: 'AddMatch', signature: 's', body: [rule] }, deadline)
  }

  /**
   * The first signal, of those that have come since the last call and those to come, that is wanted; others are dropped.
   * @throws BusUnreachable when none comes in time
   */
  async signal(isWanted: (signal: Message) => boolean, deadline: number): Promise<Message> {
    for (;;) {
      const bytes = this.#signals.shift() ?? (await this.#next(deadline))
      if (typeOf(bytes) !== MESSAGE_TYPE.signal) continue
      const message = decoded(bytes)
      if (isWanted(message)) return message
    }
  }

  /** The next message, whole. */
  async #next(deadline: number): Promise<Uint8Array> {
    const beginning = await this.#stream.peek(FIXED_SIZE, deadline)
    return this.#stream.take(understood(() => messageLength(beginning)) ?? 0, deadline)
  }
}

function decoded(bytes: Uint8Array): Message {
  return understood(() => decodeMessage(bytes))
}

/** @throws BusUnreachable for bytes that are no message */
function understood<Result>(read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error
    throw new BusUnreachable(`the bus does not speak D-Bus: ${error.message}`, { cause: error })
  }
}

/** How much of what a peer says gets into an error. */
const LONGEST_WORDS = 1000

function errorOf({ errorName = '', body: [text] }: Message): BusError {
  return new BusError(errorName, typeof text === 'string' ? text.slice(0, LONGEST_WORDS) : '')
}

/**
 * Who we are, the kernel tells the other side; we claim no uid, since in a user namespace ours isn't the one that it sees.
 * All of it goes at once, as from systemd's own clients: behind a BEGIN that comes alone, systemd may overlook a call that is
 * there already. D-Bus Specification, Authentication Protocol
 */
async function authenticate(stream: Stream, deadline: number): Promise<void> {
  stream.send(new TextEncoder().encode('\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n'), deadline)
  const challenge = await stream.line(deadline)
  const answer = challenge === 'DATA' || challenge.startsWith('DATA ') ? await stream.line(deadline) : challenge
  if (!answer.startsWith('OK ')) {
    throw new BusUnreachable(`the bus does not let us in: ${answer.slice(0, LONGEST_WORDS)}`)
  }
}
