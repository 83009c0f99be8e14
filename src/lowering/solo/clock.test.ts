// The date that an image writes, for any time, against that of JavaScript: run on both machines.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compile } from '../../machine/codegen.ts'
import { MACHINES, run } from '../../machine/testing/run.ts'
import { PlanBuilder, u64 } from '../../plan/builder.ts'
import { lowerTime, TIME_MARK } from './clock.ts'

const STDOUT = 1
const YEAR_9999 = 253_402_300_799

/** Seconds since 1970: each end of a month of a few centuries, and of the longest ones, a second before and after. */
function times(): number[] {
  const found = [0, 1, 59, 60, 3599, 3600, 86_399, 86_400, YEAR_9999]
  for (const year of [1970, 1972, 1999, 2000, 2026, 2038, 2096, 2099, 2100, 2101, 2400, 9996])
    for (let month = 0; month < 12; month++) {
      const start = Date.UTC(year, month, 1) / 1000
      found.push(start, start - 1)
    }
  for (const year of [2000, 2024, 2100]) found.push(Date.UTC(year, 1, 28) / 1000, Date.UTC(year, 1, 29) / 1000)
  return found.filter((time) => time >= 0)
}

const nanosecondsOf = (index: number): number => (index * 3_456_789) % 1_000_000_000

test('a time becomes its date, hour, minute, second and nanosecond', () => {
  const all = times()
  const plan = new PlanBuilder(2)
  const table = plan.constant(
    'times',
    all.flatMap((time, index) => [u64(time), u64(nanosecondsOf(index))]),
  )
  for (const [index] of all.entries()) {
    const text = lowerTime(plan, table.field(16 * index, 8), table.field(16 * index + 8, 8))
    plan.syscall('write', [STDOUT, text.address, TIME_MARK.length])
  }
  plan.exit(0)
  const finished = plan.finish()
  const expected = all.map((time, index) => {
    const nanoseconds = `${nanosecondsOf(index)}`.padStart(9, '0')
    return `${new Date(1000 * time).toISOString().slice(0, -5)}.${nanoseconds}Z`
  })
  for (const machine of MACHINES) {
    const { name } = machine
    const { output, status } = run(machine, compile(finished, machine.target).bytes)
    assert.is(status, 0, name)
    const length = TIME_MARK.length
    assert.equal(
      expected.map((_, index) => output.toString('latin1', index * length, (index + 1) * length)),
      expected,
      name,
    )
  }
})

test.run()
