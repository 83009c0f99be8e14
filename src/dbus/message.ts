// Messages: a header of fields and a body. D-Bus Specification, Message Protocol

import { decodeValues, Reader } from './decode.ts'
import { encodeValues, Writer } from './encode.ts'
import { isVariant, type Value, variant } from './value.ts'

export const MESSAGE_TYPE = { call: 1, reply: 2, error: 3, signal: 4 } as const

export interface Message {
  /** One of MESSAGE_TYPE; others are to be ignored. */
  readonly type: number
  /** Chosen by the sender, not 0. */
  readonly serial: number
  readonly path?: string
  readonly interface?: string
  readonly member?: string
  readonly errorName?: string
  readonly replySerial?: number
  readonly destination?: string
  readonly sender?: string
  readonly signature: string
  readonly body: readonly Value[]
}

const LITTLE_ENDIAN = 'l'.charCodeAt(0)
const VERSION = 1
/** Bytes in front of the fields: among them the lengths of both parts. */
export const FIXED_SIZE = 16
/** D-Bus allows 128 MiB; nothing that is asked for here comes near this. What it is decoded to takes some fifty times as much. */
const LARGEST = 1 << 20

/** Field → its number and type. */
const FIELDS = {
  path: [1, 'o'],
  interface: [2, 's'],
  member: [3, 's'],
  errorName: [4, 's'],
  replySerial: [5, 'u'],
  destination: [6, 's'],
  sender: [7, 's'],
  signature: [8, 'g'],
} as const

const FIELD_NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[] // its own keys

export function encodeMessage(message: Message): Uint8Array {
  const body = encodeValues(message.signature, message.body)
  const fields = FIELD_NAMES.flatMap((name): Value[] => {
    const value = message[name]
    const [number, type] = FIELDS[name]
    return value === undefined || value === '' ? [] : [[number, variant(type, value)]]
  })
  const writer = new Writer()
  writer.put('(yyyyuua(yv))', [LITTLE_ENDIAN, message.type, 0, VERSION, body.length, message.serial, fields])
  writer.align(8)
  const header = writer.bytes()
  const bytes = new Uint8Array(header.length + body.length)
  bytes.set(header)
  bytes.set(body, header.length)
  return bytes
}

/**
 * How long the message is that begins so.
 * @returns undefined while there are less than FIXED_SIZE bytes
 * @throws RangeError for what is no message of this machine
 */
export function messageLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < FIXED_SIZE) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, FIXED_SIZE)
  if (view.getUint8(0) !== LITTLE_ENDIAN || view.getUint8(3) !== VERSION) throw new RangeError('no D-Bus message')
  const length = Math.ceil((FIXED_SIZE + view.getUint32(12, true)) / 8) * 8 + view.getUint32(4, true)
  if (length > LARGEST) throw new RangeError(`D-Bus message of ${length} bytes`)
  return length
}

/** One of MESSAGE_TYPE. @param bytes a whole message, or what it begins with */
export function typeOf(bytes: Uint8Array): number | undefined {
  return bytes[1]
}

/** @param bytes a whole message @throws RangeError */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new Reader(bytes)
  const [, type, , , bodyLength, serial, fields] = reader.take('(yyyyuua(yv))') as Value[] // a structure is an array
  reader.align(8)
  const found: Record<string, Value> = {}
  for (const field of fields as readonly (readonly Value[])[]) {
    const [number, value] = field
    const name = FIELD_NAMES.find((each) => FIELDS[each][0] === number)
    if (name === undefined || value === undefined || !isVariant(value)) continue // fields that come to be known later
    if (value.signature !== FIELDS[name][1]) throw new RangeError(`D-Bus message: field ${name} is ${value.signature}`)
    found[name] = value.value
  }
  const signature = (found.signature as string | undefined) ?? ''
  const start = reader.position
  return {
    ...found,
    type: type as number,
    serial: serial as number,
    signature,
    body: decodeValues(signature, bytes.subarray(start, start + (bodyLength as number))),
  }
}
