// Tickets are read here as the front reads them.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ABSENT,
  ANY_VALUE_FLAGS,
  encodeTicket,
  FILE_GUARD,
  FILE_ROOM,
  FIRST_SLOT_NAME,
  KEPT_COMMANDS,
  SAME_CONTENTS,
  SAME_INODE,
  SLOTS,
  STAT_GUARD,
  slotOf,
  TICKET,
  TICKET_MAGIC,
  TICKET_ROOM,
  type Ticket,
} from './ticket.ts'

const PLAIN = { noNullPrototype: true } as const
const cString = fc.string({ unit: 'grapheme', minLength: 1 }).filter((each) => !each.includes('\0'))
const wide = fc.bigInt(0n, 2n ** 64n - 1n)
const guard = fc.record(
  {
    path: cString,
    kind: fc.constantFrom(SAME_INODE, SAME_CONTENTS, ABSENT),
    inode: wide,
    length: wide,
    seconds: wide,
    nanoseconds: fc.nat(999_999_999),
  },
  PLAIN,
)
const fileGuard = fc.record(
  { at: fc.oneof(cString, fc.integer({ min: 1, max: 40 })), contents: fc.uint8Array({ maxLength: 300 }) },
  PLAIN,
)
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const ticket: fc.Arbitrary<Ticket> = fc.record(
  {
    words: fc.array(cString, { maxLength: 6 }),
    directory: cString,
    stats: fc.array(guard, { maxLength: 8 }),
    files: fc.array(fileGuard, { maxLength: 3 }),
    capabilities: bytesOf(24),
    nofile: bytesOf(16),
  },
  PLAIN,
)

const decoder = new TextDecoder()

function stringAt(bytes: Uint8Array, at: number): string {
  return decoder.decode(bytes.subarray(at, bytes.indexOf(0, at)))
}

function decode(bytes: Uint8Array): Ticket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const word = (at: number): number => view.getUint32(at, true)
  assert.is(word(0), TICKET_MAGIC)
  const words: string[] = []
  for (let at = word(TICKET.words); bytes[at] !== 0; at = bytes.indexOf(0, at) + 1) words.push(stringAt(bytes, at))
  const stats: Ticket['stats'][number][] = []
  for (let at = word(TICKET.stats); word(at + STAT_GUARD.path) !== 0; at += STAT_GUARD.size) {
    stats.push({
      path: stringAt(bytes, word(at + STAT_GUARD.path)),
      kind: word(at + STAT_GUARD.kind),
      inode: view.getBigUint64(at + STAT_GUARD.inode, true),
      length: view.getBigUint64(at + STAT_GUARD.length, true),
      seconds: view.getBigUint64(at + STAT_GUARD.seconds, true),
      nanoseconds: word(at + STAT_GUARD.nanoseconds),
    })
  }
  const files: Ticket['files'][number][] = []
  for (let at = word(TICKET.files); word(at + FILE_GUARD.contents) !== 0; at += FILE_GUARD.size) {
    const [start, length] = [word(at + FILE_GUARD.contents), word(at + FILE_GUARD.length)]
    // The front compares eight bytes at a time, with zeros behind its own.
    assert.ok(bytes.subarray(start + length, (start + length + 7) & ~7).every((byte) => byte === 0))
    const path = word(at + FILE_GUARD.path)
    files.push({
      at: path === 0 ? word(at + FILE_GUARD.word) : stringAt(bytes, path),
      contents: bytes.slice(start, start + length),
    })
  }
  return {
    words,
    directory: stringAt(bytes, word(TICKET.directory)),
    stats,
    files,
    capabilities: bytes.slice(TICKET.capabilities, TICKET.capabilities + 24),
    nofile: bytes.slice(TICKET.nofile, TICKET.nofile + 16),
  }
}

test('what is written on a ticket is read from it', () => {
  void fc.assert(
    fc.property(ticket, (given) => {
      const bytes = encodeTicket(given)
      if (bytes === undefined) return assert.unreachable('no room')
      assert.equal(decode(bytes), given)
    }),
  )
})

test('an empty word, which the front would take for the end, has no ticket', () => {
  void fc.assert(
    fc.property(ticket, fc.nat(6), (given, place) => {
      const words = [...given.words.slice(0, place), '', ...given.words.slice(place)]
      assert.is(encodeTicket({ ...given, words }), undefined)
    }),
  )
})

test('what the front has no room for has no ticket, and nothing is cut off', () => {
  const [sample] = fc.sample(ticket, { numRuns: 1, seed: 1 })
  if (sample === undefined) return assert.unreachable()
  void fc.assert(
    fc.property(fc.integer({ min: -64, max: 64 }), fc.integer({ min: -64, max: 64 }), (more, wordMore) => {
      const files = [{ at: '/x', contents: new Uint8Array(FILE_ROOM + more) }]
      const whole = encodeTicket({ ...sample, files })
      assert.is(whole !== undefined, more < 0)
      if (whole !== undefined) assert.is(decode(whole).files[0]?.contents.length, FILE_ROOM + more)
      const words = ['w'.repeat(TICKET_ROOM - 1000 + 16 * wordMore)]
      const wordy = encodeTicket({ ...sample, words })
      if (wordy !== undefined) assert.equal(decode(wordy).words, words)
      assert.ok((wordy?.length ?? 0) <= TICKET_ROOM)
    }),
    { numRuns: 40 },
  )
})

test('a slot is the sum of the bytes but for what differs from call to call, as the front counts them, and the command', () => {
  const word = fc.oneof(cString, fc.constantFrom(...ANY_VALUE_FLAGS))
  void fc.assert(
    fc.property(fc.constantFrom(...KEPT_COMMANDS), fc.array(word), (command, words) => {
      let isValue = false
      const counted = words.filter((each) => {
        const counts = !isValue
        isValue = counts && /^(--process|-p|--pid-file)$/.test(each)
        return counts
      })
      const sum = counted.flatMap((each) => [...Buffer.from(each)]).reduce((all, byte) => all + byte, 0)
      const name = slotOf(command, words)
      assert.is(name, String.fromCharCode(FIRST_SLOT_NAME + (sum % SLOTS)) + command.charAt(0))
      assert.not.match(name, /[/\0]/)
    }),
  )
})

test.run()
