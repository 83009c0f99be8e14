// Strings and numbers as text in a program of steps.

import { behind, type DataObject, type PlanBuilder } from './builder.ts'
import type { Label, Routine, Value } from './step.ts'

const encoder = new TextEncoder()

/** Go on when the string begins with this text, else at `otherwise`. @returns the address of what follows the text */
export function expectPrefix(plan: PlanBuilder, string: Value, text: string, otherwise: Label): Value {
  const bytes = encoder.encode(text)
  for (const [offset, expected] of bytes.entries())
    plan.branch(plan.load(behind(string, offset), 1), 'ne', expected, otherwise)
  return plan.add(string, bytes.length, plan.value('rest'))
}

/** Go on when the string is this text, else at `otherwise`. */
export function expectText(plan: PlanBuilder, string: Value, text: string, otherwise: Label): void {
  expectPrefix(plan, string, `${text}\0`, otherwise)
}

/**
 * Copy a string to where `to` points, and let `to` point behind it.
 * @param object what is copied into
 * @param end copying stops at `tooLong` when `to` gets there
 */
export function copyString(
  plan: PlanBuilder,
  from: Value,
  to: Value,
  { object, end, tooLong }: { readonly object: DataObject; readonly end: Value; readonly tooLong: Label },
): void {
  const cursor = plan.add(from, 0, plan.value('cursor'))
  plan.loop(({ done }) => {
    const byte = plan.load(cursor, 1)
    plan.branch(to, 'atLeast', end, tooLong)
    plan.storeIn(object, to, 1, byte)
    plan.branch(byte, 'eq', 0, done)
    plan.add(to, 1, to)
    plan.add(cursor, 1, cursor)
  })
}

/** Write a text and its final NUL where `to` points in an object. */
export function putText(plan: PlanBuilder, object: DataObject, to: Value, text: string): void {
  const bytes = encoder.encode(`${text}\0`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < bytes.length; ) {
    const width = bytes.length - at >= 4 ? 4 : 1
    plan.storeIn(object, behind(to, at), width, width === 4 ? view.getUint32(at, true) : view.getUint8(at))
    at += width
  }
}

/** Let an address point behind the string that it points to. */
export function skipString(plan: PlanBuilder, string: Value): void {
  plan.loop(({ done }) => {
    const byte = plan.load(string, 1)
    plan.add(string, 1, string)
    plan.branch(byte, 'eq', 0, done)
  })
}

/** A routine that writes a number in decimal to a place in an object, with as many digits as it is told, zeros in front. */
export function decimal(plan: PlanBuilder, object: DataObject): Routine {
  return plan.routine(`decimal_in_${object.address.data}`, ['at', 'number', 'digits'], (at, number, digits) => {
    const to = plan.add(object.address, at, plan.value('to'))
    const cursor = plan.add(to, digits, plan.value('cursor'))
    const rest = plan.add(number, 0, plan.value('rest'))
    plan.loop(({ done }) => {
      plan.branch(cursor, 'atMost', to, done)
      plan.add(cursor, -1, cursor)
      const tenth = plan.compute('div', rest, 10)
      const digit = plan.compute('sub', rest, plan.compute('mul', tenth, 10))
      plan.storeIn(object, cursor, 1, plan.add(digit, '0'.charCodeAt(0)))
      plan.add(tenth, 0, rest)
    })
    return digits
  })
}
