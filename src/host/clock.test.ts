import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatTime, timestamp } from './clock.ts'

test('a time to the nanosecond, without zeros at its end', () => {
  assert.is(formatTime(1_764_030_681n, 123_456_789n), '2025-11-25T00:31:21.123456789Z')
  assert.is(formatTime(1_764_030_681n, 120n), '2025-11-25T00:31:21.00000012Z')
  assert.is(formatTime(1_764_030_681n, 0n), '2025-11-25T00:31:21Z')
})

test('it is now', () => {
  const told = Date.parse(timestamp())
  assert.ok(Math.abs(Date.now() - told) < 10_000)
})

test.run()
