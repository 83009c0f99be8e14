// Messages as bytes and back, by their tables of fields: protobuf's wire format. The only file that knows @bufbuild/protobuf.

import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { Field, Fields, Message, Scalar } from './fields.ts'

/** @throws TypeError when a value isn't of its field's type */
export function encode<F extends Fields>(fields: F, message: Message<F>): Uint8Array {
  const writer = new BinaryWriter()
  write(writer, fields, message)
  return writer.finish()
}

function write(writer: BinaryWriter, fields: Fields, message: Readonly<Record<string, unknown>>): void {
  for (const [name, field] of Object.entries(fields)) {
    const value = message[name]
    const values = field.repeated && Array.isArray(value) ? value : value === undefined ? [] : [value]
    for (const each of values) writeValue(writer, field, each)
  }
}

function writeValue(writer: BinaryWriter, { number, type }: Field, value: unknown): void {
  if (typeof type !== 'string') {
    writer.tag(number, WireType.LengthDelimited).fork()
    write(writer, type, value as Readonly<Record<string, unknown>>) // Message<F> says that a field of fields holds one
    writer.join()
  } else if (type === 'string' && typeof value === 'string') {
    writer.tag(number, WireType.LengthDelimited).string(value)
  } else if (type === 'bool' && typeof value === 'boolean') writer.tag(number, WireType.Varint).bool(value)
  else if (type === 'int32' && typeof value === 'number') writer.tag(number, WireType.Varint).int32(value)
  else if (type === 'uint32' && typeof value === 'number') writer.tag(number, WireType.Varint).uint32(value)
  else if (type === 'uint64' && typeof value === 'bigint') writer.tag(number, WireType.Varint).uint64(value)
  else if (type === 'bytes' && value instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(value)
  else throw new TypeError(`field ${number}: ${typeof value} where ${type} belongs`)
}

/**
 * Fields that the table doesn't name are passed over. What another reader might take otherwise is no message: a field of another
 * type than the table has, and a second value where there is one.
 * @throws Error for bytes that are no message
 */
export function decode<F extends Fields>(fields: F, bytes: Uint8Array): Message<F> {
  return read(new BinaryReader(bytes), fields, bytes.length) as Message<F> // read() looks at the table for every value
}

function read(reader: BinaryReader, fields: Fields, end: number): Record<string, unknown> {
  const byNumber = new Map(Object.entries(fields).map(([name, field]) => [field.number, { name, field }]))
  const message: Record<string, unknown> = {}
  while (reader.pos < end) {
    const [number, wireType] = reader.tag()
    const known = byNumber.get(number)
    if (known === undefined) {
      reader.skip(wireType, number)
      continue
    }
    const { name, field } = known
    const values = readValues(reader, field, wireType, end)
    const before = message[name]
    if (!field.repeated && before !== undefined) throw new TypeError(`field ${number} comes twice`)
    if (!field.repeated) message[name] = values[0]
    else if (Array.isArray(before)) for (const value of values) before.push(value)
    else message[name] = values
  }
  if (reader.pos !== end) throw new RangeError('a message that goes beyond its end')
  return message
}

function wireTypeOf(type: Scalar | Fields): WireType {
  const delimited = typeof type !== 'string' || type === 'string' || type === 'bytes'
  return delimited ? WireType.LengthDelimited : WireType.Varint
}

/** @param end of the message that the field is in */
function readValues(reader: BinaryReader, { number, type, repeated }: Field, found: WireType, end: number): unknown[] {
  const wireType = wireTypeOf(type)
  if (found === wireType) return [readValue(reader, type, end)]
  if (!repeated || wireType !== WireType.Varint || found !== WireType.LengthDelimited) {
    throw new TypeError(`field ${number}: wire type ${found} where ${wireType} belongs`)
  }
  // Numbers, one behind the other.
  const until = endOf(reader, end)
  const values: unknown[] = []
  while (reader.pos < until) values.push(readValue(reader, type, until))
  if (reader.pos !== until) throw new RangeError('numbers that go beyond their end')
  return values
}

function readValue(reader: BinaryReader, type: Scalar | Fields, end: number): unknown {
  if (typeof type !== 'string') return read(reader, type, endOf(reader, end))
  return type === 'uint64' ? BigInt(reader.uint64()) : reader[type]()
}

function endOf(reader: BinaryReader, outer: number): number {
  const length = reader.uint32()
  if (reader.pos + length > outer) throw new RangeError('a message that goes beyond its end')
  return reader.pos + length
}
