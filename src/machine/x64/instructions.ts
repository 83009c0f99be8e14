// Instruction forms of x86-64, as in Intel's Software Developer's Manual, volume 2. A row's name is the mnemonic and
// its operands; the conformance tests read the assembler's text from the name, so a new row is tested by being here.
// Memory operands are a base register and a displacement; 64-bit immediates two 32-bit halves, the low one first.

import type { Assembler, LabelId } from '../assembler.ts'

const REX = 0x40
/** REX.W: operands of 64 bits. */
const W = 8
/** REX.B: the fourth bit of the register in an opcode. */
const B = 1
const NO_W = 0
/** A REX prefix without any of its bits. */
const REX_ALONE = REX
type Width = typeof W | typeof NO_W | typeof REX_ALONE

/** How each condition is encoded in Jcc. */
export const CONDITIONS = {
  below: 2,
  atLeast: 3,
  eq: 4,
  ne: 5,
  atMost: 6,
  above: 7,
  positive: 9,
  less: 12,
  notLess: 13,
  notGreater: 14,
  greater: 15,
} as const

export const x64 = {
  mov_r32_imm32: opcodeRegister(0xb8), // B8+rd id          MOV r32, imm32
  mov_r64_simm32: digitImm32(W, 0xc7, 0), // REX.W C7 /0 id  MOV r/m64, imm32 (sign-extended)
  movabs_r64_imm64: opcodeRegisterWide(0xb8), // REX.W B8+rd io  MOV r64, imm64
  mov_r64_r64: registers(W, 0x89), // REX.W 89 /r             MOV r/m64, r64
  mov_r32_m32: memory(NO_W, 0x8b), // 8B /r                  MOV r32, r/m32
  mov_r64_m64: memory(W, 0x8b), // REX.W 8B /r               MOV r64, r/m64
  movzx_r32_m8: memory(NO_W, 0x0fb6), // 0F B6 /r            MOVZX r32, r/m8
  movzx_r32_m16: memory(NO_W, 0x0fb7), // 0F B7 /r           MOVZX r32, r/m16
  mov_m8_r8: toMemory(memoryOfByte(0x88)), // 88 /r           MOV r/m8, r8
  mov_m16_r16: toMemory(prefixed(0x66, memory(NO_W, 0x89))), // 66 89 /r  MOV r/m16, r16
  mov_m32_r32: toMemory(memory(NO_W, 0x89)), // 89 /r        MOV r/m32, r32
  mov_m64_r64: toMemory(memory(W, 0x89)), // REX.W 89 /r     MOV r/m64, r64
  lea_r64_m: memory(W, 0x8d), // REX.W 8D /r                 LEA r64, m
  lea_r64_rip: memoryAtLabel(0x8d), // REX.W 8D /r           LEA r64, m (RIP-relative)
  xor_r32_r32: registers(NO_W, 0x31), // 31 /r               XOR r/m32, r32
  or_r64_r64: registers(W, 0x09), // REX.W 09 /r             OR r/m64, r64
  or_r64_imm8: digitImm8(W, 0x83, 1), // REX.W 83 /1 ib      OR r/m64, imm8 (sign-extended)
  and_r32_imm8: digitImm8(NO_W, 0x83, 4), // 83 /4 ib        AND r/m32, imm8 (sign-extended)
  and_r32_imm32: digitImm32(NO_W, 0x81, 4), // 81 /4 id      AND r/m32, imm32
  and_eax_imm32: accumulator(NO_W, 0x25), // 25 id           AND EAX, imm32
  add_r64_r64: registers(W, 0x01), // REX.W 01 /r             ADD r/m64, r64
  sub_r64_r64: registers(W, 0x29), // REX.W 29 /r             SUB r/m64, r64
  and_r64_r64: registers(W, 0x21), // REX.W 21 /r             AND r/m64, r64
  imul_r64_r64: registersTo(W, 0x0faf), // REX.W 0F AF /r     IMUL r64, r/m64
  div_r64: digit(W, 0xf7, 6), // REX.W F7 /6                 DIV r/m64: RDX:RAX / r/m64
  shl_r64_cl: digit(W, 0xd3, 4), // REX.W D3 /4              SHL r/m64, CL
  shr_r64_cl: digit(W, 0xd3, 5), // REX.W D3 /5              SHR r/m64, CL
  cmp_r64_r64: registers(W, 0x39), // REX.W 39 /r             CMP r/m64, r64
  add_r32_imm8: digitImm8(NO_W, 0x83, 0), // 83 /0 ib        ADD r/m32, imm8 (sign-extended)
  shl_r64_imm8: digitImm8(W, 0xc1, 4), // REX.W C1 /4 ib     SHL r/m64, imm8
  neg_r64: digit(W, 0xf7, 3), // REX.W F7 /3                 NEG r/m64
  dec_r32: digit(NO_W, 0xff, 1), // FF /1                    DEC r/m32
  cmp_r64_imm8: digitImm8(W, 0x83, 7), // REX.W 83 /7 ib     CMP r/m64, imm8 (sign-extended)
  cmp_rax_imm32: accumulator(W, 0x3d), // REX.W 3D id        CMP RAX, imm32 (sign-extended)
  test_r64_r64: registers(W, 0x85), // REX.W 85 /r           TEST r/m64, r64
  jmp_rel32: jump32(0xe9), // E9 cd                          JMP rel32
  jmp_rel8: jump8(0xeb), // EB cb                            JMP rel8
  jmp_r64: digit(NO_W, 0xff, 4), // FF /4                     JMP r/m64
  jcc_rel32: conditional32(0x0f80), // 0F 80+cc cd     Jcc rel32
  jcc_rel8: conditional8(0x70), // 70+cc cb            Jcc rel8
  syscall: plain(0x0f05), // 0F 05                           SYSCALL
  rdtsc: plain(0x0f31), // 0F 31                             RDTSC
  ud2: plain(0x0f0b), // 0F 0B                               UD2
} as const

function plain(opcode: number) {
  return (asm: Assembler): void => {
    asm.view.setUint16(asm.length, opcode)
    asm.length += 2
  }
}

function opcodeRegister(opcode: number) {
  return (asm: Assembler, register: number, immediate: number): void => {
    let at = asm.length
    if (register > 7) asm.bytes[at++] = REX | B
    asm.bytes[at] = opcode | (register & 7)
    asm.view.setInt32(at + 1, immediate, true)
    asm.length = at + 5
  }
}

function opcodeRegisterWide(opcode: number) {
  return (asm: Assembler, register: number, low: number, high: number): void => {
    const { view, length } = asm
    view.setUint8(length, REX | W | (register >> 3))
    view.setUint8(length + 1, opcode | (register & 7))
    view.setInt32(length + 2, low, true)
    view.setInt32(length + 6, high, true)
    asm.length = length + 10
  }
}

/** ModRM with two registers: `rm` is the manual's first operand, `reg` the second. */
function registers(width: Width, opcode: number) {
  return (asm: Assembler, rm: number, reg: number): void =>
    putModRm(asm, width | rexBits(reg, rm), opcode, 0xc0 | ((reg & 7) << 3) | (rm & 7))
}

/** The same the other way: `reg` is the manual's first operand. */
function registersTo(width: Width, opcode: number) {
  return (asm: Assembler, reg: number, rm: number): void =>
    putModRm(asm, width | rexBits(reg, rm), opcode, 0xc0 | ((reg & 7) << 3) | (rm & 7))
}

/** ModRM with one register, and an opcode digit in the place of the other. */
function digit(width: Width, opcode: number, extension: number) {
  return (asm: Assembler, rm: number): void =>
    putModRm(asm, width | (rm >> 3), opcode, 0xc0 | (extension << 3) | (rm & 7))
}

function digitImm8(width: Width, opcode: number, extension: number) {
  return (asm: Assembler, rm: number, immediate: number): void => {
    putModRm(asm, width | (rm >> 3), opcode, 0xc0 | (extension << 3) | (rm & 7))
    asm.bytes[asm.length++] = immediate
  }
}

function digitImm32(width: Width, opcode: number, extension: number) {
  return (asm: Assembler, rm: number, immediate: number): void => {
    putModRm(asm, width | (rm >> 3), opcode, 0xc0 | (extension << 3) | (rm & 7))
    putImm32(asm, immediate)
  }
}

function accumulator(width: Width, opcode: number) {
  return (asm: Assembler, immediate: number): void => {
    if (width !== NO_W) asm.bytes[asm.length++] = REX | width
    asm.bytes[asm.length++] = opcode
    putImm32(asm, immediate)
  }
}

/** ModRM with a register and [base + displacement]. */
function memory(width: Width, opcode: number) {
  return (asm: Assembler, reg: number, base: number, displacement: number): void => {
    const low = base & 7
    // 5 (RBP, R13) without a displacement would mean RIP-relative; 4 (RSP, R12) means that a SIB byte follows.
    const mode = displacement === 0 && low !== 5 ? 0x00 : displacement === (displacement << 24) >> 24 ? 0x40 : 0x80
    putModRm(asm, width | rexBits(reg, base), opcode, mode | ((reg & 7) << 3) | low)
    if (low === 4) asm.bytes[asm.length++] = 0x24
    if (mode === 0x40) asm.bytes[asm.length++] = displacement
    else if (mode === 0x80) putImm32(asm, displacement)
  }
}

/** A register's low byte: without a REX prefix 4 to 7 would be the second bytes of the first four. */
function memoryOfByte(opcode: number) {
  const plain = memory(NO_W, opcode)
  const withRex = memory(REX_ALONE, opcode)
  return (asm: Assembler, reg: number, base: number, displacement: number): void =>
    (reg > 3 ? withRex : plain)(asm, reg, base, displacement)
}

function prefixed(prefix: number, form: ReturnType<typeof memory>) {
  return (asm: Assembler, reg: number, base: number, displacement: number): void => {
    asm.bytes[asm.length++] = prefix
    form(asm, reg, base, displacement)
  }
}

/** The same with the memory operand first, as the manual writes stores. */
function toMemory(form: ReturnType<typeof memory>) {
  return (asm: Assembler, base: number, displacement: number, reg: number): void => form(asm, reg, base, displacement)
}

function memoryAtLabel(opcode: number) {
  return (asm: Assembler, reg: number, label: LabelId): void => {
    putModRm(asm, W | rexBits(reg, 0), opcode, 0x05 | ((reg & 7) << 3))
    asm.field(label, 4, patchRel32)
  }
}

function jump8(opcode: number) {
  return (asm: Assembler, label: LabelId): void => {
    asm.bytes[asm.length++] = opcode
    asm.field(label, 1, patchRel8)
  }
}

function jump32(opcode: number) {
  return (asm: Assembler, label: LabelId): void => {
    asm.bytes[asm.length++] = opcode
    asm.field(label, 4, patchRel32)
  }
}

function conditional8(opcode: number) {
  return (asm: Assembler, condition: number, label: LabelId): void => {
    asm.bytes[asm.length++] = opcode | condition
    asm.field(label, 1, patchRel8)
  }
}

function conditional32(opcode: number) {
  return (asm: Assembler, condition: number, label: LabelId): void => {
    asm.view.setUint16(asm.length, opcode | condition)
    asm.length += 2
    asm.field(label, 4, patchRel32)
  }
}

/** REX.R and REX.B: the fourth bits of ModRM's registers. */
function rexBits(reg: number, rm: number): number {
  return ((reg & 8) >> 1) | (rm >> 3)
}

function putModRm(asm: Assembler, rex: number, opcode: number, modRm: number): void {
  const { bytes } = asm
  let at = asm.length
  if (rex !== 0) bytes[at++] = REX | rex
  if (opcode > 0xff) bytes[at++] = opcode >> 8
  bytes[at++] = opcode
  bytes[at++] = modRm
  asm.length = at
}

function putImm32(asm: Assembler, immediate: number): void {
  asm.view.setInt32(asm.length, immediate, true)
  asm.length += 4
}

// The processor counts from the end of the instruction, which the field ends.

function patchRel8(view: DataView, at: number, distance: number): void {
  const relative = distance - 1
  if (relative !== (relative << 24) >> 24) throw new RangeError(`a short jump can't reach ${relative} bytes`)
  view.setInt8(at, relative)
}

function patchRel32(view: DataView, at: number, distance: number): void {
  const relative = distance - 4
  if (relative !== (relative | 0)) throw new RangeError(`a jump can't reach ${relative} bytes`)
  view.setInt32(at, relative, true)
}
