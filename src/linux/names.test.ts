import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeName, encodeName } from './names.ts'

function bytes(latin1: string): Uint8Array {
  return Uint8Array.from(latin1, (character) => character.charCodeAt(0))
}

const NAMES: readonly [what: string, name: string, expected: string][] = [
  ['ASCII', 'cpu.max', 'cpu.max'],
  ['UTF-8', '\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3', 'ä€🐳'],
  ['a byte that begins nothing', 'a\xffb', 'a\udcffb'],
  ['a character that is cut short', '\xe2\x82', '\udce2\udc82'],
  ['one that is cut short by another', '\xe2\x82\xc3\xa4', '\udce2\udc82ä'],
  ['two bytes for one of ASCII', '\xc0\xaf', '\udcc0\udcaf'],
  ['a half of a pair, as UTF-8 would write it', '\xed\xb2\x80', '\udced\udcb2\udc80'],
  ['a byte order mark', '\xef\xbb\xbfx', '\ufeffx'],
  ['the replacement character itself', '\xef\xbf\xbd\xff', '\ufffd\udcff'],
]

for (const [what, name, expected] of NAMES) {
  test(`a name comes back as it was: ${what}`, () => {
    assert.is(decodeName(bytes(name)), expected)
    assert.equal([...encodeName(expected)], [...bytes(name)])
  })
}

test('names of all pairs of bytes differ, and come back', () => {
  const seen = new Set<string>()
  for (let pair = 0; pair < 0x10000; pair++) {
    const given = Uint8Array.of(pair >> 8, pair & 0xff)
    const name = decodeName(given)
    seen.add(name)
    assert.equal(encodeName(name), given)
  }
  assert.is(seen.size, 0x10000)
})

test('text that no name has is encoded as ever', () => {
  assert.equal(encodeName('\ud83d'), new TextEncoder().encode('\ufffd'))
})

test.run()
