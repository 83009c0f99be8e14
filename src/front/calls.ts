// What the parts of the front share: system calls whose failure is the engine's affair.

import { AT, O } from '../linux/open-flags.ts'
import { STATX_BASIC_STATS, STATX_SIZE } from '../linux/statx.ts'
import type { SyscallName } from '../linux/syscalls.ts'
import type { Argument, DataObject, PlanBuilder } from '../plan/builder.ts'
import { WORD } from '../plan/entry.ts'
import type { Label, Value } from '../plan/step.ts'

/** What the parts of the front share. */
export interface Front {
  readonly plan: PlanBuilder
  /** "ROOT/ID" as a C string. */
  readonly path: DataObject
  /** Let the engine do it. */
  readonly engine: Label
}

/** A system call whose failure is the engine's affair, but for the errnos that are expected. */
export function lowerCall(
  { plan, engine }: Front,
  name: SyscallName,
  args: readonly Argument[],
  expected: Readonly<Record<string, Label>> = {},
): Value {
  return plan.syscall(name, args, { onError: { ...expected, '*': engine } })
}

/** open(2) flags, with O_CLOEXEC. */
export function flags(bits: number): { kind: 'open-flags'; flags: number } {
  return { kind: 'open-flags', flags: bits | O.CLOEXEC }
}

/** statx(2) of a descriptor. */
export function lowerStatus(front: Front, fd: Value): DataObject {
  const room = front.plan.buffer('statx', STATX_SIZE)
  lowerCall(front, 'statx', [fd, '', AT.EMPTY_PATH, STATX_BASIC_STATS, room.address])
  return room
}

/** Do something for each string of an array that ends in NULL; the steps may change the string's address. */
export function eachString({ plan }: Front, array: Value, body: (string: Value) => void): void {
  const cursor = plan.add(array, 0, plan.value('pointer'))
  const string = plan.value('string')
  const again = plan.label('next_string')
  const done = plan.label('no_string')
  plan.place(again)
  plan.load(cursor, 8, string)
  plan.branch(string, 'eq', 0, done)
  body(string)
  plan.add(cursor, WORD, cursor)
  plan.jump(again)
  plan.place(done)
}
