import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseBytes } from './bytes.ts'

test('sizes are by 1024, whatever the letters', () => {
  const sizes: Record<string, bigint> = {
    0: 0n,
    512: 512n,
    '512b': 512n,
    '2k': 2048n,
    '2KB': 2048n,
    '2 KiB': 2048n,
    '64m': 67108864n,
    '1.5g': 1610612736n,
    '0.5T': 549755813888n,
    '1p': 1125899906842624n,
    '9223372036854775807': 9223372036854775807n,
    '1.9': 1n,
  }
  for (const [text, bytes] of Object.entries(sizes)) assert.is(parseBytes(text), bytes, text)
})

test('what is no size is none', () => {
  for (const text of ['', '-1', 'm', '1x', '1mm', '1 ', ' 1', '.5g', '1e3', '0x10', '1 b b', '1ib']) {
    assert.is(parseBytes(text), undefined, text)
  }
})

test('a number with a letter is that many times the power of 1024', () => {
  const unit = fc.constantFrom(...['', 'k', 'm', 'g', 't', 'p'].entries())
  void fc.assert(
    fc.property(
      fc.bigInt(0n, 2n ** 64n),
      fc.nat(999),
      unit,
      fc.boolean(),
      fc.constantFrom('', ' '),
      fc.constantFrom('', 'b', 'ib'),
      (whole, thousandths, [power, letter], capital, space, end) => {
        const factor = 1024n ** BigInt(power)
        const written = capital ? letter.toUpperCase() : letter
        const unitText = letter === '' ? '' : `${space}${written}${end}`
        assert.is(parseBytes(`${whole}${unitText}`), whole * factor)
        const fraction = `${thousandths}`.padStart(3, '0')
        const exact = whole * factor + (BigInt(thousandths) * factor) / 1000n
        const read = parseBytes(`${whole}.${fraction}${unitText}`) ?? -1n
        // The fraction is a double's: within one byte of what it is in decimal.
        assert.ok(read - exact <= 1n && exact - read <= 1n, `${whole}.${fraction}${unitText}: ${read}`)
      },
    ),
  )
})

test('any other text is none, and no crash', () => {
  void fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'019.kmgbi -') })), (text) => {
      const size = parseBytes(text)
      assert.is(size !== undefined, /^[0-9]+(\.[0-9]+)?( ?([kmgtp]i?)?b?)?$/i.test(text) && !/ $/.test(text), text)
      assert.ok(size === undefined || size >= 0n)
    }),
    { numRuns: 500 },
  )
})

test.run()
