// arm64. System calls change X0 only (syscall(2)). X19 points to the writable segment, X9 has the number of the step, X22 that
// of the call that led there, X16 is for what doesn't fit into an instruction, X30 is where a routine returns to, X20 and X21 belong
// to the routines that make system calls.

import { openFlagsToArm64 } from '../../linux/open-flags.ts'
import type { Width } from '../../plan/step.ts'
import type { Assembler } from '../assembler.ts'
import type { Register, Target } from '../target.ts'
import { arm64, CONDITIONS, logicalImmediate, reaches } from './instructions.ts'
import { X0, X1, X2, X3, X4, X5, X8, X9, X16, X19, X20, X21, X22, X30, XZR } from './registers.ts'

export const arm64Target: Target = {
  machine: 183, // EM_AARCH64
  pageSize: 0x10000,
  syscallColumn: 1,
  bytesPerStep: 64,
  arguments: [X0, X1, X2, X3, X4, X5],
  result: X0,
  currentStep: X9,
  currentCall: X22,
  link: X30,
  triesLeft: X20,

  openFlags: openFlagsToArm64,
  dataBias: () => 0, // only offsets to the right are encoded in loads and stores

  pointToData: (asm, label) => arm64.adr_x_label(asm, X19, label),

  constant(asm, to, low, high) {
    if (high === 0 && low <= 0xffff) return arm64.movz_x_imm16_hw(asm, to, low, 0)
    const parts = [low & 0xffff, low >>> 16, high & 0xffff, high >>> 16] as const
    const zeros = count(parts, 0)
    const ones = count(parts, 0xffff)
    if (zeros < 3 && ones < 3) {
      const bitmask = logicalImmediate(low, high)
      if (bitmask !== undefined) return arm64.orr_x_x_bitmask(asm, to, XZR, bitmask)
      if (high === 0 && parts[1] === 0xffff) return arm64.movn_w_imm16_hw(asm, to, ~low & 0xffff, 0)
    }
    wide(asm, to, parts, ones > zeros ? 0xffff : 0)
  },

  address(asm, to, address) {
    const distance = address - asm.address
    if (reaches(distance, 21)) arm64.adr_x_distance(asm, to, distance)
    else arm64Target.constant(asm, to, address, 0)
  },

  dataAddress(asm, to, offset) {
    if (offset >= 1 << 24) {
      arm64Target.constant(asm, to, offset, 0)
      return arm64.add_x_x_x(asm, to, to, X19)
    }
    if (offset >= 0x1000) arm64.add_x_x_imm12_lsl12(asm, to, X19, offset >> 12)
    if (offset < 0x1000 || (offset & 0xfff) !== 0)
      arm64.add_x_x_imm12(asm, to, offset < 0x1000 ? X19 : to, offset & 0xfff)
  },

  load(asm, to, width, offset) {
    if (isEncodable(width, offset)) return LOAD[width](asm, to, X19, offset)
    arm64Target.dataAddress(asm, X16, offset)
    LOAD[width](asm, to, X16, 0)
  },

  loadConstantData(asm, to, width, address) {
    arm64Target.address(asm, to, address)
    LOAD[width](asm, to, to, 0)
  },

  store(asm, from, width, offset) {
    if (isEncodable(width, offset)) return STORE[width](asm, from, X19, offset)
    arm64Target.dataAddress(asm, X16, offset)
    STORE[width](asm, from, X16, 0)
  },

  mask(asm, register, mask) {
    const bitmask = logicalImmediate(mask, 0)
    if (bitmask !== undefined) return arm64.and_x_x_bitmask(asm, register, register, bitmask)
    arm64Target.constant(asm, X16, mask, 0)
    arm64.and_x_x_x(asm, register, register, X16)
  },

  add: (asm, register, count) => arm64.add_x_x_imm12(asm, register, register, count),
  negateResult: (asm) => arm64.neg_x_x(asm, X0, X0),
  compute: (asm, operation, right) => COMPUTE[operation](asm, X0, X0, right),

  loadFrom(asm, to, width, base, offset) {
    if (isEncodable(width, offset)) return LOAD[width](asm, to, base, offset)
    behind(asm, base, offset)
    LOAD[width](asm, to, X16, 0)
  },

  storeTo(asm, from, width, base, offset) {
    if (isEncodable(width, offset)) return STORE[width](asm, from, base, offset)
    behind(asm, base, offset)
    STORE[width](asm, from, X16, 0)
  },

  storeStackPointer(asm, offset) {
    arm64.mov_x_sp(asm, X0)
    arm64Target.store(asm, X0, 8, offset)
  },

  compare(asm, right) {
    if (right < 0x1000) return arm64.cmp_x_imm12(asm, X0, right)
    arm64Target.constant(asm, X16, right, 0)
    arm64.cmp_x_x(asm, X0, X16)
  },

  compareWith: (asm, right) => arm64.cmp_x_x(asm, X0, right),
  compareErrno: (asm, errno) => arm64.cmn_x_imm12(asm, X0, errno),
  compareError: (asm) => arm64.cmn_x_imm12(asm, X0, 4095),
  countDown: (asm) => arm64.subs_w_w_imm12(asm, X20, X20, 1),

  branch(asm, flag, to, reach) {
    if (reach === 'near' || asm.farthest(to) < 1 << 20) return arm64.bcc_label(asm, CONDITIONS[flag], to)
    const over = asm.label()
    arm64.bcc_label(asm, CONDITIONS[flag] ^ 1, over) // the opposite
    arm64.b_label(asm, to)
    asm.bind(over)
  },

  jump: arm64.b_label,

  syscallNumber: (asm, number) => arm64.movz_x_imm16_hw(asm, X8, number, 0),
  syscall: (asm) => arm64.svc_imm16(asm, 0),
  saveCall: (asm) => arm64.mov_x_x(asm, X21, X0),
  restoreCall: (asm) => arm64.mov_x_x(asm, X0, X21),
  call: arm64.bl_label,
  return: (asm) => arm64.ret_x(asm, X30),

  timeStamp: (asm) => arm64.mrs_x_cntvct_el0(asm, X0),
  trap: (asm) => arm64.brk_imm16(asm, 0),
}

const LOAD = {
  1: arm64.ldrb_w_m8,
  2: arm64.ldrh_w_m16,
  4: arm64.ldr_w_m32,
  8: arm64.ldr_x_m64,
} as const satisfies Record<Width, unknown>

const STORE = {
  1: arm64.strb_w_m8,
  2: arm64.strh_w_m16,
  4: arm64.str_w_m32,
  8: arm64.str_x_m64,
} as const satisfies Record<Width, unknown>

const COMPUTE = {
  add: arm64.add_x_x_x,
  sub: arm64.sub_x_x_x,
  mul: arm64.mul_x_x_x,
  div: arm64.udiv_x_x_x,
  and: arm64.and_x_x_x,
  or: arm64.orr_x_x_x,
  shl: arm64.lsl_x_x_x,
  shr: arm64.lsr_x_x_x,
} as const

/** The address of what no load or store reaches by itself, into X16. */
function behind(asm: Assembler, base: Register, offset: number): void {
  arm64Target.constant(asm, X16, offset, 0)
  arm64.add_x_x_x(asm, X16, base, X16)
}

type Halfwords = readonly [number, number, number, number]

function count(parts: Halfwords, halfword: number): number {
  let found = 0
  for (const part of parts) if (part === halfword) found++
  return found
}

/** Build a constant from halfwords; those equal to `background` cost nothing. */
function wide(asm: Assembler, to: Register, parts: Halfwords, background: 0 | 0xffff): void {
  let first = true
  for (let place = 0; place < 4; place++) {
    const part = parts[place] ?? 0
    if (part === background) continue
    if (!first) arm64.movk_x_imm16_hw(asm, to, part, place)
    else if (background === 0) arm64.movz_x_imm16_hw(asm, to, part, place)
    else arm64.movn_x_imm16_hw(asm, to, part ^ 0xffff, place)
    first = false
  }
  if (!first) return
  if (background === 0) arm64.movz_x_imm16_hw(asm, to, 0, 0)
  else arm64.movn_x_imm16_hw(asm, to, 0, 0)
}

function isEncodable(width: Width, offset: number): boolean {
  return (offset & (width - 1)) === 0 && offset < 0x1000 * width
}
