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

test.run()
