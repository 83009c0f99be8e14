// A plan as stable text: for people, for golden tests, for bug reports. Same plan, same text.

import { FSCONFIG, MOUNT_ATTR, MOVE_MOUNT, MS, OPEN_TREE } from '../linux/mount-flags.ts'
import { CLONE, NAMESPACES } from '../linux/namespaces.ts'
import { AT, O } from '../linux/open-flags.ts'
import type { SyscallName } from '../linux/syscalls.ts'
import type { Address, Data, DataPart, Operand, Plan, Step, Value } from './step.ts'

type FlagTable = Readonly<Record<string, number | bigint>>

const NAMESPACE_FLAGS: FlagTable = Object.fromEntries(
  Object.values(NAMESPACES).map(({ flag, link }) => [`CLONE_NEW${link.replace('mnt', 'ns').toUpperCase()}`, flag]),
)
const CLONE_FLAGS: FlagTable = { ...NAMESPACE_FLAGS, ...named('CLONE_', CLONE) }
const OPEN_FLAGS = named('O_', O)
const MOUNT_ATTRS = named('MOUNT_ATTR_', MOUNT_ATTR)
const AT_FLAGS = named('AT_', {
  SYMLINK_NOFOLLOW: AT.SYMLINK_NOFOLLOW,
  EMPTY_PATH: AT.EMPTY_PATH,
  RECURSIVE: AT.RECURSIVE,
})

/** Arguments that are bit masks or enumerations, by call and position. */
const ARGUMENT_FLAGS: Partial<Record<SyscallName, Readonly<Record<number, FlagTable>>>> = {
  openat: { 2: OPEN_FLAGS },
  dup3: { 2: OPEN_FLAGS },
  open_tree: { 2: { ...named('OPEN_TREE_', OPEN_TREE), ...AT_FLAGS } },
  move_mount: { 4: named('MOVE_MOUNT_', MOVE_MOUNT) },
  fsconfig: { 1: named('FSCONFIG_', FSCONFIG) },
  fsmount: { 2: MOUNT_ATTRS },
  mount_setattr: { 2: AT_FLAGS },
  mount: { 3: named('MS_', MS) },
  unshare: { 0: CLONE_FLAGS },
  setns: { 1: NAMESPACE_FLAGS },
  statx: { 2: AT_FLAGS },
}
/** Calls whose argument 1 is one value, not a mask. */
const ENUMERATED: readonly SyscallName[] = ['fsconfig']

function named(prefix: string, table: FlagTable): FlagTable {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [prefix + name, value]))
}

/** @returns the plan, one step a line, under a heading for each config property that asked for steps */
export function print(plan: Plan): string {
  const lines: string[] = []
  let origin: string | undefined
  for (const [index, step] of plan.steps.entries()) {
    if (step.op === 'routine') {
      origin = step.origin
      lines.push('', `${printStep(step, plan)}:`)
      continue
    }
    if (step.origin !== origin) {
      origin = step.origin
      lines.push('', `${origin === '' ? 'every container' : origin}:`)
    }
    lines.push(`${String(index).padStart(5)}  ${printStep(step, plan)}`)
    lines.push(...footnotes(step).map((note) => `           ${note}`))
  }
  return `${lines.join('\n').trimStart()}\n`
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
  if (arg === AT.FDCWD) return 'AT_FDCWD'
  const flags = ARGUMENT_FLAGS[call]?.[position]
  const number = typeof arg === 'object' && arg.kind === 'open-flags' ? arg.flags : arg
  if (flags === undefined || typeof number === 'object') return printOperand(arg, data)
  if (ENUMERATED.includes(call)) return Object.entries(flags).find(([, value]) => value === number)?.[0] ?? `${number}`
  return printFlags(BigInt(number), flags)
}

function printFlags(number: bigint, flags: FlagTable): string {
  let rest = number
  const names: string[] = []
  for (const [name, value] of Object.entries(flags)) {
    const bits = BigInt(value)
    if (bits === 0n || (rest & bits) !== bits) continue
    names.push(name)
    rest &= ~bits
  }
  if (rest !== 0n || names.length === 0) names.push(hex(rest))
  return names.join('|')
}

function printOperand(operand: Operand, data: readonly Data[]): string {
  if (typeof operand !== 'object') return hex(operand)
  switch (operand.kind) {
    case 'value':
      return `%${operand.name}.${operand.id}`
    case 'open-flags':
      return printFlags(BigInt(operand.flags), OPEN_FLAGS)
    case 'address':
      return printAddress(operand.data, operand.offset, data)
    case 'field':
      return `${printAddress(operand.data, operand.offset, data)}:${operand.width}${operand.mask === undefined ? '' : `&${hex(operand.mask)}`}`
  }
}

function printAddress(id: number, offset: number, data: readonly Data[]): string {
  const object = data[id]
  if (object === undefined) return `data ${id}`
  const text =
    object.writable && object.parts.length > 0 ? `${object.text}{${printParts(object.parts, data)}}` : object.text
  return offset === 0 ? text : `${object.text}+${offset}`
}

function printParts(parts: readonly DataPart[], data: readonly Data[]): string {
  return parts
    .map((part) => {
      if (part instanceof Uint8Array) return `[${part.length}]`
      if (part.kind === 'pointer') return printAddress(part.to.data, part.to.offset, data)
      if (part.kind === 'open-flags') return printFlags(BigInt(part.flags), OPEN_FLAGS)
      return hex(part.value)
    })
    .join(' ')
}

/** Small numbers in decimal, others in hexadecimal. */
function hex(number: number | bigint): string {
  return number >= -4096 && number < 1024 ? `${number}` : `0x${number.toString(16)}`
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
