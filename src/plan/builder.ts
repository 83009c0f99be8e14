// What the lowerings write with: steps in order, data on the way. The result is a Plan that verify() has looked at.

import type { ErrnoName } from '../linux/errno.ts'
import { encodeName } from '../linux/names.ts'
import { CLONE } from '../linux/namespaces.ts'
import type { SyscallName } from '../linux/syscalls.ts'
import {
  type Address,
  type CallStep,
  type Condition,
  type Data,
  type DataId,
  type DataPart,
  type Field,
  type Label,
  OPPOSITE,
  type Operand,
  type Operation,
  type Origin,
  type Plan,
  REPORT,
  type Routine,
  type Step,
  type SyscallStep,
  type Value,
  type Width,
} from './step.ts'
import { verify } from './verify.ts'

/** An operand, or a text that becomes the address of a C string. */
export type Argument = Operand | string

/** A question that steps ask: `left` against `right`. */
export type Test = readonly [left: Value | Field, condition: Condition, right: number | Value | Field]

/** Ways out of a loop's body: on with the next round, and on behind the loop. */
export interface LoopExits {
  readonly next: Label
  readonly done: Label
}

/** A place that many bytes behind where an address points. */
export interface Behind {
  readonly kind: 'behind'
  readonly base: Value
  readonly offset: number
}

/** A field of the structure that an address points to. */
export function behind(base: Value, offset: number): Behind {
  return { kind: 'behind', base, offset }
}

/** A pointer's bytes. */
export const WORD = 8

/** Shared by all steps that tolerate nothing: most of them. */
const NO_ERRORS = Object.freeze({})

export interface CallOptions {
  /** What the result is, for the printed plan. */
  readonly name?: string
  readonly ignore?: Partial<Record<ErrnoName, string>>
  readonly onError?: Partial<Record<ErrnoName | '*', Label>>
  /** The object that a failure speaks of, when it isn't the section's. */
  readonly about?: string
  /** Write into this value's slot: the second try of the call that made it. */
  readonly result?: Value
}

export interface SyscallOptions extends CallOptions {
  readonly atLeast?: { readonly count: number; readonly errno: ErrnoName }
  readonly path?: 'host' | 'container'
}

/** @param gate the step from which on failures are told to start */
type LateContents = (steps: readonly Step[], gate: number | undefined) => Uint8Array

/** Where steps are being written: in the program, or in a routine. */
interface Place {
  readonly steps: Step[]
  readonly isRoutine: boolean
  /** Is it the child of a fork that does them? */
  isChild: boolean
  origin: Origin
  about: string | undefined
  rescue: { readonly label: Label; readonly onError: SyscallStep['onError'] } | undefined
}

const START = { isRoutine: false, isChild: false, origin: '', about: undefined, rescue: undefined } as const

/** A data object and the ways to point into it. */
export class DataObject {
  readonly address: Address

  constructor(id: DataId) {
    this.address = { kind: 'address', data: id, offset: 0 }
  }

  at(offset: number): Address {
    return { kind: 'address', data: this.address.data, offset }
  }

  field(offset: number, width: Field['width'], mask?: number): Field {
    return { kind: 'field', data: this.address.data, offset, width, mask }
  }
}

export class PlanBuilder {
  #now: Place = { ...START, steps: [] }
  /** By name; undefined while it is being written. */
  readonly #routines = new Map<string, Routine | undefined>()
  readonly #routineSteps: Step[][] = []
  readonly #data: Data[] = []
  readonly #strings = new Map<string, DataObject>()
  readonly #constants = new Map<string, DataObject>()
  #values = 0
  #labels = 0
  readonly #report: DataObject
  readonly #reportFd: DataObject
  #profile: DataObject | undefined
  readonly #subjects = new Map<Origin, string>()
  #gate: number | undefined
  #entry: DataObject | undefined
  readonly #late: { readonly object: DataObject; readonly length: DataObject; readonly contents: LateContents }[] = []

  /**
   * @param channel the descriptor to which failures are reported first
   * @param textRoom bytes for the text of a failure report
   */
  constructor(channel: number, textRoom = 0) {
    this.#report = this.buffer('report', REPORT.text + textRoom)
    this.#reportFd = this.struct('report_fd', [{ kind: 'u32', value: channel }])
  }

  /** Steps made by `body` were asked for by this config property, and speak of this object when they fail. */
  section(origin: Origin, about: string | undefined, body: () => void): void {
    const now = this.#now
    const outer = { origin: now.origin, about: now.about }
    if (about !== undefined && !this.#subjects.has(origin)) this.#subjects.set(origin, about)
    Object.assign(now, { origin, about })
    body()
    Object.assign(now, outer)
  }

  /** Ask the kernel. Without options any error ends the image with a report. */
  syscall(name: SyscallName, args: readonly Argument[], options: SyscallOptions = {}): Value {
    const result = options.result ?? this.value(options.name ?? name)
    this.#now.steps.push({
      op: 'syscall',
      name,
      args: this.#operands(args),
      result,
      ignore: options.ignore ?? NO_ERRORS,
      onError: this.#rescued(options.onError),
      path: options.path ?? 'host',
      origin: this.#now.origin,
      about: options.about ?? this.#now.about,
      atLeast: options.atLeast,
      inChild: this.#inChild,
    })
    return result
  }

  /**
   * Code that exists once in the image, to be called from many places. It knows no values but its parameters and those that it
   * makes; further results go into data. Where a step of it fails the caller gets the -errno, as from a system call.
   * @param name of this code; written a second time, it is the first one, and must mean the same objects then
   * @param body returns what the routine returns; 0 when nothing
   */
  routine<Names extends readonly string[]>(
    name: string,
    parameters: Names,
    body: (...values: { [Index in keyof Names]: Value }) => Argument | undefined,
  ): Routine {
    const known = this.#routines.get(name)
    if (known !== undefined) return known
    if (this.#routines.has(name)) throw new Error(`routine ${name} calls itself`)
    this.#routines.set(name, undefined)
    const values = parameters.map((parameter) => this.value(parameter)) as { [Index in keyof Names]: Value }
    const routine: Routine = { kind: 'routine', id: this.#routines.size - 1, name, parameters: values }
    const outer = this.#now
    this.#now = { ...START, steps: [], isRoutine: true }
    this.#push({ op: 'routine', routine })
    const result = body(...values)
    if (!this.#hasEnded) this.return(result ?? 0)
    this.#routineSteps.push(this.#now.steps)
    this.#now = outer
    this.#routines.set(name, routine)
    return routine
  }

  /** Go through a routine. Without options an error ends the image with a report that speaks of this step. */
  call(routine: Routine, args: readonly Argument[], options: CallOptions = {}): Value {
    const result = options.result ?? this.value(options.name ?? routine.name)
    const step: CallStep = {
      op: 'call',
      routine,
      args: this.#operands(args),
      result,
      ignore: options.ignore ?? NO_ERRORS,
      onError: this.#rescued(options.onError),
      origin: this.#now.origin,
      about: options.about ?? this.#now.about,
      inChild: this.#inChild,
    }
    this.#now.steps.push(step)
    return result
  }

  /** Back from a routine, with a number or -errno. */
  return(value: Argument = 0): void {
    if (!this.#now.isRoutine) throw new Error('nothing to return from')
    if (this.#now.isChild) throw new Error('the child of a fork returns')
    this.#push({ op: 'return', value: this.#operand(value) })
  }

  get #inChild(): true | undefined {
    return this.#now.isRoutine && this.#now.isChild ? true : undefined
  }

  #operand(argument: Argument): Operand {
    return typeof argument === 'string' ? this.string(argument).address : argument
  }

  #operands(args: readonly Argument[]): Operand[] {
    const operands: Operand[] = []
    for (const arg of args) operands.push(this.#operand(arg))
    return operands
  }

  /**
   * From here on whatever fails goes on at this label, instead of ending the image with a report; undefined for the report
   * again. Not in the child of a fork.
   */
  rescueAt(label: Label | undefined): void {
    this.#now.rescue = label === undefined ? undefined : { label, onError: Object.freeze({ '*': label }) }
  }

  #rescued(onError: SyscallStep['onError'] = NO_ERRORS): SyscallStep['onError'] {
    const rescue = this.#now.rescue
    if (rescue === undefined || onError['*'] !== undefined) return onError
    return onError === NO_ERRORS ? rescue.onError : { ...onError, '*': rescue.label }
  }

  label(name: string): Label {
    return { kind: 'label', id: this.#labels++, name }
  }

  /** Let a label stand here. */
  place(label: Label): void {
    this.#push({ op: 'label', label })
  }

  jump(to: Label): void {
    this.#push({ op: 'jump', to })
  }

  branch(left: Value | Field, condition: Condition, right: number | Value | Field, to: Label): void {
    this.#push({ op: 'branch', left, condition, right, to })
  }

  /** Do something if a test holds, and something else if not. */
  when([left, condition, right]: Test, then: () => void, otherwise?: () => void): void {
    const not = this.label(otherwise === undefined ? 'end_when' : 'otherwise')
    this.branch(left, OPPOSITE[condition], right, not)
    then()
    if (otherwise === undefined) {
      this.place(not)
      return
    }
    const end = this.#hasEnded ? undefined : this.label('end_when')
    if (end !== undefined) this.jump(end)
    this.place(not)
    otherwise()
    if (end !== undefined) this.place(end)
  }

  /** Do something again and again, until it goes to `done`; for ever, when it doesn't ask for that. */
  loop(body: (exits: LoopExits) => void): void {
    const next = this.label('next')
    let done: Label | undefined
    const label = (): Label => {
      done ??= this.label('done')
      return done
    }
    this.place(next)
    body({
      next,
      get done() {
        return label()
      },
    })
    if (!this.#hasEnded) this.jump(next)
    if (done !== undefined) this.place(done)
  }

  /**
   * Do something for each string of an array of pointers that ends in NULL.
   * @param body may change the value that it gets
   */
  each(array: Operand, body: (string: Value, exits: LoopExits) => void): void {
    const pointer = this.add(array, 0, this.value('pointer'))
    const string = this.value('string')
    this.loop(({ next: again, done }) => {
      this.load(pointer, 8, string)
      this.branch(string, 'eq', 0, done)
      const next = this.label('next_string')
      body(string, { next, done })
      this.place(next)
      this.add(pointer, WORD, pointer)
      this.jump(again)
    })
  }

  /** Does nothing that stands here ever run? */
  get #hasEnded(): boolean {
    const op = this.#now.steps.at(-1)?.op
    return op === 'jump' || op === 'fail' || op === 'exit' || op === 'return'
  }

  /** The sum of two numbers, into a value of its own or into one that there is. */
  add(left: Operand, right: Operand, result: Value = this.value('sum')): Value {
    return this.compute('add', left, right, result)
  }

  /** A number from two, into a value of its own or into one that there is. */
  compute(operation: Operation, left: Operand, right: Operand, result: Value = this.value(operation)): Value {
    this.#push({ op: 'compute', operation, result, left, right })
    return result
  }

  /** What stands where an address points, or behind that: see behind(). */
  load(from: Value | Behind, width: Width, result: Value = this.value('loaded')): Value {
    const [base, offset] = from.kind === 'behind' ? [from.base, from.offset] : [from, 0]
    this.#push({ op: 'load', result, from: base, offset, width })
    return result
  }

  /** A value that no step has written yet. */
  value(name: string): Value {
    return { kind: 'value', id: this.#values++, name }
  }

  /** The address of argc: argv and the environment stand behind it. */
  entry(): Field {
    this.#entry ??= this.buffer('entry', 8)
    return this.#entry.field(0, 8)
  }

  /** Write a number into a data object. */
  store(to: Address, width: Width, value: Argument): void {
    this.#push({ op: 'store', to, offset: 0, width, value: this.#operand(value) })
  }

  /**
   * Write a number where an address points, or behind that. It must be in this object: the image looks before it writes, and
   * this step fails with EFAULT otherwise.
   */
  storeIn(object: DataObject, to: Value | Behind, width: Width, value: Argument): void {
    this.#storeBehind(to, width, value, object.address.data)
  }

  /** Write into what the kernel has handed to the program: its words, its environment, memory of mmap(2). Nothing is checked. */
  storeOutside(to: Value | Behind, width: Width, value: Argument): void {
    this.#storeBehind(to, width, value, 'outside')
  }

  #storeBehind(to: Value | Behind, width: Width, value: Argument, within: DataId | 'outside'): void {
    const [base, offset] = to.kind === 'behind' ? [to.base, to.offset] : [to, 0]
    const orElse = within === 'outside' ? undefined : this.#now.rescue?.label
    const inChild = this.#inChild
    this.#push({ op: 'store', to: base, offset, width, value: this.#operand(value), within, orElse, inChild })
  }

  /** Report a failure of this step and exit. */
  fail(code: number | Value | Field, about?: string, text?: Value): void {
    if (this.#now.rescue !== undefined) this.jump(this.#now.rescue.label)
    else
      this.#now.steps.push({
        op: 'fail',
        code,
        origin: this.#now.origin,
        about: about ?? this.#now.about,
        text,
        inChild: this.#inChild,
      })
  }

  /** Fail unless a number is as it must be. */
  require(
    left: Value | Field,
    condition: Condition,
    right: number | Value | Field,
    errno: number,
    about?: string,
  ): void {
    const fine = this.label('as_required')
    this.branch(left, condition, right, fine)
    this.fail(errno, about)
    this.place(fine)
  }

  exit(status: number | Value | Field): void {
    this.#push({ op: 'exit', status })
  }

  /** From here on paths are the container's. */
  pivot(): void {
    this.#push({ op: 'pivot' })
  }

  /** Failures from here on are told to start: those of the process that has passed the gate. */
  passGate(): void {
    if (this.#now.isRoutine) throw new Error('a routine has no gate')
    this.#gate = this.#now.steps.length
  }

  /** Failures from here on are reported to another descriptor. */
  reportTo(fd: number): void {
    this.store(this.#reportFd.address, 4, fd)
  }

  /** Where the text of a failure report goes. */
  get reportText(): Address {
    return this.#report.at(REPORT.text)
  }

  /**
   * clone3(2): the child runs `child` and must end by itself; the parent goes on after it.
   * @param cgroup a descriptor of a cgroup v2 folder to be born in
   * @param pidfd where the child's pidfd goes
   * @param tid where the child's pid goes before it runs: with CLONE_PARENT_SETTID among the flags
   * @returns the child's pid, as the parent sees it
   */
  fork(name: string, flags: bigint, child: () => void, cgroup?: Value, pidfd?: Address, tid?: Value): Value {
    const SIGCHLD = (flags & BigInt(CLONE.PARENT)) === 0n ? 17 : 0
    const into = cgroup === undefined ? 0n : CLONE.INTO_CGROUP
    const args = this.struct(`clone_args ${name}`, [
      u64(flags | into | (pidfd === undefined ? 0n : BigInt(CLONE.PIDFD))),
      pidfd === undefined ? u64(0) : { kind: 'pointer', to: pidfd },
      ...[0, 0, SIGCHLD, 0, 0, 0, 0, 0, 0].map(u64),
    ])
    if (cgroup !== undefined) this.store(args.at(80), 8, cgroup)
    if (tid !== undefined) this.store(args.at(24), 8, tid)
    return this.#part(this.syscall('clone3', [args.address, 88], { name }), child)
  }

  /**
   * The same by clone(2), which filters of system calls let pass that refuse clone3(2): they can't look into its structure.
   * @param pidfd where the child's pidfd goes
   */
  forkFiltered(name: string, child: () => void, pidfd: Address): Value {
    const SIGCHLD = 17
    return this.#part(this.syscall('clone', [CLONE.PIDFD | SIGCHLD, 0, pidfd, 0, 0], { name }), child)
  }

  /** Parent and child go on from a fork. */
  #part(pid: Value, child: () => void): Value {
    const now = this.#now
    const outer = { rescue: now.rescue, isChild: now.isChild }
    const parent = this.label('parent')
    this.branch(pid, 'ne', 0, parent)
    Object.assign(now, { rescue: undefined, isChild: true })
    child()
    Object.assign(now, outer)
    this.place(parent)
    return pid
  }

  /** A constant C string. */
  string(text: string): DataObject {
    const known = this.#strings.get(text)
    if (known !== undefined) return known
    const bytes = encodeName(`${text}\0`)
    const object = this.#object([bytes], bytes.length, false, JSON.stringify(text))
    this.#strings.set(text, object)
    return object
  }

  /** A NULL-terminated array of C strings (argv, envp); `more` are strings that stand elsewhere. */
  strings(texts: readonly string[], more: readonly Address[] = []): DataObject {
    const addresses = [...texts.map((text) => this.string(text).address), ...more]
    const parts: DataPart[] = addresses.map((to) => ({ kind: 'pointer', to }))
    return this.#object([...parts, u64(0)], 8 * (addresses.length + 1), false, JSON.stringify(texts))
  }

  /** A constant structure. @param text all of its contents: structures with equal texts are one */
  constant(text: string, parts: readonly DataPart[]): DataObject {
    const known = this.#constants.get(text)
    if (known !== undefined) return known
    const object = this.#object(parts, sizeOf(parts), false, text)
    this.#constants.set(text, object)
    return object
  }

  /** A structure that steps may write into. */
  struct(text: string, parts: readonly DataPart[]): DataObject {
    return this.#object(parts, sizeOf(parts), true, text)
  }

  /** Zeroed writable room. */
  buffer(text: string, size: number): DataObject {
    return this.#object([], size, true, text)
  }

  /**
   * Bytes that depend on the steps themselves, which are known when the plan is finished; steps may write into them.
   * @returns where they will be, and a field with their length
   */
  late(text: string, contents: LateContents): { readonly address: Address; readonly length: Field } {
    const object = this.#object([], 0, true, text)
    const length = this.#object([u64(0)], 8, false, `length of ${text}`)
    this.#late.push({ object, length, contents })
    return { address: object.address, length: length.field(0, 8) }
  }

  /** The table of time stamps; its size is known when the plan is finished. */
  profileTable(): DataObject {
    this.#profile ??= this.buffer('profile', 0)
    return this.#profile
  }

  /** How many steps there are by now. */
  get length(): number {
    return this.#now.steps.length
  }

  /** @throws Error naming the step, for what verify() refuses: a bug of who wrote the steps */
  finish(): Plan {
    const steps = this.#now.steps.concat(...this.#routineSteps)
    for (const { object, length, contents } of this.#late) {
      const bytes = contents(steps, this.#gate)
      this.#fill(object, [bytes], bytes.length)
      this.#fill(length, [u64(bytes.length)], 8)
    }
    const data = this.#data.map((object) =>
      object.id === this.#profile?.address.data ? { ...object, size: 8 * steps.length } : object,
    )
    return verify({
      steps,
      data,
      subjects: this.#subjects,
      reportFd: this.#reportFd.address,
      report: this.#report.address.data,
      ...(this.#gate === undefined ? {} : { gate: this.#gate }),
      ...(this.#entry === undefined ? {} : { entry: this.#entry.address }),
      ...(this.#profile === undefined ? {} : { profile: this.#profile.address.data }),
    })
  }

  #fill({ address }: DataObject, parts: readonly DataPart[], size: number): void {
    const object = this.#data[address.data]
    if (object !== undefined) this.#data[address.data] = { ...object, parts, size }
  }

  #push(step: StepWithoutOrigin): void {
    this.#now.steps.push({ ...step, origin: this.#now.origin, about: this.#now.about })
  }

  #object(parts: readonly DataPart[], size: number, writable: boolean, text: string): DataObject {
    const id = this.#data.length
    this.#data.push({ id, parts, size, writable, text })
    return new DataObject(id)
  }
}

type StepWithoutOrigin = Step extends infer S ? (S extends Step ? Omit<S, 'origin'> : never) : never

export function u64(value: number | bigint): DataPart {
  return { kind: 'u64', value }
}

export function u32(value: number | bigint): DataPart {
  return { kind: 'u32', value }
}

function sizeOf(parts: readonly DataPart[]): number {
  let size = 0
  for (const part of parts) size += part instanceof Uint8Array ? part.length : part.kind === 'u32' ? 4 : 8
  return size
}
