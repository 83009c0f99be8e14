// x86-64. System calls change RAX, RCX and R11 only (syscall(2)). RBX points into the writable segment, RBP has the
// number of the step, R15 that of the call that led there, R12 where a routine returns to (there is no stack), R13 and R14 belong
// to the routines that make system calls.

import type { Width } from '../../plan/step.ts'
import type { Target } from '../target.ts'
import { CONDITIONS, x64 } from './instructions.ts'
import { R8, R9, R10, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP } from './registers.ts'

/** MOV R12D, imm32 and JMP rel32: where a call returns to, from its start. */
const CALL_SIZE = 6 + 5

export const x64Target: Target = {
  machine: 62, // EM_X86_64
  pageSize: 0x1000,
  syscallColumn: 0,
  bytesPerStep: 64,
  arguments: [RDI, RSI, RDX, R10, R8, R9],
  result: RAX,
  currentStep: RBP,
  currentCall: R15,
  link: R12,
  triesLeft: R14,

  openFlags: (flags) => flags,
  // A displacement of one byte reaches 128 bytes to the left and 127 to the right: 32 slots.
  dataBias: (slots) => slots + 128,

  pointToData: (asm, label) => x64.lea_r64_rip(asm, RBX, label),

  constant(asm, to, low, high) {
    if (high === 0) {
      if (low === 0) x64.xor_r32_r32(asm, to, to)
      else x64.mov_r32_imm32(asm, to, low)
    } else if ((high | 0) === -1 && (low | 0) === -1) x64.or_r64_imm8(asm, to, -1)
    else if ((high | 0) === -1 && (low | 0) < 0) x64.mov_r64_simm32(asm, to, low)
    else x64.movabs_r64_imm64(asm, to, low, high)
  },

  address: x64.mov_r32_imm32,
  dataAddress: (asm, to, offset) => x64.lea_r64_m(asm, to, RBX, offset),
  load: (asm, to, width, offset) => LOAD[width](asm, to, RBX, offset),

  loadConstantData(asm, to, width, address) {
    x64.mov_r32_imm32(asm, to, address)
    LOAD[width](asm, to, to, 0)
  },

  store: (asm, from, width, offset) => STORE[width](asm, RBX, offset, from),

  mask(asm, register, mask) {
    if (mask < 0x80) x64.and_r32_imm8(asm, register, mask)
    else if (register === RAX) x64.and_eax_imm32(asm, mask)
    else x64.and_r32_imm32(asm, register, mask)
  },

  add: x64.add_r32_imm8,
  negateResult: (asm) => x64.neg_r64(asm, RAX),

  compute(asm, operation, right) {
    switch (operation) {
      case 'div':
        x64.xor_r32_r32(asm, RDX, RDX) // the dividend's upper half
        x64.div_r64(asm, right)
        break
      case 'shl':
      case 'shr':
        x64.mov_r64_r64(asm, RCX, right)
        SHIFT[operation](asm, RAX)
        break
      default:
        COMPUTE[operation](asm, RAX, right)
    }
  },

  loadFrom: (asm, to, width, base, offset) => LOAD[width](asm, to, base, offset),
  storeTo: (asm, from, width, base, offset) => STORE[width](asm, base, offset, from),
  storeStackPointer: (asm, offset) => x64.mov_m64_r64(asm, RBX, offset, RSP),

  compare(asm, right) {
    if (right === 0) x64.test_r64_r64(asm, RAX, RAX)
    else if (right < 0x80) x64.cmp_r64_imm8(asm, RAX, right)
    else x64.cmp_rax_imm32(asm, right)
  },

  compareWith: (asm, right) => x64.cmp_r64_r64(asm, RAX, right),

  compareErrno(asm, errno) {
    if (errno <= 0x80) x64.cmp_r64_imm8(asm, RAX, -errno)
    else x64.cmp_rax_imm32(asm, -errno)
  },

  compareError: (asm) => x64.cmp_rax_imm32(asm, -4095),
  countDown: (asm) => x64.dec_r32(asm, R14),

  branch(asm, flag, to, reach) {
    if (reach === 'near') x64.jcc_rel8(asm, CONDITIONS[flag], to)
    else x64.jcc_rel32(asm, CONDITIONS[flag], to)
  },

  jump(asm, to, reach) {
    if (reach === 'near') x64.jmp_rel8(asm, to)
    else x64.jmp_rel32(asm, to)
  },

  syscallNumber: (asm, number) => x64Target.constant(asm, RAX, number, 0),
  syscall: x64.syscall,
  saveCall: (asm) => x64.mov_r64_r64(asm, R13, RAX),
  restoreCall: (asm) => x64.mov_r64_r64(asm, RAX, R13),

  call(asm, routine) {
    x64.mov_r32_imm32(asm, R12, asm.address + CALL_SIZE)
    x64.jmp_rel32(asm, routine)
  },

  return: (asm) => x64.jmp_r64(asm, R12),

  timeStamp(asm) {
    x64.rdtsc(asm)
    x64.shl_r64_imm8(asm, RDX, 32)
    x64.or_r64_r64(asm, RAX, RDX)
  },

  trap: x64.ud2,
}

const LOAD = {
  1: x64.movzx_r32_m8,
  2: x64.movzx_r32_m16,
  4: x64.mov_r32_m32,
  8: x64.mov_r64_m64,
} as const satisfies Record<Width, unknown>

const STORE = {
  1: x64.mov_m8_r8,
  2: x64.mov_m16_r16,
  4: x64.mov_m32_r32,
  8: x64.mov_m64_r64,
} as const satisfies Record<Width, unknown>

const COMPUTE = {
  add: x64.add_r64_r64,
  sub: x64.sub_r64_r64,
  mul: x64.imul_r64_r64,
  and: x64.and_r64_r64,
  or: x64.or_r64_r64,
} as const

const SHIFT = { shl: x64.shl_r64_cl, shr: x64.shr_r64_cl } as const
