// What code generation needs to know of a machine. A target is a value; nothing else asks which machine it is.

import type { Condition, Operation, Width } from '../plan/step.ts'
import { arm64Target } from './arm64/target.ts'
import type { Assembler, LabelId } from './assembler.ts'
import { x64Target } from './x64/target.ts'

/** A general register by the target's number. */
export type Register = number

/** What a branch looks at: the flags of the last comparison, or of the last countDown(). */
export type Flag = Condition | 'atLeast' | 'positive'

/** How far a label is: 'near' may be encoded shorter and is refused when the label turns out to be farther away. */
export type Reach = 'near' | 'far'

export interface Target {
  /** e_machine of elf(5). */
  readonly machine: number
  /** The largest page size of the machine: what segments are aligned to. */
  readonly pageSize: number
  /** Column of a syscall's number in SYSCALLS. */
  readonly syscallColumn: 0 | 1
  /** Room for the code of an average step. */
  readonly bytesPerStep: number
  /** Arguments of a system call; the third is also the length of the write that reports. */
  readonly arguments: readonly [Register, Register, Register, Register, Register, Register]
  /** Result of a system call, and where everything else is computed. */
  readonly result: Register
  /** Number of the step that is being done; the kernel keeps it. */
  readonly currentStep: Register
  /** Number of the program's call that led into a routine, and 1; 0 outside of routines. The kernel keeps it. */
  readonly currentCall: Register
  /** Where return() goes to; the kernel keeps it. */
  readonly link: Register
  /** How many tries are left; the kernel keeps it. */
  readonly triesLeft: Register

  /** x86-64's open(2) flags → this machine's. */
  openFlags(flags: number): number
  /** Which offset of the writable segment the data register should hold, so that most accesses are short. */
  dataBias(slots: number): number

  /** Let the data register point to a label; all offsets below are from there. */
  pointToData(asm: Assembler, label: LabelId): void
  /** A 64-bit constant as two 32-bit halves. */
  constant(asm: Assembler, to: Register, low: number, high: number): void
  /** An address in the read-only segment. */
  address(asm: Assembler, to: Register, address: number): void
  /** An address in the writable segment. */
  dataAddress(asm: Assembler, to: Register, offset: number): void
  /** Zero-extending load from the writable segment. */
  load(asm: Assembler, to: Register, width: Width, offset: number): void
  /** Zero-extending load from the read-only segment. */
  loadConstantData(asm: Assembler, to: Register, width: Width, address: number): void
  store(asm: Assembler, from: Register, width: Width, offset: number): void
  /** AND with a mask of at most 31 bits; the rest of the register becomes 0. */
  mask(asm: Assembler, register: Register, mask: number): void
  /** Add up to 127. */
  add(asm: Assembler, register: Register, count: number): void
  negateResult(asm: Assembler): void
  /** Let the result be made of it and a register, 64 bits; may use the first, third and fourth argument registers. */
  compute(asm: Assembler, operation: Operation, right: Register): void
  /** Zero-extending load from behind the address in a register. */
  loadFrom(asm: Assembler, to: Register, width: Width, base: Register, offset: number): void
  /** Store behind the address in a register. */
  storeTo(asm: Assembler, from: Register, width: Width, base: Register, offset: number): void
  /** Store the stack pointer into the writable segment. */
  storeStackPointer(asm: Assembler, offset: number): void

  /** Compare the result, 64 bits, with an unsigned number of at most 31 bits. */
  compare(asm: Assembler, right: number): void
  /** Compare the result with a register, 64 bits, unsigned. */
  compareWith(asm: Assembler, right: Register): void
  /** Compare the result with that of a call which failed with this errno. */
  compareErrno(asm: Assembler, errno: number): void
  /** Set the flags to 'atLeast' when the result is one of -4095 … -1, else to 'below'. */
  compareError(asm: Assembler): void
  /** One try less; 'positive' until it was called once more than there were tries. */
  countDown(asm: Assembler): void
  branch(asm: Assembler, flag: Flag, to: LabelId, reach: Reach): void
  jump(asm: Assembler, to: LabelId, reach: Reach): void

  /** Which system call the next one is. */
  syscallNumber(asm: Assembler, number: number): void
  syscall(asm: Assembler): void
  /** Keep what the kernel changes of a call, for restoreCall(). */
  saveCall(asm: Assembler): void
  restoreCall(asm: Assembler): void
  /** Go to a routine that ends with return(); one that calls others has kept `link`. */
  call(asm: Assembler, routine: LabelId): void
  return(asm: Assembler): void
  /** The time-stamp counter into the result; may use any argument register. */
  timeStamp(asm: Assembler): void
  /** Stop where nothing may ever arrive. */
  trap(asm: Assembler): void
}

/** The target of a machine, by the name that JavaScript engines give it. */
export function targetFor(arch: 'x64' | 'arm64'): Target {
  return TARGETS[arch]
}

const TARGETS = { x64: x64Target, arm64: arm64Target }
