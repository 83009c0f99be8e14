// Values → bytes, little-endian. D-Bus Specification, Marshaling. What doesn't fit its type is a mistake of ours: a RangeError.

import { alignmentOf, membersOf, typesIn } from './signature.ts'
import { isVariant, type Value } from './value.ts'

const encoder = new TextEncoder()

/** @param signature one type for each value */
export function encodeValues(signature: string, values: readonly Value[]): Uint8Array {
  const types = typesIn(signature)
  if (types.length !== values.length) throw new RangeError(`${values.length} values for ${JSON.stringify(signature)}`)
  const writer = new Writer()
  for (const [index, type] of types.entries()) writer.put(type, values[index] as Value) // as many as types
  return writer.bytes()
}

export class Writer {
  #buffer = new Uint8Array(256)
  #view = new DataView(this.#buffer.buffer)
  #length = 0

  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length)
  }

  /** Zeros up to a boundary. */
  align(boundary: number): void {
    this.#reserve(Math.ceil(this.#length / boundary) * boundary - this.#length)
  }

  put(type: string, value: Value): void {
    this.align(alignmentOf(type))
    const code = type.charAt(0)
    if (code === 'a') this.#putArray(type.slice(1), value)
    else if (code === '(' || code === '{') this.#putMembers(type, value)
    else if (code === 'v') this.#putVariant(value)
    else if (typeof value === 'string') this.#putText(code, value)
    else this.#putNumber(code, value)
  }

  #putArray(element: string, value: Value): void {
    const lengthAt = this.#reserve(4)
    this.align(alignmentOf(element))
    const start = this.#length
    if (value instanceof Uint8Array && element === 'y') this.#putBytes(value)
    else if (Array.isArray(value)) for (const each of value) this.put(element, each)
    else throw mismatch(`a${element}`, value)
    this.#view.setUint32(lengthAt, this.#length - start, true)
  }

  #putMembers(type: string, value: Value): void {
    const members = membersOf(type)
    if (!Array.isArray(value) || value.length !== members.length) throw mismatch(type, value)
    for (const [index, member] of members.entries()) this.put(member, value[index])
  }

  #putVariant(value: Value): void {
    if (!isVariant(value)) throw mismatch('v', value)
    this.#putText('g', value.signature)
    this.put(value.signature, value.value)
  }

  /** Length, text, and a NUL that doesn't count. */
  #putText(code: string, text: string): void {
    const bytes = encoder.encode(text)
    if (bytes.includes(0)) throw mismatch(code, text)
    if (code === 'g') this.#putNumber('y', bytes.length)
    else if (code === 's' || code === 'o') this.#putNumber('u', bytes.length)
    else throw mismatch(code, text)
    this.#putBytes(bytes)
    this.#reserve(1)
  }

  #putBytes(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length) // first: it may bring another buffer
    this.#buffer.set(bytes, at)
  }

  #putNumber(code: string, value: Value): void {
    const number = code === 'b' && typeof value === 'boolean' ? Number(value) : value
    const type = NUMBERS[code]
    if (type === undefined) throw mismatch(code, value)
    const at = this.#reserve(type.size)
    if (typeof number !== 'number' && typeof number !== 'bigint') throw mismatch(code, value)
    if (code !== 'd' && !isWithin(number, type)) throw mismatch(code, value)
    type.set(this.#view, at, number)
  }

  /** @returns where the room begins */
  #reserve(count: number): number {
    const at = this.#length
    this.#length += count
    if (this.#length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length))
      larger.set(this.#buffer)
      this.#buffer = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }
}

interface NumberType {
  readonly size: number
  readonly least: bigint
  readonly most: bigint
  readonly set: (view: DataView, at: number, value: number | bigint) => void
}

function unsigned(size: number, set: NumberType['set'], most = (1n << BigInt(8 * size)) - 1n): NumberType {
  return { size, least: 0n, most, set }
}

function signed(size: number, set: NumberType['set']): NumberType {
  const half = 1n << BigInt(8 * size - 1)
  return { size, least: -half, most: half - 1n, set }
}

const NUMBERS: Readonly<Record<string, NumberType>> = {
  y: unsigned(1, (view, at, value) => view.setUint8(at, Number(value))),
  b: unsigned(4, (view, at, value) => view.setUint32(at, Number(value), true), 1n),
  n: signed(2, (view, at, value) => view.setInt16(at, Number(value), true)),
  q: unsigned(2, (view, at, value) => view.setUint16(at, Number(value), true)),
  i: signed(4, (view, at, value) => view.setInt32(at, Number(value), true)),
  u: unsigned(4, (view, at, value) => view.setUint32(at, Number(value), true)),
  x: signed(8, (view, at, value) => view.setBigInt64(at, BigInt(value), true)),
  t: unsigned(8, (view, at, value) => view.setBigUint64(at, BigInt(value), true)),
  d: { size: 8, least: 0n, most: 0n, set: (view, at, value) => view.setFloat64(at, Number(value), true) },
}

function isWithin(value: number | bigint, { least, most }: NumberType): boolean {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return false
  return value >= least && value <= most
}

function mismatch(type: string, value: Value): RangeError {
  return new RangeError(`${String(value)} is no D-Bus ${type}`)
}
