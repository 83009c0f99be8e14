// Small plans for the tests of this room, written without the builder.

import type { ErrnoName } from '../../linux/errno.ts'
import type { SyscallName } from '../../linux/syscalls.ts'
import {
  type Address,
  type Condition,
  type Data,
  type DataPart,
  type Field,
  type Label,
  type Operand,
  type Plan,
  REPORT,
  type Step,
  type SyscallStep,
  type Value,
} from '../../plan/step.ts'

export interface Draft {
  readonly steps: Step[]
  readonly data: Data[]
  readonly reportFd: Address
  readonly report: number
  profile?: number
}

/** Where images of the tests report failures. */
export const REPORT_FD = 3

/** Room for text in their reports. */
export const TEXT_ROOM = 64

export function draft(): Draft {
  const data: Data[] = []
  const reportFd = object(data, [{ kind: 'u32', value: REPORT_FD }], true)
  const report = object(data, [], true, REPORT.text + TEXT_ROOM).data
  return { steps: [], data, reportFd, report }
}

export function object(data: Data[], parts: readonly DataPart[], writable: boolean, size?: number): Address {
  const filled = parts.reduce(
    (sum, part) => sum + (part instanceof Uint8Array ? part.length : part.kind === 'u32' ? 4 : 8),
    0,
  )
  const id = data.length
  data.push({ id, parts, size: size ?? filled, writable, text: `data ${id}` })
  return { kind: 'address', data: id, offset: 0 }
}

export function bytes(plan: Draft, text: string | Uint8Array, writable = false): Address {
  return object(plan.data, [typeof text === 'string' ? new TextEncoder().encode(text) : text], writable)
}

export function buffer(plan: Draft, size: number): Address {
  return object(plan.data, [], true, size)
}

export function at({ data, offset }: Address, more: number): Address {
  return { kind: 'address', data, offset: offset + more }
}

export function field({ data, offset }: Address, width: Field['width'], mask?: number): Field {
  return { kind: 'field', data, offset, width, ...(mask === undefined ? {} : { mask }) }
}

export interface CallOptions {
  readonly ignore?: readonly ErrnoName[]
  readonly onError?: SyscallStep['onError']
  readonly atLeast?: { readonly count: number; readonly errno: ErrnoName }
  readonly result?: Value
}

export function call(plan: Draft, name: SyscallName, args: readonly Operand[], options: CallOptions = {}): Value {
  const result = options.result ?? { kind: 'value', id: plan.steps.length, name }
  plan.steps.push({
    op: 'syscall',
    origin: '',
    name,
    args,
    result,
    ignore: Object.fromEntries((options.ignore ?? []).map((errno) => [errno, 'a test'])),
    onError: options.onError ?? {},
    path: 'host',
    ...(options.atLeast === undefined ? {} : { atLeast: options.atLeast }),
  })
  return result
}

/** write(1, text) */
export function say(plan: Draft, text: string): void {
  call(plan, 'write', [1, bytes(plan, text), text.length], { atLeast: { count: text.length, errno: 'EIO' } })
}

/** write(1, 8 bytes of a number) */
export function show(plan: Draft, value: Operand): void {
  const place = buffer(plan, 8)
  store(plan, place, 8, value)
  call(plan, 'write', [1, place, 8])
}

let labels = 0

export function label(name = 'there'): Label {
  return { kind: 'label', id: labels++, name }
}

export function put(plan: Draft, there: Label): void {
  plan.steps.push({ op: 'label', origin: '', label: there })
}

export function jump(plan: Draft, to: Label): void {
  plan.steps.push({ op: 'jump', origin: '', to })
}

export function branch(plan: Draft, left: Value | Field, condition: Condition, right: number, to: Label): void {
  plan.steps.push({ op: 'branch', origin: '', left, condition, right, to })
}

export function store(plan: Draft, to: Address, width: 4 | 8, value: Operand): void {
  plan.steps.push({ op: 'store', origin: '', to, offset: 0, width, value })
}

export function fail(plan: Draft, code: number | Value | Field, text?: Value): void {
  plan.steps.push({ op: 'fail', origin: '', code, ...(text === undefined ? {} : { text }) })
}

export function exit(plan: Draft, status: number): void {
  plan.steps.push({ op: 'exit', origin: '', status })
}

/** Ask for time stamps: the table has room for the steps that the plan has now. */
export function profileTable(plan: Draft): Address {
  const table = buffer(plan, 8 * plan.steps.length)
  plan.profile = table.data
  return table
}

/** Some tests are of what verify() refuses. */
export function finish(plan: Draft): Plan {
  return plan as unknown as Plan
}
