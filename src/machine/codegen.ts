// Plan → image. In: a plan that verify() accepted. Out: a static executable that makes the plan's system calls in
// order, each tried again on EINTR, and reports (step, errno) when one of them fails for good. It assumes nothing
// about the registers at its start and never uses a stack.

import { ERRNO, type ErrnoName } from '../linux/errno.ts'
import { SYSCALLS, type SyscallName } from '../linux/syscalls.ts'
import {
  type Address,
  type Data,
  type DataId,
  type Field,
  type Label,
  type Operand,
  type Plan,
  REPORT,
  REPORT_FAILED,
  type Step,
  type SyscallStep,
  type Value,
} from '../plan/step.ts'
import { Assembler, type LabelId } from './assembler.ts'
import { align, type Layout, place, writeData } from './data.ts'
import { HEADERS_SIZE, IMAGE_BASE, writableAddress, writeHeaders } from './elf.ts'
import { checkInteger, highHalf, lowHalf } from './integers.ts'
import { liveValues, type Values } from './liveness.ts'
import type { Reach, Register, Target } from './target.ts'

export interface CompileOptions {
  /** Store the time-stamp counter into the plan's profile table before each step. */
  readonly profile?: boolean
  /** Let a system call fail instead of making it. */
  readonly inject?: { readonly step: number; readonly errno: number }
}

export interface Image {
  /** The file: a static ELF executable. */
  readonly bytes: Uint8Array
  readonly entry: number
  readonly codeSize: number
  /** Where each step's code begins. */
  readonly stepAddresses: readonly number[]
}

/** openat2(2) says EAGAIN when a rename elsewhere raced with it; somebody who renames for ever must not win. */
const OPENAT2_RETRIES = 128

/** With more listed errnos than this a jump over them may be too long for the short form. */
const NEAR_ERRNOS = 7

/** No step's code is larger than this and ERRNO_SIZE for each errno that it lists. */
const STEP_SIZE = 320
const ERRNO_SIZE = 16

/**
 * Compile a plan for a machine: same plan, same bytes.
 * @throws Error naming the step, when the plan is none that could run: an unknown value or data object, a number of
 *   more than 64 bits, a branch that isn't forward; and for options that don't fit the plan
 */
export function compile(plan: Plan, target: Target, options: CompileOptions = {}): Image {
  checkOptions(plan, options)
  const values = liveValues(plan.steps)
  const layout = place(plan.data, values.slotCount, HEADERS_SIZE)
  const asm = new Assembler(IMAGE_BASE + layout.constantsEnd, target.bytesPerStep * plan.steps.length + STEP_SIZE)
  const code: Code = {
    plan,
    target,
    asm,
    layout,
    values,
    bias: target.dataBias(layout.slots),
    labels: new Map(),
    placed: new Set(),
    routines: {
      never: { attempt: asm.label(), must: asm.label() },
      interrupted: { attempt: asm.label(), must: asm.label() },
      raced: { attempt: asm.label(), must: asm.label() },
    },
    failErrno: asm.label(),
    failCode: asm.label(),
    failText: asm.label(),
    exit: asm.label(),
  }
  emitRoutines(code)
  emitTail(code)
  const entry = asm.address
  const dataPointer = asm.label()
  target.pointToData(asm, dataPointer)
  const stepAddresses = emitSteps(code, options)
  const writableOffset = align(layout.constantsEnd + asm.length)
  asm.bind(dataPointer, writableAddress(writableOffset, target) + code.bias)
  asm.resolve()
  return { bytes: link(code, writableOffset, entry), entry, codeSize: asm.length, stepAddresses }
}

/** When a system call is made again. */
type Retry = 'never' | 'interrupted' | 'raced'

/** The routines through which a call is made: `attempt` returns whatever it says, `must` only when it succeeded. */
type Routines = Readonly<Record<Retry, { readonly attempt: LabelId; readonly must: LabelId }>>

/** What is known while code is made. */
interface Code {
  readonly plan: Plan
  readonly target: Target
  readonly asm: Assembler
  readonly layout: Layout
  readonly values: Values
  /** Where in the writable segment the data register points. */
  readonly bias: number
  /** The plan's labels that were seen so far, by id. */
  readonly labels: Map<number, LabelId>
  readonly placed: Set<number>
  readonly routines: Routines
  /** The common tails: the result is -errno; it is the code to report; there is a text length, too; exit. */
  readonly failErrno: LabelId
  readonly failCode: LabelId
  readonly failText: LabelId
  readonly exit: LabelId
}

function checkOptions(plan: Plan, { profile = false, inject }: CompileOptions): void {
  if (profile) {
    const table = plan.profile === undefined ? undefined : plan.data[plan.profile]
    if (table === undefined) throw new Error('the plan has no profile table')
    if (!table.writable || table.size < 8 * plan.steps.length) throw new Error('the profile table has no room')
  }
  if (inject === undefined) return
  if (plan.steps[inject.step]?.op !== 'syscall')
    throw new Error(`step ${inject.step} is no system call that could fail`)
  if (!(inject.errno >= 1 && inject.errno <= 4095)) throw new RangeError(`${inject.errno} is no errno`)
}

function emitSteps(code: Code, { profile = false, inject }: CompileOptions): number[] {
  const { asm, plan, target } = code
  const stepAddresses: number[] = []
  let index = 0
  try {
    for (const step of plan.steps) {
      asm.reserve(STEP_SIZE)
      if (step.op === 'label') bindLabel(code, step.label)
      stepAddresses.push(asm.address)
      if (profile) emitTimeStamp(code, index)
      emitStep(code, step, index, inject?.step === index ? inject.errno : undefined)
      index++
    }
    target.trap(asm) // for a plan that runs past its last step
    for (const label of code.labels.keys()) if (!code.placed.has(label)) throw new Error(`label ${label} is nowhere`)
  } catch (cause) {
    const op = plan.steps[index]?.op ?? 'end'
    throw new Error(`plan step ${index} (${op}): ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  return stepAddresses
}

function emitStep(code: Code, step: Step, index: number, injected: number | undefined): void {
  const { asm, target } = code
  switch (step.op) {
    case 'syscall':
      emitSyscall(code, step, index, injected)
      break
    case 'jump':
      target.jump(asm, forward(code, step.to), 'far')
      break
    case 'branch':
      checkSmall(step.right, 'compared with')
      emitOperand(code, target.result, step.left)
      target.compare(asm, step.condition === 'negative' ? 0 : step.right)
      target.branch(asm, step.condition, forward(code, step.to), 'far')
      break
    case 'store':
      emitOperand(code, target.result, step.value)
      target.store(asm, target.result, step.width, writableOffset(code, step.to))
      break
    case 'fail':
      emitOperand(code, target.result, step.code)
      if (step.text !== undefined) emitOperand(code, textLength(target), step.text)
      target.constant(asm, target.failedStep, index, 0)
      target.jump(asm, step.text === undefined ? code.failCode : code.failText, 'far')
      break
    case 'exit':
      emitOperand(code, firstArgument(target), step.status)
      target.jump(asm, code.exit, 'far')
      break
    case 'label':
    case 'pivot':
      break
  }
}

/** The call, then errors in the order ignore, onError, failure; straight on when there is none. */
function emitSyscall(code: Code, step: SyscallStep, index: number, injected: number | undefined): void {
  const { asm, target } = code
  const ignored = Object.keys(step.ignore) as ErrnoName[] // the keys that the type allows
  const listed = Object.keys(step.onError) as (ErrnoName | '*')[] // likewise
  const errnos = ignored.length + listed.length
  target.constant(asm, target.failedStep, index, 0)
  if (injected === undefined) emitCall(code, step, errnos === 0 ? 'must' : 'attempt')
  else emitErrno(code, injected)
  if (code.values.isStored[index] === 1) target.store(asm, target.result, 8, slotOffset(code, step.result))
  const mayFail = errnos > 0 || injected !== undefined
  if (!mayFail && step.atLeast === undefined) return
  const done = asm.label()
  if (mayFail) emitErrors(code, step, ignored, listed, done)
  if (step.atLeast !== undefined) emitAtLeast(code, step.atLeast, done)
  asm.bind(done)
}

function emitErrors(
  code: Code,
  { onError }: SyscallStep,
  ignored: readonly ErrnoName[],
  listed: readonly (ErrnoName | '*')[],
  done: LabelId,
): void {
  const { asm, target } = code
  const errnos = ignored.length + listed.length
  asm.reserve(STEP_SIZE + ERRNO_SIZE * errnos)
  for (const name of ignored) branchOnErrno(code, errnoNumber(name), done, errnos > NEAR_ERRNOS ? 'far' : 'near')
  for (const name of listed) {
    const to = onError[name]
    if (name !== '*' && to !== undefined) branchOnErrno(code, errnoNumber(name), forward(code, to), 'far')
  }
  const always = onError['*']
  target.compareError(asm)
  target.branch(asm, 'atLeast', always === undefined ? code.failErrno : forward(code, always), 'far')
}

function emitCall(code: Code, { args, name }: SyscallStep, mode: 'attempt' | 'must'): void {
  const { asm, target } = code
  if (args.length > target.arguments.length) throw new Error(`${args.length} arguments`)
  for (let place = 0; place < args.length; place++) emitArgument(code, args, place)
  target.syscallNumber(asm, syscallNumber(target, name))
  target.call(asm, code.routines[retryOf(name)][mode])
}

function retryOf(name: SyscallName): Retry {
  // After close(2) the descriptor is gone, even on EINTR: a second try could close somebody else's.
  if (name === 'close') return 'never'
  return name === 'openat2' ? 'raced' : 'interrupted'
}

function emitArgument(code: Code, args: readonly Operand[], place: number): void {
  const operand = args[place]
  const register = code.target.arguments[place]
  if (operand !== undefined && register !== undefined) emitOperand(code, register, operand)
}

/** A success that is less than asked for is a failure. */
function emitAtLeast(code: Code, { count, errno }: NonNullable<SyscallStep['atLeast']>, done: LabelId): void {
  const { asm, target } = code
  checkSmall(count, 'at least')
  target.compare(asm, count)
  target.branch(asm, 'atLeast', done, 'near')
  emitErrno(code, errnoNumber(errno))
  target.jump(asm, code.failErrno, 'far')
}

function branchOnErrno({ asm, target }: Code, errno: number, to: LabelId, reach: Reach): void {
  target.compareErrno(asm, errno)
  target.branch(asm, 'eq', to, reach)
}

/** The routines stand before the steps, so that calls of them are known at once. */
function emitRoutines(code: Code): void {
  code.asm.reserve(STEP_SIZE)
  for (const retry of ['never', 'interrupted', 'raced'] as const)
    for (const mode of ['attempt', 'must'] as const) {
      code.asm.bind(code.routines[retry][mode])
      emitRoutine(code, retry, mode)
    }
}

/** Make a system call until it says neither EINTR nor, a few times, what openat2(2) says when a rename raced with it. */
function emitRoutine(code: Code, retry: Retry, mode: 'attempt' | 'must'): void {
  const { asm, target } = code
  if (retry !== 'never') target.saveCall(asm)
  if (retry === 'raced') target.constant(asm, target.triesLeft, OPENAT2_RETRIES, 0)
  const restore = asm.boundLabel()
  if (retry !== 'never') target.restoreCall(asm)
  target.syscall(asm)
  if (retry !== 'never') branchOnErrno(code, ERRNO.EINTR, restore, 'near')
  if (retry === 'raced') {
    const other = asm.label()
    target.compareErrno(asm, ERRNO.EAGAIN)
    target.branch(asm, 'ne', other, 'near')
    target.countDown(asm)
    target.branch(asm, 'positive', restore, 'near')
    asm.bind(other)
  }
  if (mode === 'must') {
    target.compareError(asm)
    target.branch(asm, 'atLeast', code.failErrno, 'far')
  }
  target.return(asm)
}

/** Report a failure and exit. */
function emitTail(code: Code): void {
  const { asm, target } = code
  const report: Address = { kind: 'address', data: code.plan.report, offset: 0 }
  const at = writableOffset(code, report)
  const free = firstArgument(target)
  asm.reserve(STEP_SIZE)
  asm.bind(code.failErrno)
  target.negateResult(asm)
  asm.bind(code.failCode)
  target.constant(asm, textLength(target), 0, 0)
  asm.bind(code.failText)
  target.store(asm, target.result, 8, at + REPORT.value)
  target.store(asm, target.failedStep, 4, at + REPORT.step)
  target.store(asm, textLength(target), 4, at + REPORT.textLength)
  target.constant(asm, free, REPORT_FAILED, 0)
  target.store(asm, free, 4, at + REPORT.kind)
  target.constant(asm, free, 0, 0)
  target.store(asm, free, 4, at + REPORT.textLength + 4)
  target.add(asm, textLength(target), REPORT.text)
  const [descriptor, bytes] = target.arguments
  emitOperand(code, bytes, report)
  target.load(asm, descriptor, 4, writableOffset(code, code.plan.reportFd))
  target.syscallNumber(asm, syscallNumber(target, 'write'))
  target.call(asm, code.routines.interrupted.attempt)
  target.constant(asm, free, 1, 0)
  asm.bind(code.exit)
  target.syscallNumber(asm, syscallNumber(target, 'exit_group'))
  target.syscall(asm)
  target.trap(asm)
}

function emitTimeStamp(code: Code, index: number): void {
  const { asm, plan, target } = code
  if (plan.profile === undefined) return
  target.timeStamp(asm)
  target.store(asm, target.result, 8, writableOffset(code, { data: plan.profile, offset: 8 * index }))
}

function emitOperand(code: Code, to: Register, operand: Operand): void {
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

function emitErrno({ asm, target }: Code, errno: number): void {
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
function writableOffset(code: Code, { data, offset }: Place): number {
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

function slotOffset(code: Code, { id, name }: Value): number {
  const slot = code.values.slots[id]
  if (slot === undefined) throw new Error(`${name} has no value yet`)
  return code.layout.slots + 8 * slot - code.bias
}

/** The label that a branch goes to. */
function forward(code: Code, label: Label): LabelId {
  if (code.placed.has(label.id)) throw new Error(`branch back to ${label.name}`)
  return labelOf(code, label)
}

function bindLabel(code: Code, label: Label): void {
  if (code.placed.has(label.id)) throw new Error(`label ${label.name} is placed twice`)
  code.placed.add(label.id)
  code.asm.bind(labelOf(code, label))
}

function labelOf({ asm, labels }: Code, { id }: Label): LabelId {
  const known = labels.get(id)
  if (known !== undefined) return known
  const label = asm.label()
  labels.set(id, label)
  return label
}

function checkSmall(value: number, what: string): void {
  if (!(Number.isInteger(value) && value >= 0 && value <= 0x7fffffff)) throw new RangeError(`${what} ${value}`)
}

function errnoNumber(name: ErrnoName): number {
  const number: number | undefined = ERRNO[name]
  if (number === undefined) throw new Error(`${name} is no errno`)
  return number
}

function syscallNumber(target: Target, name: SyscallName): number {
  const numbers: readonly [number, number] | undefined = SYSCALLS[name]
  if (numbers === undefined) throw new Error(`${name} is no system call`)
  return numbers[target.syscallColumn]
}

function firstArgument(target: Target): Register {
  return target.arguments[0]
}

/** The third argument of the write that reports. */
function textLength(target: Target): Register {
  return target.arguments[2]
}

function link({ plan, target, asm, layout }: Code, writableOffset: number, entry: number): Uint8Array {
  const file = new Uint8Array(writableOffset + layout.initializedSize)
  const { constantsEnd, initializedSize, writableSize } = layout
  const readOnlySize = constantsEnd + asm.length
  writeHeaders(file, { entry, readOnlySize, writableOffset, initializedSize, writableSize }, target)
  const bases = { file: IMAGE_BASE, writable: writableAddress(writableOffset, target), writableOffset }
  writeData(file, plan.data, layout, bases, target)
  file.set(asm.bytes.subarray(0, asm.length), constantsEnd)
  return file
}
