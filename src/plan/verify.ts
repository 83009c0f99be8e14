// What must hold of every plan before it becomes code. A violation is a bug of runt, never of a config.
//
// The steps are followed along all ways, with what is known of each value. Where ways meet only what holds on all of them stays
// known; steps are looked at again until nothing changes any more. Routines come before those that call them: what one does to
// its caller is known then.

import { CLOSED, Facts, VALUES_LIMIT, WRITTEN } from './facts.ts'
import type {
  CallStep,
  Data,
  Label,
  Operand,
  Plan,
  Routine,
  Step,
  StoreStep,
  SyscallStep,
  UnverifiedPlan,
} from './step.ts'
import { checkCloseOnExec, checkReasons, takesHostPath, writtenBy } from './syscall-rules.ts'
import { usedValues } from './uses.ts'

/**
 * Check a plan: values defined before use, nothing used after close, branches resolved and within their routine, everything
 * reachable, no host path after the pivot, reasons for ignored errors, descriptors close-on-exec, data in bounds.
 * @throws Error naming the step
 */
export function verify(plan: UnverifiedPlan): Plan {
  const labels = labelsOf(plan.steps)
  const routines = new Map<number, Effects>()
  const owners: Owners = []
  const used = usedValues(plan.steps)
  const [program, ...others] = bodiesOf(plan.steps)
  for (const body of [...others, ...(program === undefined ? [] : [program])]) {
    const effects = new Body(plan, body, { labels, routines, owners, used }).check()
    if (body.routine !== undefined) routines.set(body.routine.id, effects)
  }
  for (const { start, routine } of others) {
    if (routine !== undefined && routines.get(routine.id)?.isCalled === false)
      throw inStep(plan.steps, start, new Error(`${routine.name} is never called`))
  }
  return plan as Plan // it is one now
}

/** The steps of the program, or of a routine. */
interface Extent {
  readonly start: number
  readonly end: number
  readonly routine: Routine | undefined
}

/** What a routine does to its caller. */
interface Effects {
  /** Which of its parameters it may close. */
  readonly closes: Set<number>
  /** Does it take paths before they are the container's? */
  takesHostPath: boolean
  pivots: boolean
  isCalled: boolean
}

/** By value: the start of the only body that knows it. */
type Owners = (number | undefined)[]

interface Surroundings {
  /** By label: the step where it stands. */
  readonly labels: ReadonlyMap<number, number>
  /** By routine, of those that were checked. */
  readonly routines: ReadonlyMap<number, Effects>
  readonly owners: Owners
  /** By value: does any step look at it? Nothing need be known of the others. */
  readonly used: readonly (true | undefined)[]
}

function bodiesOf(steps: readonly Step[]): Extent[] {
  const starts = [{ start: 0, routine: undefined as Routine | undefined }]
  for (let start = 0; start < steps.length; start++) {
    const step = steps[start]
    if (step?.op === 'routine') starts.push({ start, routine: step.routine })
  }
  return starts.map(({ start, routine }, index) => ({ start, end: starts[index + 1]?.start ?? steps.length, routine }))
}

function labelsOf(steps: readonly Step[]): Map<number, number> {
  const labels = new Map<number, number>()
  for (let index = 0; index < steps.length; index++) {
    const step = steps[index]
    if (step?.op !== 'label') continue
    if (labels.has(step.label.id)) throw inStep(steps, index, new Error(`label ${step.label.name} is placed twice`))
    labels.set(step.label.id, index)
  }
  return labels
}

function inStep(steps: readonly Step[], index: number, cause: unknown): Error {
  const step = steps[index]
  const where = step === undefined ? 'plan' : `plan step ${index} (${step.op === 'syscall' ? step.name : step.op})`
  return new Error(`${where}: ${cause instanceof Error ? cause.message : cause}`, { cause })
}

class Body {
  readonly #steps: readonly Step[]
  readonly #data: readonly Data[]
  readonly #extent: Extent
  readonly #around: Surroundings
  readonly #effects: Effects = { closes: new Set(), takesHostPath: false, pivots: false, isCalled: false }
  /** By step, for the first one and labels: what is known there, on all ways that were seen to lead there. */
  readonly #entries = new Map<number, Facts>()
  /** By step, from the body's first: is less known there than when it was looked at last? */
  readonly #isDue: Uint8Array
  /** By step, from the body's first. */
  readonly #isReached: Uint8Array
  /** The step that is looked at. */
  #index = 0
  /** No step before this one is due. */
  #next = 0

  constructor({ steps, data }: UnverifiedPlan, extent: Extent, around: Surroundings) {
    this.#steps = steps
    this.#data = data
    this.#extent = extent
    this.#around = around
    this.#isDue = new Uint8Array(extent.end - extent.start)
    this.#isReached = new Uint8Array(extent.end - extent.start)
  }

  /** @throws Error naming the step */
  check(): Effects {
    const { start, end } = this.#extent
    try {
      this.#index = start
      if (start === end) throw new Error('has no steps')
      this.#arrive(start, new Facts())
      for (this.#next = start; this.#next < end; ) {
        const at = this.#next++
        if (this.#isDue[at - start] === 1) this.#follow(at)
      }
      for (this.#index = start; this.#index < end; this.#index++) {
        const isReached = this.#isReached[this.#index - start] === 1
        if (!isReached && this.#steps[this.#index]?.op !== 'label') throw new Error('can never be reached')
      }
      return this.#effects
    } catch (cause) {
      throw inStep(this.#steps, this.#index, cause)
    }
  }

  /** Follow a way until it ends, or comes to where no less is known than before. */
  #follow(from: number): void {
    const { start, end } = this.#extent
    let facts = this.#leave(from)
    for (let index = from; ; ) {
      this.#index = index
      this.#isReached[index - start] = 1
      if (!this.#look(this.#steps[index] as Step, facts)) return // index is in bounds
      if (++index === end) throw new Error('runs past its last step')
      if (this.#steps[index]?.op !== 'label') continue
      this.#arrive(index, facts)
      if (this.#isDue[index - start] === 0) return
      facts = this.#leave(index)
    }
  }

  /** A way leads to a step. */
  #arrive(index: number, facts: Facts): void {
    const known = this.#entries.get(index)
    if (known === undefined) this.#entries.set(index, facts.copy())
    else if (!known.meet(facts)) return
    this.#isDue[index - this.#extent.start] = 1
    this.#next = Math.min(this.#next, index)
  }

  /** A way goes on from a step. */
  #leave(index: number): Facts {
    this.#isDue[index - this.#extent.start] = 0
    return this.#entries.get(index)?.copy() ?? new Facts()
  }

  #branch(label: Label, facts: Facts): void {
    const { start, end } = this.#extent
    const index = this.#around.labels.get(label.id)
    if (index === undefined) throw new Error(`label ${label.name} is used and never placed`)
    if (index < start || index >= end) throw new Error(`label ${label.name} is another routine's`)
    this.#arrive(index, facts)
  }

  /** Check a step, and note what is known behind it. @returns whether it goes on with the next one */
  #look(step: Step, facts: Facts): boolean {
    switch (step.op) {
      case 'routine':
        for (const { id } of step.routine.parameters) this.#write(id, facts)
        return true
      case 'syscall':
        this.#useAll(step.args, facts)
        this.#checkSyscall(step, facts)
        this.#write(step.result.id, facts)
        if (step.name === 'close') this.#close(step.args[0], facts)
        this.#onErrors(step, facts)
        this.#return(facts)
        return true
      case 'call':
        this.#useAll(step.args, facts)
        this.#call(step, facts)
        this.#onErrors(step, facts)
        this.#return(facts)
        return true
      case 'label':
        return true
      case 'branch':
        this.#use(step.left, facts)
        this.#use(step.right, facts)
        this.#branch(step.to, facts)
        return true
      case 'store':
        this.#use(step.value, facts)
        this.#use(step.to, facts)
        checkStore(step, this.#data)
        if (step.orElse !== undefined) this.#branch(step.orElse, facts)
        this.#return(facts)
        return true
      case 'compute':
        this.#use(step.left, facts)
        this.#use(step.right, facts)
        checkOperation(step)
        this.#write(step.result.id, facts)
        return true
      case 'load':
        this.#use(step.from, facts)
        this.#write(step.result.id, facts)
        return true
      case 'jump':
        this.#branch(step.to, facts)
        return false
      case 'return':
        if (this.#extent.routine === undefined) throw new Error('there is nothing to return from')
        this.#use(step.value, facts)
        this.#return(facts)
        return false
      case 'fail':
        this.#use(step.code, facts)
        if (step.text !== undefined) this.#use(step.text, facts)
        this.#checkFail(step)
        this.#return(facts)
        return false
      case 'exit':
        this.#use(step.status, facts)
        return false
      case 'pivot':
        facts.pivoted = true
        return true
    }
  }

  #useAll(operands: readonly Operand[], facts: Facts): void {
    for (const operand of operands) this.#use(operand, facts)
  }

  #use(operand: Operand, facts: Facts): void {
    if (typeof operand !== 'object' || operand.kind === 'open-flags') return
    if (operand.kind === 'value') {
      const fact = facts.get(operand.id)
      if (fact === undefined) throw new Error(`${operand.name} is not defined on every way here`)
      if (fact === CLOSED) throw new Error(`${operand.name} is used after it was closed`)
    } else {
      const end = operand.offset + (operand.kind === 'field' ? operand.width : 0)
      checkBounds(operand.data, end, false, this.#data)
    }
  }

  #write(id: number, facts: Facts): void {
    const { owners, used } = this.#around
    if (used[id] === undefined) return
    if (id >= VALUES_LIMIT) throw new Error('too many values')
    owners[id] ??= this.#extent.start
    if (owners[id] !== this.#extent.start) throw new Error('writes a value that another routine knows')
    facts.set(id, WRITTEN)
  }

  #close(descriptor: Operand | undefined, facts: Facts): void {
    if (typeof descriptor === 'object' && descriptor.kind === 'value') facts.set(descriptor.id, CLOSED)
  }

  #checkSyscall(step: SyscallStep, facts: Facts): void {
    checkReasons(step)
    checkCloseOnExec(step)
    if (takesHostPath(step)) this.#takeHostPath(facts)
    const written = writtenBy(step)
    if (written !== undefined) checkBounds(written.to.data, written.to.offset + written.length, true, this.#data)
  }

  #takeHostPath({ pivoted }: Facts): void {
    if (pivoted) throw new Error('takes a host path after the pivot')
    this.#effects.takesHostPath = true
  }

  #call(step: CallStep, facts: Facts): void {
    const { routine, args, result } = step
    checkReasons(step)
    const effects = this.#around.routines.get(routine.id)
    if (effects === undefined) throw new Error(`routine ${routine.name} doesn't stand before its caller`)
    if (args.length !== routine.parameters.length) throw new Error(`${args.length} arguments for ${routine.name}`)
    effects.isCalled = true
    if (effects.takesHostPath) this.#takeHostPath(facts)
    if (effects.pivots) facts.pivoted = true
    for (const index of effects.closes) this.#close(args[index], facts)
    this.#write(result.id, facts)
  }

  #onErrors({ onError }: SyscallStep | CallStep, facts: Facts): void {
    for (const errno in onError) {
      const label = onError[errno as keyof typeof onError]
      if (label !== undefined) this.#branch(label, facts)
    }
  }

  /** A way may lead back to the caller. */
  #return(facts: Facts): void {
    const { routine } = this.#extent
    if (routine === undefined) return
    for (const [index, { id }] of routine.parameters.entries())
      if (facts.get(id) === CLOSED) this.#effects.closes.add(index)
    this.#effects.pivots ||= facts.pivoted
  }

  /** In a routine the caller gets the errno; only the child of a fork ends with a report. */
  #checkFail({ code, text, inChild }: Step & { readonly op: 'fail' }): void {
    if (this.#extent.routine === undefined || inChild === true) return
    if (typeof code !== 'number' || code < 1 || code > 4095 || text !== undefined)
      throw new Error('a routine fails with an errno alone')
  }
}

/** That it is in its object the machine looks at; there must be one that can hold it. */
function checkStore({ to, offset, width, within }: StoreStep, data: readonly Data[]): void {
  if (offset < 0) throw new Error('stores before an address')
  if (to.kind === 'address') checkBounds(to.data, to.offset + offset + width, true, data)
  else if (within === undefined) throw new Error(`stores where ${to.name} points, and into no object`)
  else if (within !== 'outside') checkBounds(within, offset + width, true, data)
}

/** What machines do differently: a division by 0, a shift by 64 bits. */
function checkOperation({ operation, right }: Step & { readonly op: 'compute' }): void {
  if (operation === 'div' && (typeof right !== 'number' || right === 0)) throw new Error('divides by what may be 0')
  const isShift = operation === 'shl' || operation === 'shr'
  if (isShift && (typeof right !== 'number' || right < 0 || right > 63)) throw new Error('shifts by what may be 64')
}

function checkBounds(id: number, end: number, write: boolean, data: readonly Data[]): void {
  const object = data[id]
  if (object === undefined) throw new Error(`data object ${id} doesn't exist`)
  if (write && !object.writable) throw new Error(`${object.text} is read-only`)
  if (end > object.size) throw new Error(`${end} is past the end of ${object.text}`)
}
