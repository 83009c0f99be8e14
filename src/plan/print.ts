// A plan as stable text: for people, for golden tests, for bug reports. Same plan, same text.

import type { SyscallName } from '../linux/syscalls.ts'
import { argumentSpelling, fieldsOf, openFlags, plain } from './names.ts'
import type { Address, Data, DataPart, Label, Operand, Plan, Step, StoreStep, Value } from './step.ts'
import { hostPathOf } from './syscall-rules.ts'
import { usedValues } from './uses.ts'

/**
 * @returns the plan, one step a line, under a heading for each config property that asked for steps and for each routine; and what
 *   it comes to
 */
export function print(plan: Plan): string {
  const printer = new Printer(plan)
  const lines: string[] = []
  let heading = ''
  for (const [index, step] of plan.steps.entries()) {
    if (step.op === 'routine' || headingOf(step, plan) !== heading) {
      heading = headingOf(step, plan)
      lines.push('', `${step.op === 'routine' ? printer.step(step) : heading}:`)
      if (step.op === 'routine') continue
    }
    lines.push(`${String(index).padStart(5)}  ${printer.step(step)}`)
    lines.push(...printer.footnotes(step).map((note) => `           ${note}`))
  }
  lines.push('', 'in all:', ...summary(plan, printer).map((line) => `       ${line}`))
  return `${lines.join('\n').trimStart()}\n`
}

/** The property, and the path that it is about: of a mount the destination. */
function headingOf({ origin }: Step, { subjects }: Plan): string {
  if (origin === '') return 'every container'
  const subject = subjects?.get(origin)
  return subject?.startsWith('/') === true ? `${origin} (${subject})` : origin
}

/** How much it is, what is mounted, and what of the host is named. */
function summary({ steps, subjects }: Plan, printer: Printer): string[] {
  const count = (op: Step['op'], what: string): string => {
    const number = steps.filter((step) => step.op === op).length
    return `${number} ${what}${number === 1 ? '' : 's'}`
  }
  const paths = new Set<string>()
  for (const step of steps) {
    const path = step.op === 'syscall' ? hostPathOf(step) : undefined
    const text = typeof path === 'object' && path.kind === 'address' ? printer.operand(path) : ''
    if (text.startsWith('"/')) paths.add(JSON.parse(text))
  }
  const mounts = [...(subjects ?? [])].filter(([origin]) => /^\/mounts\/\d+$/.test(origin))
  const lines = [`${steps.length} steps: ${count('syscall', 'system call')}, ${count('routine', 'routine')}`]
  if (mounts.length > 0) lines.push(`mounts: ${mounts.map(([, destination]) => destination).join(' ')}`)
  if (paths.size > 0) lines.push(`paths of the host: ${[...paths].sort().join(' ')}`)
  return lines
}

const SIGNS = { add: '+', sub: '-', mul: '*', div: '/', and: '&', or: '|', shl: '<<', shr: '>>' } as const

/** Writes the steps of a plan, from the first to the last: the second value of a name gets a number, in each routine anew. */
class Printer {
  readonly #data: readonly Data[]
  readonly #used: readonly (true | undefined)[]
  readonly #names = new Map<number, string>()
  readonly #labels = new Map<number, string>()
  #count = new Map<string, number>()

  constructor({ steps, data }: Plan) {
    this.#data = data
    this.#used = usedValues(steps)
  }

  /** One step, without its number. */
  step(step: Step): string {
    switch (step.op) {
      case 'syscall': {
        const args = step.args.map((arg, position) => this.#argument(arg, position, step.name))
        return `${this.#result(step.result)}${step.name}(${args.join(', ')})`
      }
      case 'label':
        return `${this.#label(step.label)}:`
      case 'jump':
        return `jump ${this.#label(step.to)}`
      case 'branch':
        return `if ${this.operand(step.left)} ${step.condition} ${this.operand(step.right)} jump ${this.#label(step.to)}`
      case 'call': {
        const args = this.#operands(step.args)
        return `${this.#result(step.result)}call ${step.routine.name}(${args})`
      }
      case 'routine':
        this.#count = new Map()
        return `routine ${step.routine.name}(${this.#operands(step.routine.parameters)})`
      case 'return':
        return `return ${this.operand(step.value)}`
      case 'store': {
        const to = this.#place(step.to, step.offset)
        return `store ${to}:${step.width} = ${this.operand(step.value)}${this.#within(step)}`
      }
      case 'compute': {
        const [left, right] = [this.operand(step.left), this.operand(step.right)]
        const isCopy = step.operation === 'add' && step.right === 0
        return `${this.#result(step.result)}${left}${isCopy ? '' : ` ${SIGNS[step.operation]} ${right}`}`
      }
      case 'load': {
        const from = this.#place(step.from, step.offset)
        return `${this.#result(step.result)}${from}:${step.width}`
      }
      case 'fail':
        return `fail ${this.operand(step.code)}${step.about === undefined ? '' : ` (${step.about})`}`
      case 'exit':
        return `exit ${this.operand(step.status)}`
      case 'pivot':
        return "--- paths are the container's from here ---"
    }
  }

  footnotes(step: Step): string[] {
    if (step.op !== 'syscall' && step.op !== 'call') return []
    const notes = Object.entries(step.ignore).map(([errno, reason]) => `${errno} is fine: ${reason}`)
    for (const [errno, label] of Object.entries(step.onError)) notes.push(`on ${errno} jump ${this.#label(label)}`)
    if (step.op === 'syscall' && step.atLeast !== undefined)
      notes.push(`less than ${step.atLeast.count} is ${step.atLeast.errno}`)
    return notes
  }

  operand(operand: Operand): string {
    if (typeof operand !== 'object') return plain(operand)
    switch (operand.kind) {
      case 'value':
        return `%${this.#nameIn(this.#names, operand)}`
      case 'open-flags':
        return openFlags(operand.flags)
      case 'address':
        return this.#address(operand.data, operand.offset)
      case 'field': {
        const mask = operand.mask === undefined ? '' : `&${plain(operand.mask)}`
        return `${this.#address(operand.data, operand.offset)}:${operand.width}${mask}`
      }
    }
  }

  /** Of a step that nothing looks at, nothing. */
  #result(value: Value): string {
    return this.#used[value.id] === true ? `${this.operand(value)} = ` : ''
  }

  #label(label: Label): string {
    return this.#nameIn(this.#labels, label)
  }

  #nameIn(names: Map<number, string>, { id, name, kind }: Value | Label): string {
    const known = names.get(id)
    if (known !== undefined) return known
    const count = (this.#count.get(`${kind} ${name}`) ?? 0) + 1
    this.#count.set(`${kind} ${name}`, count)
    const given = count === 1 ? name : `${name}.${count}`
    names.set(id, given)
    return given
  }

  #operands(operands: readonly Operand[]): string {
    return operands.map((operand) => this.operand(operand)).join(', ')
  }

  #argument(arg: Operand, position: number, call: SyscallName): string {
    const number = typeof arg === 'object' && arg.kind === 'open-flags' ? arg.flags : arg
    return typeof number === 'object' ? this.operand(number) : argumentSpelling(call, position)(number)
  }

  #place(base: Address | Value, offset: number): string {
    if (base.kind === 'address') return this.#address(base.data, base.offset + offset)
    return offset === 0 ? `*${this.operand(base)}` : `*(${this.operand(base)}+${offset})`
  }

  /** Where an address in a value must point. */
  #within({ within, orElse }: StoreStep): string {
    if (within === undefined) return ''
    if (within === 'outside') return ', unchecked'
    return `, in ${this.#data[within]?.text}${orElse === undefined ? '' : ` or jump ${this.#label(orElse)}`}`
  }

  #address(id: number, offset: number): string {
    const object = this.#data[id]
    if (object === undefined) return `data ${id}`
    return offset === 0 ? this.#object(object) : `${object.text}+${offset}`
  }

  /** What steps write into is shown with its first contents, a structure by its fields. */
  #object({ text, parts, writable }: Data): string {
    const fields = fieldsOf(text)
    if (fields === undefined)
      return writable && parts.length > 0 ? `${text}{${parts.map((part) => this.#part(part)).join(' ')}}` : text
    const shown: string[] = []
    for (const [index, [name, spelling]] of fields.entries()) {
      const part = parts[index]
      if (part === undefined || part instanceof Uint8Array || part.kind === 'pointer') continue
      const number = part.kind === 'open-flags' ? part.flags : part.value
      if (BigInt(number) !== 0n) shown.push(`${name}=${spelling(number)}`)
    }
    return `${/^[^{(]*/.exec(text)?.[0] ?? text}{${shown.join(' ')}}`
  }

  #part(part: DataPart): string {
    if (part instanceof Uint8Array) return `[${part.length}]`
    if (part.kind === 'pointer') return this.#address(part.to.data, part.to.offset)
    return part.kind === 'open-flags' ? openFlags(part.flags) : plain(part.value)
  }
}

/** @returns all steps as print() writes them, without their numbers */
export function printSteps(plan: Plan): string[] {
  const printer = new Printer(plan)
  return plan.steps.map((step) => printer.step(step))
}

/** The plan as JSON, one object a step: what `runt plan --format json` prints. */
export function toJson(plan: Plan): object[] {
  const texts = printSteps(plan)
  return plan.steps.map((step, index) => ({
    step: index,
    origin: step.origin,
    ...(step.about === undefined ? {} : { about: step.about }),
    op: step.op,
    ...(step.op === 'syscall' ? { syscall: step.name, ignore: step.ignore } : {}),
    ...(step.op === 'call' ? { routine: step.routine.name, ignore: step.ignore } : {}),
    text: texts[index],
  }))
}
