// Instruction forms of arm64, as in the Arm Architecture Reference Manual, section C6.2. A row's name is the mnemonic
// and its operands; the conformance tests read the assembler's text from the name, so a new row is tested by being here.
// x and w are registers, hw a shift by 16-bit halfwords, mN a base register and an offset that is a multiple of N bits,
// bitmask the 13 bits N:immr:imms that logicalImmediate() finds.

import type { Assembler, LabelId, Patch } from '../assembler.ts'
import { XZR } from './registers.ts'

/** How each condition is encoded in B.cond. */
export const CONDITIONS = {
  eq: 0,
  ne: 1,
  atLeast: 2,
  below: 3,
  positive: 5,
  above: 8,
  atMost: 9,
  notLess: 10,
  less: 11,
  greater: 12,
  notGreater: 13,
} as const

export const arm64 = {
  movz_x_imm16_hw: moveWide(0xd2800000), // MOVZ Xd, #imm16, LSL #shift
  movk_x_imm16_hw: moveWide(0xf2800000), // MOVK Xd, #imm16, LSL #shift
  movn_x_imm16_hw: moveWide(0x92800000), // MOVN Xd, #imm16, LSL #shift
  movn_w_imm16_hw: moveWide(0x12800000), // MOVN Wd, #imm16, LSL #shift
  orr_x_x_bitmask: logical(0xb2000000), // ORR (immediate) Xd, Xn, #imm
  and_x_x_bitmask: logical(0x92000000), // AND (immediate) Xd, Xn, #imm
  and_x_x_x: threeRegisters(0x8a000000), // AND (shifted register) Xd, Xn, Xm
  add_x_x_x: threeRegisters(0x8b000000), // ADD (shifted register) Xd, Xn, Xm
  sub_x_x_x: threeRegisters(0xcb000000), // SUB (shifted register) Xd, Xn, Xm
  orr_x_x_x: threeRegisters(0xaa000000), // ORR (shifted register) Xd, Xn, Xm
  mul_x_x_x: threeRegisters(0x9b007c00), // MUL Xd, Xn, Xm: MADD Xd, Xn, Xm, XZR
  udiv_x_x_x: threeRegisters(0x9ac00800), // UDIV Xd, Xn, Xm
  lsl_x_x_x: threeRegisters(0x9ac02000), // LSL (register) Xd, Xn, Xm: LSLV
  lsr_x_x_x: threeRegisters(0x9ac02400), // LSR (register) Xd, Xn, Xm: LSRV
  mov_x_sp: registerOnly(0x910003e0), // MOV (to/from SP) Xd, SP: ADD Xd, SP, #0
  add_x_x_imm12: addImmediate(0x91000000), // ADD (immediate) Xd, Xn, #imm
  add_x_x_imm12_lsl12: addImmediate(0x91400000), // ADD (immediate) Xd, Xn, #imm, LSL #12
  subs_w_w_imm12: addImmediate(0x71000000), // SUBS (immediate) Wd, Wn, #imm
  neg_x_x: moveRegister(0xcb0003e0), // NEG (shifted register) Xd, Xm: SUB Xd, XZR, Xm
  mov_x_x: moveRegister(0xaa0003e0), // MOV (register) Xd, Xm: ORR Xd, XZR, Xm
  cmp_x_imm12: compareImmediate(0xf1000000), // CMP (immediate) Xn, #imm: SUBS XZR, Xn, #imm
  cmn_x_imm12: compareImmediate(0xb1000000), // CMN (immediate) Xn, #imm: ADDS XZR, Xn, #imm
  cmp_x_x: compareRegisters(0xeb000000), // CMP (shifted register) Xn, Xm: SUBS XZR, Xn, Xm
  ldr_x_m64: memory(0xf9400000, 3), // LDR (immediate) Xt, [Xn, #pimm]
  ldr_w_m32: memory(0xb9400000, 2), // LDR (immediate) Wt, [Xn, #pimm]
  ldrh_w_m16: memory(0x79400000, 1), // LDRH (immediate) Wt, [Xn, #pimm]
  ldrb_w_m8: memory(0x39400000, 0), // LDRB (immediate) Wt, [Xn, #pimm]
  str_x_m64: memory(0xf9000000, 3), // STR (immediate) Xt, [Xn, #pimm]
  str_w_m32: memory(0xb9000000, 2), // STR (immediate) Wt, [Xn, #pimm]
  strh_w_m16: memory(0x79000000, 1), // STRH (immediate) Wt, [Xn, #pimm]
  strb_w_m8: memory(0x39000000, 0), // STRB (immediate) Wt, [Xn, #pimm]
  adr_x_label: addressOfLabel(0x10000000), // ADR Xd, label
  adr_x_distance: addressAt(0x10000000), // ADR Xd, . + distance
  b_label: branch(0x14000000), // B label
  bl_label: branch(0x94000000), // BL label
  ret_x: branchRegister(0xd65f0000), // RET Xn
  bcc_label: branchIf(0x54000000), // B.cond label
  mrs_x_cntvct_el0: registerOnly(0xd53be040), // MRS Xt, CNTVCT_EL0
  svc_imm16: exception(0xd4000001), // SVC #imm
  brk_imm16: exception(0xd4200000), // BRK #imm
} as const

function put(asm: Assembler, word: number): void {
  asm.view.setUint32(asm.length, word, true)
  asm.length += 4
}

function moveWide(opcode: number) {
  return (asm: Assembler, d: number, immediate: number, halfword: number): void =>
    put(asm, opcode | (halfword << 21) | (immediate << 5) | d)
}

function logical(opcode: number) {
  return (asm: Assembler, d: number, n: number, bitmask: number): void =>
    put(asm, opcode | (bitmask << 10) | (n << 5) | d)
}

function threeRegisters(opcode: number) {
  return (asm: Assembler, d: number, n: number, m: number): void => put(asm, opcode | (m << 16) | (n << 5) | d)
}

function addImmediate(opcode: number) {
  return (asm: Assembler, d: number, n: number, immediate: number): void =>
    put(asm, opcode | (immediate << 10) | (n << 5) | d)
}

/** The first operand is XZR, in the opcode. */
function moveRegister(opcode: number) {
  return (asm: Assembler, d: number, m: number): void => put(asm, opcode | (m << 16) | d)
}

function compareImmediate(opcode: number) {
  return (asm: Assembler, n: number, immediate: number): void => put(asm, opcode | (immediate << 10) | (n << 5) | XZR)
}

function compareRegisters(opcode: number) {
  return (asm: Assembler, n: number, m: number): void => put(asm, opcode | (m << 16) | (n << 5) | XZR)
}

/** Unsigned offset of 12 bits, in units of the operand's size. */
function memory(opcode: number, scale: number) {
  return (asm: Assembler, t: number, n: number, offset: number): void =>
    put(asm, opcode | ((offset >> scale) << 10) | (n << 5) | t)
}

function addressOfLabel(opcode: number) {
  return (asm: Assembler, d: number, label: LabelId): void => leave(asm, label, patchAddress, opcode | d)
}

function addressAt(opcode: number) {
  return (asm: Assembler, d: number, distance: number): void => put(asm, opcode | addressBits(distance) | d)
}

function branch(opcode: number) {
  return (asm: Assembler, label: LabelId): void => leave(asm, label, patchBranch26, opcode)
}

function branchRegister(opcode: number) {
  return (asm: Assembler, n: number): void => put(asm, opcode | (n << 5))
}

function branchIf(opcode: number) {
  return (asm: Assembler, condition: number, label: LabelId): void =>
    leave(asm, label, patchBranch19, opcode | condition)
}

function registerOnly(opcode: number) {
  return (asm: Assembler, t: number): void => put(asm, opcode | t)
}

function exception(opcode: number) {
  return (asm: Assembler, immediate: number): void => put(asm, opcode | (immediate << 5))
}

function leave(asm: Assembler, label: LabelId, patch: Patch, word: number): void {
  asm.view.setUint32(asm.length, word, true)
  asm.field(label, 4, patch)
}

function patchBranch26(view: DataView, at: number, distance: number): void {
  if (!reaches(distance, 28)) throw new RangeError(`a branch can't reach ${distance} bytes`)
  orInto(view, at, (distance >> 2) & 0x3ffffff)
}

function patchBranch19(view: DataView, at: number, distance: number): void {
  if (!reaches(distance, 21)) throw new RangeError(`a conditional branch can't reach ${distance} bytes`)
  orInto(view, at, ((distance >> 2) & 0x7ffff) << 5)
}

function patchAddress(view: DataView, at: number, distance: number): void {
  if (!reaches(distance, 21)) throw new RangeError(`adr can't reach ${distance} bytes`)
  orInto(view, at, addressBits(distance))
}

function addressBits(distance: number): number {
  return ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5)
}

function orInto(view: DataView, at: number, bits: number): void {
  view.setUint32(at, view.getUint32(at, true) | bits, true)
}

/** Whether a distance fits into a signed number of that many bits. */
export function reaches(distance: number, bits: number): boolean {
  const limit = 2 ** (bits - 1)
  return distance >= -limit && distance < limit
}

/**
 * The 13 bits N:immr:imms of a logical immediate: an element of 2 to 64 bits, repeated, that is a rotated run of ones
 * (DecodeBitMasks in the manual, backwards).
 * @returns undefined when the number isn't one
 */
export function logicalImmediate(low: number, high: number): number | undefined {
  if ((low | 0) !== (high | 0)) {
    const edges = [low ^ ((low >>> 1) | (high << 31)), high ^ ((high >>> 1) | (low << 31))] as const
    if (ones(edges[0]) + ones(edges[1]) !== 2) return undefined
    const start = runStart(low, edges[0], high, edges[1])
    return (1 << 12) | (((64 - start) & 63) << 6) | (ones(low) + ones(high) - 1)
  }
  let size = 32
  while (size > 2 && repeats(low, size >> 1)) size >>= 1
  const mask = 0xffffffff >>> (32 - size)
  const element = low & mask
  const edges = (element ^ ((element >>> 1) | (element << (size - 1)))) & mask
  if (ones(edges) !== 2) return undefined
  const start = runStart(element, edges, 0, 0) % size
  return (((size - start) & (size - 1)) << 6) | (~(2 * size - 1) & 0x3f) | (ones(element) - 1)
}

/** Where the run of ones begins: bit n of `edges` is set when bits n and n + 1 differ. */
function runStart(low: number, lowEdges: number, high: number, highEdges: number): number {
  const risesLow = lowEdges & ~low
  return risesLow !== 0 ? 32 - Math.clz32(risesLow) : 64 - Math.clz32(highEdges & ~high)
}

function repeats(word: number, size: number): boolean {
  return (word | 0) === ((word << size) | (word >>> (32 - size)))
}

function ones(word: number): number {
  let count = 0
  for (let rest = word; rest !== 0; rest &= rest - 1) count++
  return count
}
