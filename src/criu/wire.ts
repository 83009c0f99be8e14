// Messages as bytes and back, by their tables of fields: protobuf's wire format. The only file that knows @bufbuild/protobuf.

import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { Field, Fields, Message, Scalar } from './messages.ts'

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
  else throw new TypeError(`field ${number}: ${typeof value} where ${type} belongs`)
}

/** Fields that the table doesn't name are passed over. @throws Error for bytes that are no message */
export function decode<F extends Fields>(fields: F, bytes: Uint8Array): Message<F> {
  return read(new BinaryReader(bytes), fields, bytes.length) as Message<F> // read() looks at the table for every value
}

function read(reader: BinaryReader, fields: Fields, end: number): Record<string, unknown> {
  const byNumber = new Map(Object.entries(fields).map(([name, field]) => [field.number, { name, field }]))
  const message: Record<string, unknown> = {}
  while (reader.pos < end) {
    const [number, wireType] = reader.tag()
    const known = byNumber.get(number)
    if (known === undefined || wireType !== wireTypeOf(known.field.type)) {
      reader.skip(wireType, number)
      continue
    }
    const { name, field } = known
    const value = readValue(reader, field.type)
    const before = message[name]
    if (field.repeated && Array.isArray(before)) before.push(value)
    else message[name] = field.repeated ? [value] : value
  }
  return message
}

function wireTypeOf(type: Scalar | Fields): WireType {
  return type === 'string' || typeof type !== 'string' ? WireType.LengthDelimited : WireType.Varint
}

function readValue(reader: BinaryReader, type: Scalar | Fields): unknown {
  if (typeof type !== 'string') {
    const length = reader.uint32()
    return read(reader, type, reader.pos + length)
  }
  return reader[type]()
}
