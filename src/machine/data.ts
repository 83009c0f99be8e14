// Data objects: where each one lies, and its first contents. In: a plan's data and how many value slots it needs. Out:
// a place for each object before any code exists, since read-only data goes before the code, and writable data is
// addressed from the start of its segment.
//
//   read-only segment   headers · constant objects · code
//   writable segment    objects with contents · value slots · zeroed objects       (from the slots on: bss)

import type { Data, DataId, DataPart } from '../plan/step.ts'
import { checkInteger, highHalf, lowHalf } from './integers.ts'
import type { Target } from './target.ts'

const ALIGNMENT = 8
const SLOT = 8

export interface Layout {
  /** By data id: offset in the file for constant objects, in the writable segment for the others. */
  readonly offsets: Int32Array
  /** Where constant objects end in the file. */
  readonly constantsEnd: number
  /** How much of the writable segment has contents in the file. */
  readonly initializedSize: number
  /** The first value slot in the writable segment; the others follow it. */
  readonly slots: number
  readonly writableSize: number
}

/**
 * Give each object of a plan its place, all of them aligned to 8 bytes.
 * @param start offset in the file of the first constant object
 * @throws Error when ids don't count from 0, or an object's parts are larger than its size
 */
export function place(data: readonly Data[], slotCount: number, start: number): Layout {
  const offsets = new Int32Array(data.length)
  const zeroed: Data[] = []
  let constantsEnd = start
  let writableSize = 0
  let id = 0
  for (const object of data) {
    if (object.id !== id) throw new Error(`data object ${id} calls itself ${object.id}`)
    const filled = partsSize(object.parts)
    if (filled > object.size) throw new Error(`${object.text}: ${filled} bytes in an object of ${object.size}`)
    if (!object.writable) {
      offsets[id] = constantsEnd
      constantsEnd += align(object.size)
    } else if (object.parts.every(isZero)) {
      zeroed.push(object)
    } else {
      offsets[id] = writableSize
      writableSize += align(object.size)
    }
    id++
  }
  const initializedSize = writableSize
  writableSize += SLOT * slotCount
  for (const object of zeroed) {
    offsets[object.id] = writableSize
    writableSize += align(object.size)
  }
  return { offsets, constantsEnd, initializedSize, slots: initializedSize, writableSize }
}

/** Round up to the alignment of data objects. */
export function align(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT
}

/** Addresses of the two segments' parts in the finished image. */
export interface Bases {
  /** Address of the file's first byte, as mapped by the read-only segment. */
  readonly file: number
  /** Address of the writable segment. */
  readonly writable: number
  /** Offset in the file of the writable segment's contents. */
  readonly writableOffset: number
}

/**
 * Write all objects that have contents into the file.
 * @throws RangeError for a number that doesn't fit its part, Error for a pointer to an object that isn't there
 */
export function writeData(file: Uint8Array, data: readonly Data[], layout: Layout, bases: Bases, target: Target): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  for (const object of data) {
    const offset = layout.offsets[object.id] ?? 0
    if (object.writable && offset >= layout.initializedSize) continue
    let at = object.writable ? bases.writableOffset + offset : offset
    for (const part of object.parts) {
      if (part instanceof Uint8Array) file.set(part, at)
      else if (part.kind === 'u32') put32(view, at, part.value)
      else if (part.kind === 'pointer') put64(view, at, addressOf(part.to.data, data, layout, bases) + part.to.offset)
      else if (part.kind === 'open-flags') put64(view, at, target.openFlags(part.flags))
      else put64(view, at, part.value)
      at += partSize(part)
    }
  }
}

function addressOf(id: DataId, data: readonly Data[], layout: Layout, bases: Bases): number {
  const object = data[id]
  const offset = layout.offsets[id]
  if (object === undefined || offset === undefined) throw new Error(`pointer to data object ${id}, which isn't there`)
  return (object.writable ? bases.writable : bases.file) + offset
}

function put32(view: DataView, at: number, value: number | bigint): void {
  checkInteger(value, 32)
  view.setUint32(at, lowHalf(value), true)
}

function put64(view: DataView, at: number, value: number | bigint): void {
  checkInteger(value, 64)
  view.setUint32(at, lowHalf(value), true)
  view.setUint32(at + 4, highHalf(value), true)
}

function partsSize(parts: readonly DataPart[]): number {
  let size = 0
  for (const part of parts) size += partSize(part)
  return size
}

function partSize(part: DataPart): number {
  if (part instanceof Uint8Array) return part.length
  return part.kind === 'u32' ? 4 : 8
}

function isZero(part: DataPart): boolean {
  if (part instanceof Uint8Array) return part.every((byte) => byte === 0)
  if (part.kind === 'pointer') return false
  return part.kind === 'open-flags' ? part.flags === 0 : Number(part.value) === 0
}
