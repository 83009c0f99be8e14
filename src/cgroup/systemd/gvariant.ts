// Values in GVariant text: what annotations for systemd are written in. GVariant Specification, Text Format; as much of it as
// units have use for: strings, numbers, booleans, and arrays of them. Pure.

import { encodeValues } from '../../dbus/encode.ts'
import type { Value } from '../../dbus/value.ts'

/** Words for number types in front of a number. */
const NUMBER_TYPES: Readonly<Record<string, string>> = {
  ...{ byte: 'y', int16: 'n', uint16: 'q', int32: 'i', uint32: 'u', int64: 'x', uint64: 't', double: 'd' },
}

/** A number is of no type as long as no word says which. */
interface Parsed {
  readonly type: 's' | 'b' | 'number' | string
  readonly value: Value
}

/**
 * @param text uint64 5000000, 'inactive-or-failed', true, ['a.service', 'b.service'], @as []
 * @param signature what the value has to be
 * @throws RangeError for what is no GVariant text, or of another type, or a number beyond it
 */
export function parseGVariant(text: string, signature: string): Value {
  const reader = new TextReader(text)
  const value = reader.value(signature)
  reader.end()
  encodeValues(signature, [value])
  return value
}

class TextReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  end(): void {
    this.#blanks()
    if (this.#at < this.#text.length) throw this.#wrong('the end')
  }

  value(signature: string): Value {
    this.#blanks()
    const annotated = this.#match(/@([a-z()]+)\s*/y)
    if (annotated !== undefined && annotated[1] !== signature) throw this.#wrong(`@${signature}`)
    if (signature.startsWith('a')) return this.#array(signature.slice(1))
    const { type, value } = this.#single()
    if (type === signature) return value
    if (type === 'number' && Object.values(NUMBER_TYPES).includes(signature)) return value
    throw new RangeError(`${JSON.stringify(this.#text)} is not of type ${signature}`)
  }

  #array(element: string): Value[] {
    if (this.#match(/\[\s*/y) === undefined) throw this.#wrong('[')
    const values: Value[] = []
    if (this.#match(/\]/y) !== undefined) return values
    for (;;) {
      values.push(this.value(element))
      if (this.#match(/\s*\]/y) !== undefined) return values
      if (this.#match(/\s*,/y) === undefined) throw this.#wrong(', or ]')
    }
  }

  #single(): Parsed {
    const quoted = this.#match(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/y)
    if (quoted !== undefined) return { type: 's', value: unescapeText(quoted[1] ?? quoted[2] ?? '') }
    const truth = this.#match(/(true|false)\b/y)
    if (truth !== undefined) return { type: 'b', value: truth[1] === 'true' }
    const number = this.#match(/(?:([a-z]+\d*)\s+)?([+-]?(?:0x[\da-f]+|\d+)(?:\.\d+)?)\b/iy)
    const [, word, digits = ''] = number ?? []
    if (number === undefined || (word !== undefined && NUMBER_TYPES[word] === undefined)) throw this.#wrong('a value')
    const type = word === undefined ? 'number' : (NUMBER_TYPES[word] ?? 'number')
    return { type, value: digits.includes('.') ? Number(digits) : integerOf(digits) }
  }

  #blanks(): void {
    this.#match(/\s*/y)
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) return undefined
    this.#at = pattern.lastIndex
    return found
  }

  #wrong(expected: string): RangeError {
    return new RangeError(`${JSON.stringify(this.#text)} is no GVariant text: ${expected} is missing at ${this.#at}`)
  }
}

function integerOf(digits: string): bigint {
  const negative = digits.startsWith('-')
  const magnitude = BigInt(digits.replace(/^[+-]/, ''))
  return negative ? -magnitude : magnitude
}

const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

function unescapeText(text: string): string {
  return text.replace(/\\(?:u([\dA-Fa-f]{4})|U([\dA-Fa-f]{8})|(.))/gs, (_, short, long, one) =>
    one === undefined ? String.fromCodePoint(Number.parseInt(short ?? long, 16)) : (ESCAPES[one] ?? one),
  )
}
