// Protocol Buffers, as much as the Kubernetes API of containerd needs (https://protobuf.dev/programming-guides/encoding/).

/** A message: the number of each field and, where the field is a message itself, its description. */
export interface Message {
  readonly [field: string]: number | readonly [number, Message]
}

export type Value = string | number | boolean | { readonly [field: string]: Value | undefined } | readonly Value[]

/** An entry of a map is a message, too. */
export const ENTRY: Message = { key: 1, value: 2 }

const VARINT = 0
const FIXED_64 = 1
const BYTES = 2
const FIXED_32 = 5

/** @throws Error for a field that the message doesn't have */
export function encode(message: Message, fields: { readonly [field: string]: Value | undefined }): Buffer {
  return Buffer.concat(Object.entries(fields).map(([name, value]) => encodeField(message, name, value)))
}

function encodeField(message: Message, name: string, value: Value | undefined): Buffer {
  if (value === undefined) return Buffer.alloc(0)
  if (isList(value)) return Buffer.concat(value.map((each) => encodeField(message, name, each)))
  const described = message[name]
  if (described === undefined) throw new Error(`no field is called ${name}`)
  const [number, inner] = typeof described === 'number' ? [described, undefined] : described
  if (typeof value === 'object') return delimited(number, encode(inner ?? {}, value))
  if (typeof value === 'string') return delimited(number, Buffer.from(value))
  return Buffer.concat([varint(tag(number, VARINT)), varint(Number(value))])
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

function delimited(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(tag(number, BYTES)), varint(bytes.length), bytes])
}

function tag(number: number, type: number): number {
  return number * 8 + type
}

/** @param value not negative */
function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = BigInt(value); ; rest >>= 7n) {
    const low = Number(rest & 0x7fn)
    if (rest < 0x80n) return Buffer.from([...bytes, low])
    bytes.push(low | 0x80)
  }
}

export type Decoded = { readonly [field: string]: string | number | Decoded }

/** What is known of a message; bytes are taken for text, and of a repeated field the last one counts. */
export function decode(message: Message, bytes: Buffer): Decoded {
  const fields: Record<string, string | number | Decoded> = {}
  const reader = new Reader(bytes)
  while (!reader.atEnd) {
    const key = reader.varint()
    const [number, value] = [key >> 3, reader.value(key & 7)]
    const known = Object.entries(message).find(([, each]) => (typeof each === 'number' ? each : each[0]) === number)
    if (known === undefined) continue
    const [name, described] = known
    const inner = typeof described === 'number' ? undefined : described[1]
    fields[name] = typeof value === 'number' ? value : inner === undefined ? value.toString() : decode(inner, value)
  }
  return fields
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  varint(): number {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes.readUInt8(this.#at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return Number(BigInt.asIntN(64, value))
    }
  }

  value(type: number): number | Buffer {
    if (type === VARINT) return this.varint()
    if (type === BYTES) return this.#take(this.varint())
    if (type === FIXED_64) return Number(this.#take(8).readBigInt64LE())
    if (type === FIXED_32) return this.#take(4).readInt32LE()
    throw new Error(`wire type ${type}`)
  }

  #take(length: number): Buffer {
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
