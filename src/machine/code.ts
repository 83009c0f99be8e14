// What is known while code is made, and what all emitters need of it: operands, places in data, labels, numbers.

import { ERRNO, type ErrnoName } from '../linux/errno.ts'
import { SYSCALLS, type SyscallName } from '../linux/syscalls.ts'
import type { Address, Data, DataId, Field, Label, Operand, Plan, Value } from '../plan/step.ts'
import type { Assembler, LabelId } from './assembler.ts'
import type { Layout } from './data.ts'
import { IMAGE_BASE } from './elf.ts'
import { checkInteger, highHalf, lowHalf } from './integers.ts'
import type { Values } from './liveness.ts'
import type { Reach, Register, Target } from './target.ts'

/** No step's code is larger than this and ERRNO_SIZE for each errno that it lists. */
export const STEP_SIZE = 320
export const ERRNO_SIZE = 16

/** When a system call is made again. */
export type Retry = 'never' | 'interrupted' | 'raced'

/** The routines through which a call is made: `attempt` returns whatever it says, `must` only when it succeeded. */
export type Routines = Readonly<Record<Retry, { readonly attempt: LabelId; readonly must: LabelId }>>

/** A routine of the plan. */
export interface RoutineCode {
  readonly entry: LabelId
  /** Return what is in the result. */
  readonly exit: LabelId
  /** Where the address is kept that it returns to, from where the data register points. */
  readonly link: number
}

/** What is known while code is made. */
export interface Code {
  readonly plan: Plan
  readonly target: Target
  readonly asm: Assembler
  readonly layout: Layout
  readonly values: Values
  /** Where in the writable segment the data register points. */
  readonly bias: number
  /** The plan's labels that were seen so far, by id. */
  readonly labels: Map<number, LabelId>
  /** The plan's routines, by id. */
  readonly planRoutines: Map<number, RoutineCode>
  readonly routines: Routines
  /** The common tails: the result is -errno; it is the code to report; there is a text length, too; exit. */
  readonly failErrno: LabelId
  readonly failCode: LabelId
  readonly failText: LabelId
  readonly exit: LabelId
}

/** Go to a label when the result is this errno. */
export function branchOnErrno({ asm, target }: Code, errno: number, to: LabelId, reach: Reach): void {
  target.compareErrno(asm, errno)
  target.branch(asm, 'eq', to, reach)
}

/** An operand into a register. @throws RangeError for a number of more than 64 bits, Error for what isn't there */
export function emitOperand(code: Code, to: Register, operand: Operand): void {
  const { asm, target } = code
  if (typeof operand === 'object') {
    if (operand.kind === 'address') emitAddress(code, to, operand)
    else if (operand.kind === 'value') target.load(asm, to, 8, slotOffset(code, operand))
    else if (operand.kind === 'field') emitField(code, to, operand)
    else emitOperand(code, to, target.openFlags(operand.flags))
  } else if (typeof operand === 'number' && operand === (operand | 0)) {
    // Nearly all numbers of a plan are small; the general way takes several times as long.
    target.constant(asm, to, operand >>> 0, operand < 0 ? 0xffffffff : 0)
  } else {
    checkInteger(operand, 64)
    target.constant(asm, to, lowHalf(operand), highHalf(operand))
  }
}

/** An errno into the result, as a failed call leaves it there. */
export function emitErrno({ asm, target }: Code, errno: number): void {
  target.constant(asm, target.result, lowHalf(-errno), highHalf(-errno))
}

function emitAddress(code: Code, to: Register, { data, offset }: Address): void {
  const place = (code.layout.offsets[data] ?? 0) + offset
  if (dataObject(code, data).writable) code.target.dataAddress(code.asm, to, place - code.bias)
  else code.target.address(code.asm, to, IMAGE_BASE + place)
}

function emitField(code: Code, to: Register, field: Field): void {
  const { asm, target } = code
  if (dataObject(code, field.data).writable) target.load(asm, to, field.width, writableOffset(code, field))
  else target.loadConstantData(asm, to, field.width, constantAddress(code, field))
  if (field.mask === undefined) return
  checkSmall(field.mask, 'masked with')
  target.mask(asm, to, field.mask)
}

interface Place {
  readonly data: DataId
  readonly offset: number
}

/** A place in writable data, from where the data register points. */
export function writableOffset(code: Code, { data, offset }: Place): number {
  const object = dataObject(code, data)
  if (!object.writable) throw new Error(`${object.text} is read-only`)
  return (code.layout.offsets[data] ?? 0) + offset - code.bias
}

function constantAddress(code: Code, { data, offset }: Place): number {
  return IMAGE_BASE + (code.layout.offsets[data] ?? 0) + offset
}

function dataObject({ plan }: Code, id: DataId): Data {
  const object = plan.data[id]
  if (object === undefined) throw new Error(`data object ${id} isn't there`)
  return object
}

/** A value's slot, from where the data register points. */
export function slotOffset(code: Code, { id, name }: Value): number {
  const slot = code.values.slots[id]
  if (slot === undefined) throw new Error(`${name} has no value yet`)
  return code.layout.slots + 8 * slot - code.bias
}

/** The label of the code for one of the plan. */
export function labelOf({ asm, labels }: Code, { id }: Label): LabelId {
  const known = labels.get(id)
  if (known !== undefined) return known
  const label = asm.label()
  labels.set(id, label)
  return label
}

/** @throws RangeError for what isn't a number of at most 31 bits */
export function checkSmall(value: number, what: string): void {
  if (!(Number.isInteger(value) && value >= 0 && value <= 0x7fffffff)) throw new RangeError(`${what} ${value}`)
}

/** The positive number of an errno. @throws Error for an unknown name */
export function errnoNumber(name: ErrnoName): number {
  const number: number | undefined = ERRNO[name]
  if (number === undefined) throw new Error(`${name} is no errno`)
  return number
}

/** The number of a system call on a machine. @throws Error for an unknown name */
export function syscallNumber(target: Target, name: SyscallName): number {
  const numbers: readonly [number, number] | undefined = SYSCALLS[name]
  if (numbers === undefined) throw new Error(`${name} is no system call`)
  return numbers[target.syscallColumn]
}

/** The first argument of a system call. */
export function firstArgument(target: Target): Register {
  return target.arguments[0]
}

/** The third argument of the write that reports. */
export function textLength(target: Target): Register {
  return target.arguments[2]
}
