// A plan as stable text: for people, for golden tests, for bug reports. Same plan, same text.

import type { SyscallName } from '../linux/syscalls.ts'
import { argumentSpelling, fieldsOf, openFlags, plain } from './names.ts'
import type { Address, Data, DataPart, Operand, Plan, Step, Value } from './step.ts'
import { hostPathOf } from './syscall-rules.ts'

/**
 * @returns the plan, one step a line, under a heading for each config property that asked for steps and for each routine; and what
 *   it comes to
 */
export function print(plan: Plan): string {
  const lines: string[] = []
  let heading = ''
  for (const [index, step] of plan.steps.entries()) {
    if (step.op === 'routine' || headingOf(step, plan) !== heading) {
      heading = headingOf(step, plan)
      lines.push('', `${step.op === 'routine' ? printStep(step, plan) : heading}:`)
      if (step.op === 'routine') continue
    }
    lines.push(`${String(index).padStart(5)}  ${printStep(step, plan)}`)
    lines.push(...footnotes(step).map((note) => `           ${note}`))
  }
  lines.push('', 'in all:', ...summary(plan).map((line) => `       ${line}`))
  return `${lines.join('\n').trimStart()}\n`
}

/** The property, and the path that it is about: of a mount the destination. */
function headingOf({ origin }: Step, { subjects }: Plan): string {
  if (origin === '') return 'every container'
  const subject = subjects?.get(origin)
  return subject?.startsWith('/') === true ? `${origin} (${subject})` : origin
}

/** How much it is, what is mounted, and what of the host is named. */
function summary(plan: Plan): string[] {
  const { steps, subjects, data } = plan
  const count = (op: Step['op'], what: string): string => {
    const number = steps.filter((step) => step.op === op).length
    return `${number} ${what}${number === 1 ? '' : 's'}`
  }
  const paths = new Set<string>()
  for (const step of steps) {
    const path = step.op === 'syscall' ? hostPathOf(step) : undefined
    const text = typeof path === 'object' && path.kind === 'address' ? printOperand(path, data) : ''
    if (text.startsWith('"/')) paths.add(JSON.parse(text))
  }
  const mounts = [...(subjects ?? [])].filter(([origin]) => /^\/mounts\/\d+$/.test(origin))
  const lines = [`${steps.length} steps: ${count('syscall', 'system call')}, ${count('routine', 'routine')}`]
  if (mounts.length > 0) lines.push(`mounts: ${mounts.map(([, destination]) => destination).join(' ')}`)
  if (paths.size > 0) lines.push(`paths of the host: ${[...paths].sort().join(' ')}`)
  return lines
}

/** One step, without its number. */
export function printStep(step: Step, plan: Plan): string {
  switch (step.op) {
    case 'syscall': {
      const args = step.args.map((arg, position) => printArgument(arg, position, step.name, plan.data))
      return `%${step.result.name}.${step.result.id} = ${step.name}(${args.join(', ')})`
    }
    case 'label':
      return `${step.label.name}.${step.label.id}:`
    case 'jump':
      return `jump ${step.to.name}.${step.to.id}`
    case 'branch':
      return `if ${printOperand(step.left, plan.data)} ${step.condition} ${printOperand(step.right, plan.data)} jump ${step.to.name}.${step.to.id}`
    case 'call':
      return `%${step.result.name}.${step.result.id} = call ${step.routine.name}(${printOperands(step.args, plan.data)})`
    case 'routine':
      return `routine ${step.routine.name}(${printOperands(step.routine.parameters, plan.data)})`
    case 'return':
      return `return ${printOperand(step.value, plan.data)}`
    case 'store':
      return `store ${printPlace(step.to, step.offset, plan.data)}:${step.width} = ${printOperand(step.value, plan.data)}`
    case 'compute':
      return `%${step.result.name}.${step.result.id} = ${printOperand(step.left, plan.data)} ${SIGNS[step.operation]} ${printOperand(step.right, plan.data)}`
    case 'load':
      return `%${step.result.name}.${step.result.id} = ${printPlace(step.from, step.offset, plan.data)}:${step.width}`
    case 'fail':
      return `fail ${printOperand(step.code, plan.data)}${step.about === undefined ? '' : ` (${step.about})`}`
    case 'exit':
      return `exit ${typeof step.status === 'number' ? step.status : printOperand(step.status, plan.data)}`
    case 'pivot':
      return "--- paths are the container's from here ---"
  }
}

const SIGNS = { add: '+', sub: '-', mul: '*', div: '/', and: '&', or: '|', shl: '<<', shr: '>>' } as const

function printPlace(base: Address | Value, offset: number, data: readonly Data[]): string {
  if (base.kind === 'address') return printAddress(base.data, base.offset + offset, data)
  return offset === 0 ? `*${printOperand(base, data)}` : `*(${printOperand(base, data)}+${offset})`
}

function footnotes(step: Step): string[] {
  if (step.op !== 'syscall' && step.op !== 'call') return []
  const notes = Object.entries(step.ignore).map(([errno, reason]) => `${errno} is fine: ${reason}`)
  for (const [errno, label] of Object.entries(step.onError)) notes.push(`on ${errno} jump ${label.name}.${label.id}`)
  if (step.op === 'syscall' && step.atLeast !== undefined)
    notes.push(`less than ${step.atLeast.count} is ${step.atLeast.errno}`)
  return notes
}

function printOperands(operands: readonly Operand[], data: readonly Data[]): string {
  return operands.map((operand) => printOperand(operand, data)).join(', ')
}

function printArgument(arg: Operand, position: number, call: SyscallName, data: readonly Data[]): string {
  const number = typeof arg === 'object' && arg.kind === 'open-flags' ? arg.flags : arg
  return typeof number === 'object' ? printOperand(number, data) : argumentSpelling(call, position)(number)
}

function printOperand(operand: Operand, data: readonly Data[]): string {
  if (typeof operand !== 'object') return plain(operand)
  switch (operand.kind) {
    case 'value':
      return `%${operand.name}.${operand.id}`
    case 'open-flags':
      return openFlags(operand.flags)
    case 'address':
      return printAddress(operand.data, operand.offset, data)
    case 'field':
      return `${printAddress(operand.data, operand.offset, data)}:${operand.width}${operand.mask === undefined ? '' : `&${plain(operand.mask)}`}`
  }
}

function printAddress(id: number, offset: number, data: readonly Data[]): string {
  const object = data[id]
  if (object === undefined) return `data ${id}`
  return offset === 0 ? printObject(object, data) : `${object.text}+${offset}`
}

/** What steps write into is shown with its first contents, a structure by its fields. */
function printObject({ text, parts, writable }: Data, data: readonly Data[]): string {
  const fields = fieldsOf(text)
  if (fields === undefined)
    return writable && parts.length > 0 ? `${text}{${parts.map((part) => printPart(part, data)).join(' ')}}` : text
  const shown: string[] = []
  for (const [index, [name, spelling]] of fields.entries()) {
    const part = parts[index]
    if (part === undefined || part instanceof Uint8Array || part.kind === 'pointer') continue
    const number = part.kind === 'open-flags' ? part.flags : part.value
    if (BigInt(number) !== 0n) shown.push(`${name}=${spelling(number)}`)
  }
  return `${/^[^{(]*/.exec(text)?.[0] ?? text}{${shown.join(' ')}}`
}

function printPart(part: DataPart, data: readonly Data[]): string {
  if (part instanceof Uint8Array) return `[${part.length}]`
  if (part.kind === 'pointer') return printAddress(part.to.data, part.to.offset, data)
  return part.kind === 'open-flags' ? openFlags(part.flags) : plain(part.value)
}

/** The plan as JSON, one object a step: what `runt plan --format json` prints. */
export function toJson(plan: Plan): object[] {
  return plan.steps.map((step, index) => ({
    step: index,
    origin: step.origin,
    ...(step.about === undefined ? {} : { about: step.about }),
    op: step.op,
    ...(step.op === 'syscall' ? { syscall: step.name, ignore: step.ignore } : {}),
    ...(step.op === 'call' ? { routine: step.routine.name, ignore: step.ignore } : {}),
    text: printStep(step, plan),
  }))
}
