import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Excerpt } from './excerpt.ts'

const ROOM = 8192

function excerptOf(pieces: readonly Uint8Array[]): string {
  const excerpt = new Excerpt()
  for (const piece of pieces) excerpt.add(piece)
  return excerpt.text()
}

/** Texts of up to three times the room, in pieces of any size. */
const pieces = fc
  .tuple(fc.constantFrom('a', 'é', '€', '😀', 'line\n'), fc.nat(3 * ROOM), fc.array(fc.nat(6000), { maxLength: 20 }))
  .map(([unit, length, sizes]) => {
    const bytes = Buffer.from(unit.repeat(Math.floor(length / Buffer.byteLength(unit))))
    const cuts: Uint8Array[] = []
    let at = 0
    for (const size of sizes) {
      cuts.push(bytes.subarray(at, at + size))
      at += size
    }
    return { bytes, cuts: [...cuts, bytes.subarray(at)] }
  })

test('what has room is whole; of what has none both ends are there, and the sum is right', () => {
  void fc.assert(
    fc.property(pieces, ({ bytes, cuts }) => {
      const text = excerptOf(cuts)
      const whole = bytes.toString()
      if (bytes.length <= ROOM) return assert.is(text, whole)
      const [, before = '', left, after = ''] = /^(.*)… \((\d+) bytes\) …(.*)$/s.exec(text) ?? []
      assert.ok(whole.startsWith(before) && whole.endsWith(after), 'the ends')
      assert.is(Number(left), bytes.length - ROOM)
      for (const end of [before, after])
        assert.ok(Buffer.byteLength(end) > ROOM / 2 - 4, `${Buffer.byteLength(end)} bytes`)
    }),
  )
})

test('bytes that are no text are no crash, and take no more room', () => {
  void fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 9 }), (cuts) => {
      return excerptOf(cuts).length <= ROOM + '… (99999 bytes) …'.length
    }),
  )
})

test.run()
