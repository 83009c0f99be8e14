// An assembler for eBPF (RFC 9669): the instructions that runt's programs use, a row each. Names are the RFC's.

import { distance, type Label, placeLabels } from './labels.ts'

export interface Instruction {
  readonly opcode: number
  readonly dst: number
  readonly src: number
  readonly offset: number
  readonly imm: number
  /** The label that a jump goes to; offset then follows from it. */
  readonly to?: string
}

/** r0 is the result, r1 the context at entry, r10 the frame. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10

// Opcode = class | source | operation (RFC 9669, 3 and 4); for loads class | size | mode.
const CLASS = { LDX: 0x01, JMP: 0x05, JMP32: 0x06, ALU64: 0x07 } as const
const SOURCE = { K: 0x00, X: 0x08 } as const
const ALU = { AND: 0x50, RSH: 0x70, MOV: 0xb0 } as const
const JUMP = { JA: 0x00, JSET: 0x40, JNE: 0x50, EXIT: 0x90 } as const
const SIZE_W = 0x00
const MODE_MEM = 0x60

function row(opcode: number, fields: Partial<Instruction> = {}): Instruction {
  return { opcode, dst: 0, src: 0, offset: 0, imm: 0, ...fields }
}

/** dst = *(u32 *)(src + offset) */
export const ldxw = (dst: Register, src: Register, offset: number): Instruction =>
  row(CLASS.LDX | MODE_MEM | SIZE_W, { dst, src, offset })

/** dst = src */
export const mov = (dst: Register, src: Register): Instruction => row(CLASS.ALU64 | SOURCE.X | ALU.MOV, { dst, src })

/** dst = imm, sign-extended */
export const movImm = (dst: Register, imm: number): Instruction => row(CLASS.ALU64 | SOURCE.K | ALU.MOV, { dst, imm })

/** dst &= imm, sign-extended */
export const andImm = (dst: Register, imm: number): Instruction => row(CLASS.ALU64 | SOURCE.K | ALU.AND, { dst, imm })

/** dst >>= imm, zeros come in */
export const rshImm = (dst: Register, imm: number): Instruction => row(CLASS.ALU64 | SOURCE.K | ALU.RSH, { dst, imm })

/** goto to */
export const ja = (to: string): Instruction => row(CLASS.JMP | JUMP.JA, { to })

/** if the low 32 bits of dst != imm, goto to */
export const jneImm = (dst: Register, imm: number, to: string): Instruction =>
  row(CLASS.JMP32 | SOURCE.K | JUMP.JNE, { dst, imm, to })

/** if the low 32 bits of dst & imm, goto to */
export const jsetImm = (dst: Register, imm: number, to: string): Instruction =>
  row(CLASS.JMP32 | SOURCE.K | JUMP.JSET, { dst, imm, to })

/** return r0 */
export const exit = (): Instruction => row(CLASS.JMP | JUMP.EXIT)

export const INSTRUCTION_SIZE = 8
const MAX_OFFSET = 0x7fff

/**
 * Bytes as bpf(2) takes them on a little-endian machine.
 * @throws RangeError for a label that is missing or stands twice, and for a jump over more than 32767 instructions
 */
export function assemble(items: readonly (Instruction | Label)[]): Uint8Array {
  const { instructions, places } = placeLabels<Instruction>(items)
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_SIZE)
  const view = new DataView(bytes.buffer)
  for (const [index, { opcode, dst, src, offset, imm, to }] of instructions.entries()) {
    const jump = to === undefined ? offset : distance(places, to, index)
    if (jump > MAX_OFFSET || jump < -MAX_OFFSET - 1) throw new RangeError(`label ${to} is too far away`)
    const at = index * INSTRUCTION_SIZE
    view.setUint8(at, opcode)
    view.setUint8(at + 1, (src << 4) | dst)
    view.setInt16(at + 2, jump, true)
    view.setInt32(at + 4, imm, true)
  }
  return bytes
}
