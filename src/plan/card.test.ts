// Cards are read here as the front reads them.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CARD, CARD_MAGIC, CARD_ROOM, type Card, CHECK, encodeCard, nameProcess } from './card.ts'

const PLAIN = { noNullPrototype: true } as const
const text = fc.string({ unit: 'grapheme' })
const cString = fc.string({ unit: 'grapheme', minLength: 1 }).filter((each) => !each.includes('\0'))
const check = fc.record(
  {
    path: cString,
    position: fc.nat(2 ** 31),
    byte: fc.constantFrom('0', '1', 'T', 'F'),
  },
  PLAIN,
)
const card: fc.Arbitrary<Card> = fc.record(
  {
    abilities: fc.nat(3),
    head: text,
    middle: text,
    tail: text,
    checks: fc.array(check, { maxLength: 3 }),
    own: fc.array(cString, { maxLength: 4 }),
    above: fc.array(cString, { maxLength: 4 }),
  },
  PLAIN,
)

const decoder = new TextDecoder()

function stringAt(bytes: Uint8Array, at: number): string {
  return decoder.decode(bytes.subarray(at, bytes.indexOf(0, at)))
}

function stringsAt(bytes: Uint8Array, start: number): string[] {
  const strings: string[] = []
  for (let at = start; bytes[at] !== 0; at = bytes.indexOf(0, at) + 1) strings.push(stringAt(bytes, at))
  return strings
}

function decode(bytes: Uint8Array): Card {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const word = (at: number): number => view.getUint32(at, true)
  const textAt = (at: number): string => decoder.decode(bytes.subarray(word(at), word(at) + word(at + 4)))
  const checks: { path: string; position: number; byte: string }[] = []
  for (let at = word(CARD.checks); word(at + CHECK.path) !== 0; at += CHECK.size) {
    checks.push({
      path: stringAt(bytes, word(at + CHECK.path)),
      position: word(at + CHECK.position),
      byte: String.fromCharCode(word(at + CHECK.byte)),
    })
  }
  assert.is(word(CARD.magic), CARD_MAGIC)
  return {
    abilities: word(CARD.abilities),
    head: textAt(CARD.head),
    middle: textAt(CARD.middle),
    tail: textAt(CARD.tail),
    checks,
    own: stringsAt(bytes, word(CARD.own)),
    above: stringsAt(bytes, word(CARD.above)),
  }
}

test('what is written on a card is read from it', () => {
  void fc.assert(
    fc.property(card, fc.integer({ min: 1, max: 4194304 }), fc.bigInt(1n, 2n ** 63n), (given, pid, inode) => {
      const bytes = encodeCard(given)
      if (bytes === undefined) return assert.unreachable('too long')
      assert.equal(decode(bytes), given)
      nameProcess(bytes, pid, inode)
      assert.equal(decode(bytes), given)
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      assert.equal([view.getUint32(CARD.pid, true), view.getBigUint64(CARD.inode, true)], [pid, inode])
      const digits = bytes.subarray(CARD.digits, CARD.digits + view.getUint32(CARD.digitsLength, true))
      assert.is(decoder.decode(digits), `${pid}`)
    }),
  )
})

test('a card that would be too long is none: nothing is cut off', () => {
  const piece = fc.constantFrom('a', 'é', '€', '😀')
  void fc.assert(
    fc.property(piece, fc.integer({ min: -100, max: 8 }), fc.nat(3), (unit, more, ahead) => {
      const length = Math.floor((CARD_ROOM + more) / Buffer.byteLength(unit))
      const given: Card = { abilities: 0, head: '', middle: '', tail: '', checks: [], own: [], above: [] }
      const long = { ...given, head: 'a'.repeat(ahead), tail: unit.repeat(length) }
      const bytes = encodeCard(long)
      const needed = CARD.size + 4 + ahead + Buffer.byteLength(unit) * length + 2
      assert.is(bytes !== undefined, needed < CARD_ROOM, `${needed} bytes`)
      if (bytes !== undefined) assert.equal(decode(bytes), long)
    }),
    { numRuns: 300 },
  )
})

test.run()
