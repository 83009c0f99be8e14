// The headers of a static executable for a fixed address (elf(5)): two segments and the mark for a stack that can't be
// executed. The file is the headers, constants and code, mapped as one, and the first contents of writable data.

import type { Target } from './target.ts'

/** Address at which the file's first byte is mapped. */
export const IMAGE_BASE = 0x400000

const ELF_HEADER_SIZE = 64
const PROGRAM_HEADER_SIZE = 56
const PROGRAM_HEADERS = 3

/** What comes before the first constant in the file. */
export const HEADERS_SIZE = ELF_HEADER_SIZE + PROGRAM_HEADERS * PROGRAM_HEADER_SIZE

const ET_EXEC = 2
const PT_LOAD = 1
const PT_GNU_STACK = 0x6474e551
const PF_X = 1
const PF_W = 2
const PF_R = 4

export interface Segments {
  readonly entry: number
  /** Length of the read-only segment: headers, constants, code. */
  readonly readOnlySize: number
  /** Contents of the writable segment in the file, right behind the read-only one. */
  readonly writableOffset: number
  readonly initializedSize: number
  /** With bss. */
  readonly writableSize: number
}

/**
 * Address of the writable segment. Its place in a page is that in the file, so that the file needs no padding; being a
 * page farther, it shares none with the code.
 */
export function writableAddress(writableOffset: number, target: Target): number {
  return IMAGE_BASE + writableOffset + target.pageSize
}

/** Write the ELF header and the program headers to the start of the file. */
export function writeHeaders(file: Uint8Array, segments: Segments, target: Target): void {
  const view = new DataView(file.buffer, file.byteOffset, HEADERS_SIZE)
  writeElfHeader(view, segments.entry, target)
  const { readOnlySize, writableOffset, initializedSize, writableSize } = segments
  const alignment = target.pageSize
  writeProgramHeader(view, 0, {
    type: PT_LOAD,
    flags: PF_R | PF_X,
    offset: 0,
    address: IMAGE_BASE,
    fileSize: readOnlySize,
    memorySize: readOnlySize,
    alignment,
  })
  writeProgramHeader(view, 1, {
    type: PT_LOAD,
    flags: PF_R | PF_W,
    offset: writableOffset,
    address: writableAddress(writableOffset, target),
    fileSize: initializedSize,
    memorySize: writableSize,
    alignment,
  })
  writeProgramHeader(view, 2, {
    type: PT_GNU_STACK,
    flags: PF_R | PF_W,
    offset: 0,
    address: 0,
    fileSize: 0,
    memorySize: 0,
    alignment: 16,
  })
}

function writeElfHeader(view: DataView, entry: number, target: Target): void {
  view.setUint32(0, 0x7f454c46) // e_ident: \x7fELF,
  view.setUint32(4, 0x02010100) // 64-bit, little-endian, version 1, System V
  view.setUint16(16, ET_EXEC, true)
  view.setUint16(18, target.machine, true)
  view.setUint32(20, 1, true) // e_version
  view.setUint32(24, entry, true)
  view.setUint32(32, ELF_HEADER_SIZE, true) // e_phoff
  view.setUint16(52, ELF_HEADER_SIZE, true)
  view.setUint16(54, PROGRAM_HEADER_SIZE, true)
  view.setUint16(56, PROGRAM_HEADERS, true)
  view.setUint16(58, 64, true) // e_shentsize; there are no sections
}

interface ProgramHeader {
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly address: number
  readonly fileSize: number
  readonly memorySize: number
  readonly alignment: number
}

// Every 64-bit field here is far below 2^32: the high halves stay 0.
function writeProgramHeader(view: DataView, index: number, header: ProgramHeader): void {
  const at = ELF_HEADER_SIZE + index * PROGRAM_HEADER_SIZE
  view.setUint32(at, header.type, true)
  view.setUint32(at + 4, header.flags, true)
  view.setUint32(at + 8, header.offset, true)
  view.setUint32(at + 16, header.address, true) // p_vaddr
  view.setUint32(at + 24, header.address, true) // p_paddr
  view.setUint32(at + 32, header.fileSize, true)
  view.setUint32(at + 40, header.memorySize, true)
  view.setUint32(at + 48, header.alignment, true)
}
