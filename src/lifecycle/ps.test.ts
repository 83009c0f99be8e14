import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import { linesOf } from './ps.ts'

const TABLES: readonly (readonly [title: string, text: string, kept: string])[] = [
  [
    'ps -ef',
    'UID          PID    PPID CMD\nroot          12       1 sleep 34\nroot          34      12 sh\n',
    'UID          PID    PPID CMD\nroot          34      12 sh\n',
  ],
  ['no lines', 'UID          PID    PPID CMD\n', 'UID          PID    PPID CMD\n'],
  [
    'the pid behind words',
    'COMMAND                         PID\nsleep 12                         34\nsleep 34                         12\n',
    'COMMAND                         PID\nsleep 12                         34\n',
  ],
  [
    'a column that is wider than its title',
    'USER  PID CMD\na-long-name  34 sh\nroot   12 sh\n',
    'USER  PID CMD\na-long-name  34 sh\n',
  ],
]

for (const [title, text, kept] of TABLES) {
  test(`of a table the lines of the given pids are kept: ${title}`, () => {
    assert.is(linesOf(text, [34]), kept)
  })
}

test('of any table the lines of the pids are kept, in their order, wherever the column is', () => {
  const cell = fc.stringMatching(/^[a-z0-9]{1,8}$/)
  const row = fc.record({
    pid: fc.integer({ min: 1, max: 4194304 }),
    before: cell,
    wanted: fc.boolean(),
    command: fc.string(),
  })
  const rows = fc.uniqueArray(row, { selector: ({ pid }) => pid, maxLength: 8 })
  void fc.assert(
    fc.property(rows, (list) => {
      const line = (user: string, pid: string, command: string): string =>
        `${user.padEnd(8)} ${pid.padStart(7)} ${command.replace(/\n/g, ' ')}\n`
      const titles = line('USER', 'PID', 'CMD')
      const text = list.map(({ before, pid, command }) => line(before, `${pid}`, command))
      const wanted = list.filter((each) => each.wanted).map(({ pid }) => pid)
      const kept = text.filter((_, index) => list[index]?.wanted === true)
      assert.is(linesOf(titles + text.join(''), wanted), titles + kept.join(''))
    }),
  )
})

test('a table without a pid can not be filtered', () => {
  assert.throws(
    () => linesOf('PPID CMD\n1 sh\n', [1]),
    (error: unknown) => error instanceof RuntError && error.message === "couldn't find PID field in ps output",
  )
})

test.run()
