import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseSignal, SIGNAL, signalName } from './signals.ts'

test('a signal is read as kill(1) reads it', () => {
  const same: readonly (readonly [text: string, number: number | undefined])[] = [
    ['9', 9],
    ['KILL', 9],
    ['SIGKILL', 9],
    ['sigkill', 9],
    ['term', 15],
    ['SIGRTMIN', 34],
    ['RTMIN+3', 37],
    ['SIGRTMAX-1', 63],
    ['64', 64],
    ['POLL', 29],
    ['', undefined],
    ['0', undefined],
    ['65', undefined],
    ['-9', undefined],
    ['9x', undefined],
    ['SIGFOO', undefined],
    ['RTMIN+31', undefined],
    ['RTMAX-31', undefined],
    ['__proto__', undefined],
    ['constructor', undefined],
  ]
  for (const [text, number] of same) assert.is(parseSignal(text), number, JSON.stringify(text))
})

test('the name of every signal is read back', () => {
  for (let number = 1; number <= 64; number++) {
    if (number === 32 || number === 33) continue // glibc's own
    assert.is(parseSignal(signalName(number)), number)
  }
  assert.is(SIGNAL.SIGSYS, 31)
})

test('any other text is no signal, and no crash', () => {
  void fc.assert(
    fc.property(fc.string(), (text) => {
      const number = parseSignal(text)
      return number === undefined || (number >= 1 && number <= 64)
    }),
  )
})

test.run()
