// The time of day as RFC 3339 text, by the image itself: it may run long after it was compiled.

import type { DataObject, PlanBuilder } from '../../plan/builder.ts'
import type { Operand, Value } from '../../plan/step.ts'
import { decimal } from '../../plan/text.ts'
import type { Context } from '../context.ts'

const CLOCK_REALTIME = 0
const DAY = 86_400
const HOUR = 3600
const MINUTE = 60

/** What stands in texts where the time is to be written. */
export const TIME_MARK = '0000-00-00T00:00:00.000000000Z'

/** @returns where the text stands */
export function lowerClock({ plan }: Context): DataObject {
  const now = plan.buffer('timespec', 16)
  plan.syscall('clock_gettime', [CLOCK_REALTIME, now.address])
  return lowerTime(plan, now.field(0, 8), now.field(8, 8))
}

/** A time as text. @param seconds since 1970 @returns where the text stands */
export function lowerTime(plan: PlanBuilder, seconds: Operand, nanoseconds: Operand): DataObject {
  const text = plan.struct('time', [new TextEncoder().encode(TIME_MARK)])
  const [days, secondOfDay] = divide(plan, seconds, DAY)
  const { year, month, day } = dateOf(plan, days)
  const [hour, secondOfHour] = divide(plan, secondOfDay, HOUR)
  const [minute, second] = divide(plan, secondOfHour, MINUTE)
  const write = (at: number, number: Operand, digits: number): void => {
    plan.call(decimal(plan, text), [at, number, digits])
  }
  write(0, year, 4)
  write(5, month, 2)
  write(8, day, 2)
  write(11, hour, 2)
  write(14, minute, 2)
  write(17, second, 2)
  write(20, nanoseconds, 9)
  return text
}

/** @returns quotient and remainder */
function divide(plan: PlanBuilder, number: Operand, by: number): [Value, Value] {
  const quotient = plan.compute('div', number, by)
  return [quotient, plan.compute('sub', number, plan.compute('mul', quotient, by))]
}

/** 400 years of the calendar have as many days as any other 400 years. */
const ERA = { years: 400, days: 146_097 }
/** From the first of March of the year 0, with which eras begin, to 1970. */
const EPOCH = 719_468

/**
 * The date of a day since 1970. Years begin in March here, so that a leap day is the last of its year: the months from March on have
 * 31, 30, 31, 30, 31 days again and again, 153 in all five.
 */
function dateOf(plan: PlanBuilder, days: Value): Readonly<Record<'year' | 'month' | 'day', Value>> {
  const div = (left: Value, right: number): Value => plan.compute('div', left, right)
  const mul = (left: Value, right: number): Value => plan.compute('mul', left, right)
  const sub = (left: Value, right: Value): Value => plan.compute('sub', left, right)
  const [era, day] = divide(plan, plan.add(days, EPOCH), ERA.days)
  // Without the leap days: one in 4 years, but not in 100, but in 400 (which has one day more than a hundred years of 36,524).
  const even = plan.add(sub(sub(day, div(day, 1460)), div(day, 146_096)), div(day, 36_524))
  const yearOfEra = div(even, 365)
  const leapDays = sub(div(yearOfEra, 4), div(yearOfEra, 100))
  const dayOfYear = sub(sub(day, mul(yearOfEra, 365)), leapDays)
  const month = div(plan.add(mul(dayOfYear, 5), 2), 153)
  const dayOfMonth = plan.add(sub(dayOfYear, div(plan.add(mul(month, 153), 2), 5)), 1)
  const year = plan.add(mul(era, ERA.years), yearOfEra, plan.value('year'))
  plan.add(month, 3, month)
  plan.when([month, 'above', 12], () => {
    plan.add(month, -12, month)
    plan.add(year, 1, year)
  })
  return { year, month, day: dayOfMonth }
}

/** Write the time into a text, where its mark is. @param at offset of the mark */
export function lowerStamp(
  { plan }: Context,
  time: DataObject,
  text: { readonly address: DataObject['address'] },
  at: number,
): void {
  const to = { ...text.address, offset: text.address.offset + at }
  // Eight bytes at a time; the last ones of the mark are written twice.
  for (const part of [0, 8, 16, TIME_MARK.length - 8]) {
    plan.store({ ...to, offset: to.offset + part }, 8, time.field(part, 8))
  }
}
