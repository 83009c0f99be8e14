// Plan → image. In: a plan that verify() accepted. Out: a static executable that makes the plan's system calls in
// order, each tried again on EINTR, and reports (step, errno) when one of them fails for good. It assumes nothing
// about the registers at its start and never uses a stack.

import { ERRNO, type ErrnoName } from '../linux/errno.ts'
import type { SyscallName } from '../linux/syscalls.ts'
import type { CallStep, Field, Operand, Plan, Routine, Step, StoreStep, SyscallStep, Value } from '../plan/step.ts'
import { Assembler, type LabelId } from './assembler.ts'
import {
  branchOnErrno,
  type Code,
  checkSmall,
  ERRNO_SIZE,
  emitErrno,
  emitOperand,
  errnoNumber,
  firstArgument,
  labelOf,
  type Retry,
  type RoutineCode,
  STEP_SIZE,
  slotOffset,
  syscallNumber,
  textLength,
  writableOffset,
} from './code.ts'
import { align, place, writeData } from './data.ts'
import { HEADERS_SIZE, IMAGE_BASE, writableAddress, writeHeaders } from './elf.ts'
import { liveValues } from './liveness.ts'
import { emitRoutines, emitTail } from './routines.ts'
import type { Register, Target } from './target.ts'

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

/** With more listed errnos than this a jump over them may be too long for the short form. */
const NEAR_ERRNOS = 7

/**
 * Compile a plan for a machine: same plan, same bytes.
 * @throws Error naming the step, when the plan is none that could run: an unknown value or data object, a number of
 *   more than 64 bits, a branch that isn't forward; and for options that don't fit the plan
 */
export function compile(plan: Plan, target: Target, options: CompileOptions = {}): Image {
  checkOptions(plan, options)
  const values = liveValues(plan.steps)
  const routines = plan.steps.flatMap((step) => (step.op === 'routine' ? [step.routine] : []))
  const layout = place(plan.data, values.slotCount + routines.length, HEADERS_SIZE)
  const size = target.bytesPerStep * plan.steps.length + STEP_SIZE
  const asm = new Assembler(IMAGE_BASE + layout.constantsEnd, size, STEP_SIZE * (plan.steps.length + 4))
  const code: Code = {
    plan,
    target,
    asm,
    layout,
    values,
    bias: target.dataBias(layout.slots),
    labels: new Map(),
    planRoutines: new Map(),
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
  for (const [index, { id }] of routines.entries()) {
    const link = layout.slots + 8 * (values.slotCount + index) - code.bias
    code.planRoutines.set(id, { entry: asm.label(), exit: asm.label(), link })
  }
  emitRoutines(code)
  emitTail(code)
  const first = asm.boundLabel()
  const stepAddresses = emitSteps(code, options)
  const entry = asm.address
  const dataPointer = asm.label()
  emitStart(code, dataPointer, first)
  const contentsOffset = align(layout.constantsEnd + asm.length)
  asm.bind(dataPointer, writableAddress(contentsOffset, target) + code.bias)
  asm.resolve()
  return { bytes: link(code, contentsOffset, entry), entry, codeSize: asm.length, stepAddresses }
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

/** Where the kernel begins. It stands last: from there the data is near, however many steps there are. */
function emitStart(code: Code, dataPointer: LabelId, first: LabelId): void {
  const { asm, plan, target } = code
  asm.reserve(STEP_SIZE)
  target.pointToData(asm, dataPointer)
  if (plan.entry !== undefined) target.storeStackPointer(asm, writableOffset(code, plan.entry))
  target.constant(asm, target.currentCall, 0, 0)
  target.jump(asm, first, 'far')
}

function emitSteps(code: Code, { profile = false, inject }: CompileOptions): number[] {
  const { asm, plan, target } = code
  const stepAddresses: number[] = []
  let index = 0
  let routine: RoutineCode | undefined
  try {
    for (const step of plan.steps) {
      asm.reserve(STEP_SIZE)
      if (step.op === 'label') asm.bind(labelOf(code, step.label))
      else if (step.op === 'routine') routine = emitRoutineStart(code, step.routine)
      stepAddresses.push(asm.address)
      if (profile) emitTimeStamp(code, index)
      emitStep(code, step, { index, routine, injected: inject?.step === index ? inject.errno : undefined })
      index++
    }
    target.trap(asm) // for a plan that runs past its last step
  } catch (cause) {
    const op = plan.steps[index]?.op ?? 'end'
    throw new Error(`plan step ${index} (${op}): ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  return stepAddresses
}

/** Where a step stands. */
interface Place {
  readonly index: number
  /** Undefined in the program. */
  readonly routine: RoutineCode | undefined
  /** The errno that it is to fail with, without being made. */
  readonly injected: number | undefined
}

function emitStep(code: Code, step: Step, place: Place): void {
  const { asm, target } = code
  switch (step.op) {
    case 'syscall':
      emitSyscall(code, step, place)
      break
    case 'call':
      emitRoutineCall(code, step, place)
      break
    case 'return':
      emitOperand(code, target.result, step.value)
      target.jump(asm, exitOf(place), 'far')
      break
    case 'jump':
      target.jump(asm, labelOf(code, step.to), 'far')
      break
    case 'branch':
      emitOperand(code, target.result, step.left)
      emitComparison(code, step.right)
      target.branch(asm, step.condition, labelOf(code, step.to), 'far')
      break
    case 'store':
      emitStore(code, step, place)
      break
    case 'compute':
      emitOperand(code, target.result, step.left)
      emitOperand(code, firstFree(target), step.right)
      target.compute(asm, step.operation, firstFree(target))
      keepResult(code, step.result)
      break
    case 'load':
      emitOperand(code, target.result, step.from)
      target.loadFrom(asm, target.result, step.width, target.result, step.offset)
      keepResult(code, step.result)
      break
    case 'fail':
      emitFail(code, step, place)
      break
    case 'exit':
      emitOperand(code, firstArgument(target), step.status)
      target.jump(asm, code.exit, 'far')
      break
    case 'label':
    case 'routine':
    case 'pivot':
      break
  }
}

function emitStore(code: Code, step: StoreStep, place: Place): void {
  const { asm, target } = code
  const { to, offset, width, value } = step
  if (to.kind === 'address') {
    emitOperand(code, target.result, value)
    target.store(asm, target.result, width, writableOffset(code, { data: to.data, offset: to.offset + offset }))
    return
  }
  if (step.within !== 'outside') emitWithin(code, step, to, place)
  emitOperand(code, target.result, value)
  emitOperand(code, firstFree(target), to)
  target.storeTo(asm, target.result, width, firstFree(target), offset)
}

/** Fail with EFAULT unless what is to be written is in its object: one comparison, as what lies before it is far behind. */
function emitWithin(code: Code, step: StoreStep, to: Value, place: Place): void {
  const { asm, target, plan } = code
  const { within, offset, width, orElse } = step
  const object = typeof within === 'number' ? plan.data[within] : undefined
  if (object === undefined) throw new Error(`no object for ${to.name}`)
  emitOperand(code, target.result, to)
  emitOperand(code, firstFree(target), { kind: 'address', data: object.id, offset: 0 })
  target.compute(asm, 'sub', firstFree(target))
  target.compare(asm, object.size - offset - width)
  const inside = asm.label()
  target.branch(asm, 'atMost', inside, 'near')
  target.constant(asm, target.currentStep, place.index, 0)
  emitErrno(code, ERRNO.EFAULT)
  target.jump(asm, orElse === undefined ? exitOr(code.failErrno, step, place) : labelOf(code, orElse), 'far')
  asm.bind(inside)
}

/** Compare the result with what stands on the right of a branch. */
function emitComparison(code: Code, right: number | Value | Field): void {
  const { asm, target } = code
  if (typeof right === 'number') {
    checkSmall(right, 'compared with')
    target.compare(asm, right)
  } else {
    emitOperand(code, firstFree(target), right)
    target.compareWith(asm, firstFree(target))
  }
}

/** A register beside the result: on some machines the first argument is the result. */
function firstFree(target: Target): Register {
  return target.arguments[1]
}

/** A result that some step looks at goes into its slot. */
function keepResult(code: Code, result: Value): void {
  if (code.values.slots[result.id] === undefined) return
  code.target.store(code.asm, code.target.result, 8, slotOffset(code, result))
}

/** The call, then errors in the order ignore, onError, failure; straight on when there is none. */
function emitSyscall(code: Code, step: SyscallStep, place: Place): void {
  const { asm, target } = code
  const { index, injected } = place
  const failure = failureOf(code, step, place)
  const isDirect = failure === code.failErrno && !listsErrnos(step)
  target.constant(asm, target.currentStep, index, 0)
  if (injected === undefined) emitCall(code, step, isDirect ? 'must' : 'attempt')
  else emitErrno(code, injected)
  keepResult(code, step.result)
  const mayFail = !isDirect || injected !== undefined
  if (!mayFail && step.atLeast === undefined) return
  const done = asm.label()
  if (mayFail) {
    emitListed(code, step, done)
    target.compareError(asm)
    target.branch(asm, 'atLeast', failure, 'far')
  }
  if (step.atLeast !== undefined) emitAtLeast(code, step.atLeast, done, exitOr(code.failErrno, step, place))
  asm.bind(done)
}

function listsErrnos({ ignore, onError }: SyscallStep | CallStep): boolean {
  for (const _ in ignore) return true
  for (const _ in onError) return true
  return false
}

/** Where an error goes that isn't listed by its name. */
function failureOf(code: Code, step: SyscallStep | CallStep, place: Place): LabelId {
  const always = step.onError['*']
  return always === undefined ? exitOr(code.failErrno, step, place) : labelOf(code, always)
}

/** In a routine an error is the caller's, but in the child of a fork. */
function exitOr(otherwise: LabelId, { inChild }: { readonly inChild?: true | undefined }, { routine }: Place): LabelId {
  return routine === undefined || inChild === true ? otherwise : routine.exit
}

/** The errors that a step lists by name. */
function emitListed(code: Code, { ignore, onError }: SyscallStep | CallStep, done: LabelId): void {
  const { asm } = code
  const ignored = Object.keys(ignore) as ErrnoName[] // the keys that the type allows
  const listed = Object.keys(onError) as (ErrnoName | '*')[] // likewise
  const errnos = ignored.length + listed.length
  asm.reserve(STEP_SIZE + ERRNO_SIZE * errnos)
  for (const name of ignored) branchOnErrno(code, errnoNumber(name), done, errnos > NEAR_ERRNOS ? 'far' : 'near')
  for (const name of listed) {
    const to = onError[name]
    if (name !== '*' && to !== undefined) branchOnErrno(code, errnoNumber(name), labelOf(code, to), 'far')
  }
}

/** Arguments go into the parameters' slots. A report of what fails in there speaks of this step, too. */
function emitRoutineCall(code: Code, step: CallStep, place: Place): void {
  const { asm, target } = code
  const { args, routine, result } = step
  const isProgram = place.routine === undefined
  asm.reserve(STEP_SIZE * (1 + args.length))
  for (const [index, parameter] of routine.parameters.entries()) {
    const arg = args[index]
    if (arg === undefined || code.values.slots[parameter.id] === undefined) continue
    emitOperand(code, target.result, arg)
    keepResult(code, parameter)
  }
  if (isProgram) target.constant(asm, target.currentCall, place.index + 1, 0)
  target.call(asm, routineCode(code, routine).entry)
  if (isProgram) target.constant(asm, target.currentCall, 0, 0)
  keepResult(code, result)
  const done = asm.label()
  emitListed(code, step, done)
  target.compareError(asm)
  if (isProgram && step.onError['*'] === undefined) {
    target.branch(asm, 'below', done, 'near')
    target.constant(asm, target.currentCall, place.index + 1, 0)
    target.jump(asm, code.failErrno, 'far')
  } else target.branch(asm, 'atLeast', failureOf(code, step, place), 'far')
  asm.bind(done)
}

function routineCode({ planRoutines }: Code, { id, name }: Routine): RoutineCode {
  const known = planRoutines.get(id)
  if (known === undefined) throw new Error(`routine ${name} isn't there`)
  return known
}

function exitOf({ routine }: Place): LabelId {
  if (routine === undefined) throw new Error('there is nothing to return from')
  return routine.exit
}

/** The way out of a routine, and the way in. */
function emitRoutineStart(code: Code, routine: Routine): RoutineCode {
  const { asm, target } = code
  const known = routineCode(code, routine)
  asm.bind(known.exit)
  target.load(asm, target.link, 8, known.link)
  target.return(asm)
  asm.bind(known.entry)
  target.store(asm, target.link, 8, known.link)
  return known
}

function emitFail(code: Code, step: Step & { readonly op: 'fail' }, place: Place): void {
  const { asm, target } = code
  const failure = exitOr(code.failErrno, step, place)
  target.constant(asm, target.currentStep, place.index, 0)
  if (failure !== code.failErrno && typeof step.code === 'number') {
    emitErrno(code, step.code)
    target.jump(asm, failure, 'far')
    return
  }
  emitOperand(code, target.result, step.code)
  if (step.text !== undefined) emitOperand(code, textLength(target), step.text)
  target.jump(asm, step.text === undefined ? code.failCode : code.failText, 'far')
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
function emitAtLeast(
  code: Code,
  { count, errno }: NonNullable<SyscallStep['atLeast']>,
  done: LabelId,
  failure: LabelId,
): void {
  const { asm, target } = code
  checkSmall(count, 'at least')
  target.compare(asm, count)
  target.branch(asm, 'atLeast', done, 'near')
  emitErrno(code, errnoNumber(errno))
  target.jump(asm, failure, 'far')
}

function emitTimeStamp(code: Code, index: number): void {
  const { asm, plan, target } = code
  if (plan.profile === undefined) return
  target.timeStamp(asm)
  target.store(asm, target.result, 8, writableOffset(code, { data: plan.profile, offset: 8 * index }))
}

/** Headers, constants, code and the contents of writable data as one file. */
function link({ plan, target, asm, layout }: Code, contentsOffset: number, entry: number): Uint8Array {
  const { constantsEnd, initializedSize, writableSize } = layout
  const file = new Uint8Array(contentsOffset + initializedSize)
  const readOnlySize = constantsEnd + asm.length
  const segments = { entry, readOnlySize, writableOffset: contentsOffset, initializedSize, writableSize }
  writeHeaders(file, segments, target)
  const writable = writableAddress(contentsOffset, target)
  const bases = { file: IMAGE_BASE, writable, writableOffset: contentsOffset }
  writeData(file, plan.data, layout, bases, target)
  file.set(asm.bytes.subarray(0, asm.length), constantsEnd)
  return file
}
