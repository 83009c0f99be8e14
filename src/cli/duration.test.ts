import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import { parseDuration } from './duration.ts'

const READ: readonly (readonly [text: string, milliseconds: number])[] = [
  ['5s', 5000],
  ['1m30s', 90_000],
  ['100ms', 100],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['2.s', 2000],
  ['1h0m0.25s', 3_600_250],
  ['250us', 0.25],
  ['250µs', 0.25],
]

for (const [text, milliseconds] of READ) {
  test(`${text} is ${milliseconds} ms`, () => assert.is(parseDuration('interval', text), milliseconds))
}

for (const text of ['', '0', '0s', '5', '-5s', '5 s', '5S', 's', '1s1', '1e3s', '.s', '5s ', `${'9'.repeat(400)}h`]) {
  test(`${JSON.stringify(text.slice(0, 9))} is refused`, () => {
    assert.throws(
      () => parseDuration('interval', text),
      (error: unknown) => error instanceof RuntError && error.code === 'usage',
    )
  })
}

test('a duration is the sum of its parts', () => {
  const units = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const part = fc.tuple(fc.nat(99_999), fc.nat(999), fc.constantFrom(...Object.entries(units)))
  void fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const text = parts.map(([whole, after, [unit]]) => `${whole}.${`${after}`.padStart(3, '0')}${unit}`).join('')
      const sum = parts.reduce((all, [whole, after, [, factor]]) => all + (whole + after / 1000) * factor, 0)
      fc.pre(sum > 0)
      const read = parseDuration('interval', text)
      assert.ok(Math.abs(read - sum) <= sum * 1e-12, `${text}: ${read}, not ${sum}`)
    }),
  )
})

test('any other text is refused as a usage error, and what is read is a length of time', () => {
  void fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'019.smhnuµ-+ e') })), (text) => {
      try {
        const milliseconds = parseDuration('interval', text)
        return milliseconds > 0 && Number.isFinite(milliseconds) && /^([0-9.]+(ns|us|µs|ms|s|m|h))+$/.test(text)
      } catch (error) {
        return error instanceof RuntError && error.code === 'usage'
      }
    }),
    { numRuns: 500 },
  )
})

test.run()
