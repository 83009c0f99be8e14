// The other end of the container's connection: asks all the time, and knows how long it had no answer.

import type { Connection } from '../network-namespace.ts'
import { PATIENCE, waitUntil } from '../patience.ts'

const EVERY_MS = 20 * PATIENCE

export class Peer implements Disposable {
  readonly #connection: Connection
  readonly #timer: NodeJS.Timeout
  #sent = 0
  #answered = 0
  #rest = ''
  #last = performance.now()
  #longest = 0
  #complaint: string | undefined

  constructor(connection: Connection) {
    this.#connection = connection
    connection.listener = (text) => this.#hear(text)
    this.#timer = setInterval(() => connection.send(`${++this.#sent}`), EVERY_MS)
  }

  /** The longest time between two answers, in milliseconds. */
  get longestSilence(): number {
    return this.#longest
  }

  /** Wait until all is answered that was sent by now, each line once and in its order. */
  async isAnswered(): Promise<void> {
    const sent = this.#sent + 1
    await waitUntil(
      () => this.#answered >= sent || this.#complaint !== undefined,
      () => `the connection has answers to ${this.#answered} lines of ${this.#sent}`,
    )
    if (this.#complaint !== undefined) throw new Error(this.#complaint)
  }

  #hear(text: string): void {
    const now = performance.now()
    if (this.#answered > 0) this.#longest = Math.max(this.#longest, now - this.#last)
    this.#last = now
    const lines = `${this.#rest}${text}`.split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const expected = `got ${this.#answered + 1}.`
      if (line !== expected) this.#complaint ??= `the connection says "${line}" instead of "${expected}"`
      this.#answered++
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#connection[Symbol.dispose]()
  }
}
