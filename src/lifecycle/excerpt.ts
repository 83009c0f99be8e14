// Of a long text the beginning and the end, however long it gets.

/** Bytes of each. */
const FIRST = 4096
const LAST = 4096

export class Excerpt {
  #length = 0
  readonly #first = new Uint8Array(FIRST)
  #last = new Uint8Array(0)

  add(bytes: Uint8Array): void {
    if (this.#length < FIRST) this.#first.set(bytes.subarray(0, FIRST - this.#length), this.#length)
    const beyond = bytes.subarray(Math.max(0, FIRST - this.#length))
    this.#length += bytes.length
    if (beyond.length === 0) return
    this.#last = join(this.#last, beyond.subarray(-LAST)).slice(-LAST)
  }

  /** All of it, or both ends and how much was left out between them. */
  text(): string {
    const decoder = new TextDecoder()
    const first = this.#first.subarray(0, Math.min(this.#length, FIRST))
    const left = this.#length - first.length - this.#last.length
    if (left === 0) return decoder.decode(join(first, this.#last))
    // A character that was cut is left out.
    const [before, after] = [decoder.decode(first, { stream: true }), this.#last.subarray(startOf(this.#last))]
    return `${before}… (${left} bytes) …${new TextDecoder().decode(after)}`
  }
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}

/** Where a character of UTF-8 begins. */
function startOf(bytes: Uint8Array): number {
  const start = bytes.subarray(0, 4).findIndex((byte) => (byte & 0xc0) !== 0x80)
  return Math.max(0, start)
}
