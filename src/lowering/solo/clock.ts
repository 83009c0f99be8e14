// The time of day as RFC 3339 text, by the image itself: it may run long after it was compiled.

import type { DataObject } from '../../plan/builder.ts'
import type { Value } from '../../plan/step.ts'
import type { Context } from '../context.ts'
import type { Calendar } from './facts.ts'
import type { Undo } from './undo.ts'

const CLOCK_REALTIME = 0
const DAY = 86_400
const HOUR = 3600
const MINUTE = 60
/** "2026-11-24T", padded. */
const DATE_ROOM = 16
const DATE_LENGTH = 11

/** What stands in texts where the time is to be written. */
export const TIME_MARK = '0000-00-00T00:00:00Z'

const encoder = new TextEncoder()

/** @returns where the text stands. A clock that is outside of the calendar is a failure */
export function lowerClock({ plan }: Context, { first, dates }: Calendar, undo: Undo): DataObject {
  const time = plan.buffer('timespec', 16)
  plan.syscall('clock_gettime', [CLOCK_REALTIME, time.address])
  const rest = plan.add(time.field(0, 8), -first, plan.value('rest'))
  plan.branch(rest, 'less', 0, undo.now)
  /** How often a unit is in the rest; the rest is less than one then. */
  const divide = (unit: number): Value => {
    const count = plan.add(0, 0, plan.value('count'))
    const again = plan.label('again')
    const done = plan.label('done')
    plan.place(again)
    plan.branch(rest, 'below', unit, done)
    plan.add(rest, -unit, rest)
    plan.add(count, 1, count)
    plan.jump(again)
    plan.place(done)
    return count
  }
  plan.branch(rest, 'above', dates.length * DAY - 1, undo.now)
  const day = divide(DAY)
  const text = plan.buffer('time', 24)
  const to = plan.add(text.address, 0, plan.value('to'))
  const table = plan.constant('dates', [encoder.encode(dates.map((date) => date.padEnd(DATE_ROOM)).join(''))])
  const from = plan.add(times(plan, day, DATE_ROOM), table.address, plan.value('from'))
  for (let at = 0; at < DATE_LENGTH; at += 4) {
    plan.put(to, plan.load(from, 4))
    plan.add(from, 4, from)
    plan.add(to, 4, to)
  }
  plan.add(text.address, DATE_LENGTH, to)
  const digits = plan.constant('two digits', [encoder.encode(twoDigits())])
  const write = (number: Value, separator: string): void => {
    plan.put(to, plan.load(plan.add(plan.add(number, number), digits.address), 4))
    plan.add(to, 2, to)
    plan.put(to, separator.charCodeAt(0))
    plan.add(to, 1, to)
  }
  write(divide(HOUR), ':')
  write(divide(MINUTE), ':')
  write(rest, 'Z')
  return text
}

/** A number times a power of two. */
function times(plan: Context['plan'], number: Value, factor: number): Value {
  let product = number
  for (let reached = 1; reached < factor; reached *= 2) product = plan.add(product, product)
  return product
}

/** 00 to 59, and room for what a load of four bytes takes with the last. */
function twoDigits(): string {
  return `${Array.from({ length: 60 }, (_, number) => `${number}`.padStart(2, '0')).join('')}  `
}

/** Write the time into a text, where its mark is. @param at offset of the mark */
export function lowerStamp(
  { plan }: Context,
  time: DataObject,
  text: { readonly address: DataObject['address'] },
  at: number,
): void {
  const to = plan.add(text.address, at, plan.value('to'))
  for (let part = 0; part < TIME_MARK.length; part += 4) {
    plan.put(to, time.field(part, 4))
    plan.add(to, 4, to)
  }
}
