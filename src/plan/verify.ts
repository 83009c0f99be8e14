// What must hold of every plan before it becomes code. A violation is a bug of runt, never of a config.

import type { ErrnoName } from '../linux/errno.ts'
import { AT, O } from '../linux/open-flags.ts'
import type { SyscallName } from '../linux/syscalls.ts'
import type { Data, Field, Label, Operand, Plan, Step, SyscallStep, Value } from './step.ts'

/** Which argument is the descriptor and which the path, for calls that resolve a path. */
const PATH_ARGUMENTS: Partial<Record<SyscallName, readonly [fd: number, path: number]>> = {
  openat: [0, 1],
  openat2: [0, 1],
  open_tree: [0, 1],
  mkdirat: [0, 1],
  mknodat: [0, 1],
  unlinkat: [0, 1],
  faccessat2: [0, 1],
  fchmodat: [0, 1],
  fchownat: [0, 1],
  statx: [0, 1],
  mount_setattr: [0, 1],
  readlinkat: [0, 1],
  execveat: [0, 1],
}

/** Calls that take a path without a descriptor. */
const BARE_PATH_CALLS: readonly SyscallName[] = [
  'chdir',
  'chroot',
  'execve',
  'mount',
  'umount2',
  'pivot_root',
  'statfs',
]

/** Where a call that returns a descriptor holds its flags, and the bit that closes it on exec. */
const CLOEXEC_ARGUMENTS: Partial<Record<SyscallName, readonly [argument: number, bit: number]>> = {
  openat: [2, O.CLOEXEC],
  open_tree: [2, O.CLOEXEC],
  fsopen: [1, 1],
  fsmount: [1, 1],
  socket: [1, O.CLOEXEC],
  memfd_create: [1, 1],
  pipe2: [1, O.CLOEXEC],
}

/** What is known at a point of the plan; the sets are bit sets of value ids. */
interface Facts {
  /** Values that have been written on every way here. */
  readonly defined: Uint32Array
  /** Values that are descriptors closed on some way here. */
  readonly closed: Uint32Array
  pivoted: boolean
}

/**
 * Check a plan: values defined before use, nothing used after close, branches forward and resolved, no host path after
 * the pivot, reasons for ignored errors, descriptors close-on-exec, data in bounds.
 * @throws Error naming the step
 */
export function verify(plan: Plan): void {
  const { steps, data } = plan
  const atLabel = new Map<number, Facts>()
  const placed = new Set<number>()
  const words = (steps.length >> 5) + 1 // at most one value a step
  let facts: Facts | undefined = { defined: new Uint32Array(words), closed: new Uint32Array(words), pivoted: false }
  let index = 0
  const branchTo = (label: Label, here: Facts): void => {
    if (placed.has(label.id)) {
      // Every way back has come by here before: it has defined no less.
      if (plan.loops === true) return
      throw new Error(`branch back to ${label.name}`)
    }
    atLabel.set(label.id, merge(copy(here), atLabel.get(label.id)) ?? copy(here))
  }
  try {
    for (; index < steps.length; index++) {
      const step = steps[index] as Step // index is in bounds
      if (step.op === 'label') {
        if (placed.has(step.label.id)) throw new Error(`label ${step.label.name} is placed twice`)
        placed.add(step.label.id)
        facts = merge(facts, atLabel.get(step.label.id))
        continue
      }
      if (facts === undefined) throw new Error('can never be reached')
      switch (step.op) {
        case 'syscall':
          checkSyscall(step, facts, data)
          note(step, facts)
          for (const errno in step.onError) {
            const label = step.onError[errno as ErrnoName]
            if (label !== undefined) branchTo(label, facts)
          }
          break
        case 'branch':
          checkOperand(step.left, facts, data)
          checkOperand(step.right, facts, data)
          branchTo(step.to, facts)
          break
        case 'store':
          checkOperand(step.value, facts, data)
          checkBounds(step.to.data, step.to.offset + step.width, true, data)
          break
        case 'add':
          checkOperand(step.left, facts, data)
          checkOperand(step.right, facts, data)
          add(facts.defined, step.result.id)
          remove(facts.closed, step.result.id)
          break
        case 'load':
          checkOperand(step.from, facts, data)
          add(facts.defined, step.result.id)
          remove(facts.closed, step.result.id)
          break
        case 'put':
          checkOperand(step.to, facts, data)
          checkOperand(step.value, facts, data)
          break
        case 'jump':
          branchTo(step.to, facts)
          facts = undefined
          break
        case 'fail':
          checkOperand(step.code, facts, data)
          if (step.text !== undefined) checkOperand(step.text, facts, data)
          facts = undefined
          break
        case 'exit':
          checkOperand(step.status, facts, data)
          facts = undefined
          break
        default: // pivot
          facts.pivoted = true
      }
    }
    for (const id of atLabel.keys()) if (!placed.has(id)) throw new Error(`label ${id} is used and never placed`)
    if (facts !== undefined) throw new Error('runs past its last step')
  } catch (cause) {
    const step = steps[index]
    const where = step === undefined ? 'plan' : `plan step ${index} (${step.op === 'syscall' ? step.name : step.op})`
    throw new Error(`${where}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

/** What a system call changes: its result is written, on errors too; a closed descriptor is gone. */
function note(step: SyscallStep, facts: Facts): void {
  add(facts.defined, step.result.id)
  remove(facts.closed, step.result.id)
  const [first] = step.args
  if (step.name === 'close' && isValue(first)) add(facts.closed, first.id)
}

function add(set: Uint32Array, id: number): void {
  set[id >> 5] = (set[id >> 5] ?? 0) | (1 << (id & 31))
}

function remove(set: Uint32Array, id: number): void {
  set[id >> 5] = (set[id >> 5] ?? 0) & ~(1 << (id & 31))
}

function has(set: Uint32Array, id: number): boolean {
  return (((set[id >> 5] ?? 0) >>> (id & 31)) & 1) === 1
}

function copy(facts: Facts): Facts {
  return { defined: facts.defined.slice(), closed: facts.closed.slice(), pivoted: facts.pivoted }
}

/** Two ways come together; `one` is changed. */
function merge(one: Facts | undefined, other: Facts | undefined): Facts | undefined {
  if (one === undefined || other === undefined) return one ?? other
  for (let word = 0; word < one.defined.length; word++) {
    one.defined[word] = (one.defined[word] ?? 0) & (other.defined[word] ?? 0)
    one.closed[word] = (one.closed[word] ?? 0) | (other.closed[word] ?? 0)
  }
  one.pivoted ||= other.pivoted
  return one
}

function checkOperand(operand: Operand, facts: Facts, data: readonly Data[]): void {
  if (typeof operand !== 'object') return
  if (operand.kind === 'value') {
    if (!has(facts.defined, operand.id)) throw new Error(`${operand.name} is not defined on every way here`)
    if (has(facts.closed, operand.id)) throw new Error(`${operand.name} is used after it was closed`)
  } else if (operand.kind === 'field') checkBounds(operand.data, operand.offset + operand.width, false, data)
  else if (operand.kind === 'address') checkBounds(operand.data, operand.offset, false, data)
}

function checkBounds(id: number, end: number, write: boolean, data: readonly Data[]): void {
  const object = data[id]
  if (object === undefined) throw new Error(`data object ${id} doesn't exist`)
  if (write && !object.writable) throw new Error(`${object.text} is read-only`)
  if (end > object.size) throw new Error(`${end} is past the end of ${object.text}`)
}

function checkSyscall(step: SyscallStep, facts: Facts, data: readonly Data[]): void {
  for (const operand of step.args) if (typeof operand === 'object') checkOperand(operand, facts, data)
  for (const errno in step.ignore) {
    if (step.ignore[errno as ErrnoName] === '') throw new Error(`${errno} is ignored without a reason`)
  }
  const flags = CLOEXEC_ARGUMENTS[step.name]
  if (flags !== undefined && (flagBits(step.args[flags[0]]) & flags[1]) === 0) {
    throw new Error('makes a descriptor that would survive exec')
  }
  if (facts.pivoted && step.path === 'host' && takesAmbientPath(step))
    throw new Error('takes a host path after the pivot')
}

function takesAmbientPath(step: SyscallStep): boolean {
  if (BARE_PATH_CALLS.includes(step.name)) return true
  const place = PATH_ARGUMENTS[step.name]
  return place !== undefined && step.args[place[0]] === AT.FDCWD
}

function flagBits(operand: Operand | undefined): number {
  if (typeof operand === 'number') return operand
  return typeof operand === 'object' && operand.kind === 'open-flags' ? operand.flags : 0
}

function isValue(operand: Operand | Field | undefined): operand is Value {
  return typeof operand === 'object' && operand.kind === 'value'
}
