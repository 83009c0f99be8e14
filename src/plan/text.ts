// C strings in a program of steps: compared with a text, copied behind another.

import type { PlanBuilder } from './builder.ts'
import type { Label, Value } from './step.ts'

const encoder = new TextEncoder()

/** Go on when the string begins with this text, else at `otherwise`. @returns the address of what follows the text */
export function expectPrefix(plan: PlanBuilder, string: Value, text: string, otherwise: Label): Value {
  const cursor = plan.add(string, 0, plan.value('cursor'))
  const byte = plan.value('byte')
  for (const expected of encoder.encode(text)) {
    plan.load(cursor, 1, byte)
    plan.branch(byte, 'ne', expected, otherwise)
    plan.add(cursor, 1, cursor)
  }
  return cursor
}

/** Go on when the string is this text, else at `otherwise`. */
export function expectText(plan: PlanBuilder, string: Value, text: string, otherwise: Label): void {
  expectPrefix(plan, string, `${text}\0`, otherwise)
}

/**
 * Copy a string to where `to` points, and let `to` point behind it.
 * @param end copying stops at `tooLong` when `to` gets there; three bytes beyond are written as well
 * @param refuse a character that may not be in it
 */
export function copyString(
  plan: PlanBuilder,
  from: Value,
  to: Value,
  {
    end,
    tooLong,
    refuse,
  }: { readonly end: Value; readonly tooLong: Label; readonly refuse?: readonly [string, Label] },
): void {
  const cursor = plan.add(from, 0, plan.value('cursor'))
  const byte = plan.value('byte')
  const again = plan.label('again')
  const done = plan.label('done')
  plan.place(again)
  plan.load(cursor, 1, byte)
  plan.put(to, byte)
  plan.branch(byte, 'eq', 0, done)
  if (refuse !== undefined) plan.branch(byte, 'eq', refuse[0].charCodeAt(0), refuse[1])
  plan.add(to, 1, to)
  plan.branch(to, 'eq', end, tooLong)
  plan.add(cursor, 1, cursor)
  plan.jump(again)
  plan.place(done)
}

/** Write a text of ASCII and its final NUL where `to` points. */
export function putText(plan: PlanBuilder, to: Value, text: string): void {
  const bytes = encoder.encode(`${text}\0\0\0\0`)
  const view = new DataView(bytes.buffer)
  const cursor = plan.add(to, 0, plan.value('cursor'))
  for (let at = 0; at <= text.length; at += 4) {
    plan.put(cursor, view.getUint32(at, true))
    plan.add(cursor, 4, cursor)
  }
}

/** Let an address point behind the string that it points to. */
export function skipString(plan: PlanBuilder, string: Value): void {
  const byte = plan.value('byte')
  const again = plan.label('again')
  plan.place(again)
  plan.load(string, 1, byte)
  plan.add(string, 1, string)
  plan.branch(byte, 'ne', 0, again)
}
