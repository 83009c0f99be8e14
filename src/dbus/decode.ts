// Bytes → values, little-endian. Whatever the bytes are, they are read within their bounds: a RangeError else.

import { alignmentOf, membersOf, typesIn } from './signature.ts'
import type { Value } from './value.ts'

/** Arrays and variants may nest; deeper than this nobody means it. D-Bus Specification, Valid Signatures */
const DEEPEST = 64

const decoder = new TextDecoder('utf-8', { fatal: true })

/** @throws RangeError when the bytes end before the signature does, or hold what can't be */
export function decodeValues(signature: string, bytes: Uint8Array): Value[] {
  const reader = new Reader(bytes)
  return typesIn(signature).map((type) => reader.take(type))
}

export class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  #depth = 0
  /** Of each structure that was met: an array can hold a great many of them. */
  readonly #members = new Map<string, string[]>()

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get position(): number {
    return this.#at
  }

  align(boundary: number): void {
    this.#at = Math.ceil(this.#at / boundary) * boundary
  }

  take(type: string): Value {
    if (++this.#depth > DEEPEST) throw new RangeError('D-Bus message: nested too deeply')
    this.align(alignmentOf(type))
    const value = this.#takeAligned(type)
    this.#depth--
    return value
  }

  #takeAligned(type: string): Value {
    switch (type.charAt(0)) {
      case 'y':
        return this.#view.getUint8(this.#skip(1))
      case 'b':
        return this.#view.getUint32(this.#skip(4), true) !== 0
      case 'n':
        return this.#view.getInt16(this.#skip(2), true)
      case 'q':
        return this.#view.getUint16(this.#skip(2), true)
      case 'i':
        return this.#view.getInt32(this.#skip(4), true)
      case 'u':
      case 'h':
        return this.#view.getUint32(this.#skip(4), true)
      case 'x':
        return this.#view.getBigInt64(this.#skip(8), true)
      case 't':
        return this.#view.getBigUint64(this.#skip(8), true)
      case 'd':
        return this.#view.getFloat64(this.#skip(8), true)
      case 's':
      case 'o':
        return this.#takeText(this.#view.getUint32(this.#skip(4), true))
      case 'g':
        return this.#takeText(this.#view.getUint8(this.#skip(1)))
      case 'v':
        return this.#takeVariant()
      case 'a':
        return this.#takeArray(type.slice(1))
      default:
        return this.#membersOf(type).map((member) => this.take(member))
    }
  }

  #membersOf(type: string): string[] {
    const known = this.#members.get(type)
    if (known !== undefined) return known
    const members = membersOf(type)
    this.#members.set(type, members)
    return members
  }

  #takeText(length: number): string {
    const at = this.#skip(length + 1)
    return decoder.decode(this.#bytes.subarray(at, at + length))
  }

  #takeVariant(): Value {
    const signature = this.#takeText(this.#view.getUint8(this.#skip(1)))
    const [type, ...more] = typesIn(signature)
    if (type === undefined || more.length > 0) throw new RangeError('D-Bus message: a variant is of one type')
    return { signature, value: this.take(type) }
  }

  #takeArray(element: string): Value {
    const length = this.#view.getUint32(this.#skip(4), true)
    this.align(alignmentOf(element))
    const start = this.#skip(length)
    const end = this.#at
    if (element === 'y') return this.#bytes.slice(start, end)
    this.#at = start
    const values: Value[] = []
    while (this.#at < end) values.push(this.take(element))
    if (this.#at !== end) throw new RangeError('D-Bus message: an array ends within an element')
    return values
  }

  /** @returns where what is stepped over begins */
  #skip(count: number): number {
    const at = this.#at
    if (at + count > this.#bytes.length) throw new RangeError('D-Bus message: it ends too early')
    this.#at = at + count
    return at
  }
}
