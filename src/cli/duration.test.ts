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

for (const text of ['', '0', '0s', '5', '-5s', '5 s', '5S', 's', '1s1', '1e3s', '.s', '5s ']) {
  test(`${JSON.stringify(text)} is refused`, () => {
    assert.throws(
      () => parseDuration('interval', text),
      (error: unknown) => error instanceof RuntError && error.code === 'usage',
    )
  })
}

test.run()
