import { constants } from 'node:os'
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

/** Each letter in one of its two cases. */
const inAnyCase = (text: string): fc.Arbitrary<string> =>
  fc
    .tuple(...[...text].map((letter) => fc.constantFrom(letter.toUpperCase(), letter.toLowerCase())))
    .map((letters) => letters.join(''))

test("a name means what the C library's header says, in any case, with SIG or without", () => {
  const names = Object.keys(constants.signals) as (keyof typeof constants.signals)[]
  const written = fc
    .constantFrom(...names)
    .chain((name) =>
      fc.tuple(fc.constant(constants.signals[name]), fc.oneof(inAnyCase(name), inAnyCase(name.slice('SIG'.length)))),
    )
  void fc.assert(fc.property(written, ([number, text]) => assert.is(parseSignal(text), number, text)))
})

test('real-time signals count up from the first and down from the last', () => {
  void fc.assert(
    fc.property(fc.nat(40), inAnyCase('sigrtmin+'), inAnyCase('rtmax-'), (offset, up, down) => {
      assert.is(parseSignal(`${up}${offset}`), offset <= 30 ? 34 + offset : undefined)
      assert.is(parseSignal(`${down}${offset}`), offset <= 30 ? 64 - offset : undefined)
    }),
  )
})

test('a letter that is not of this alphabet is no letter of a name, though its capital is', () => {
  for (const text of ['\u017fIGKILL', 'K\u0131LL', 'S\u0131GTERM']) assert.is(parseSignal(text), undefined, text)
  void fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => parseSignal(text) === undefined || /^[\w+-]+$/.test(text)),
  )
})

test.run()
