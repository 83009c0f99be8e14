import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { printable, printableJson, printableLines } from './printable.ts'

test('what steers a terminal is written out', () => {
  assert.is(printable('a\x1b[2Jb\x00\x07\x7f\x9b'), 'a\\x1b[2Jb\\x00\\x07\\x7f\\x9b')
})

test('a text from outside is one line', () => {
  assert.is(printable('a\nb\r\tc\u2028d'), 'a\\nb\\r\\tc\\u2028d')
})

test('nothing turns the direction of writing', () => {
  assert.is(printable('\u202egpj\u2066'), '\\u202egpj\\u2066')
})

test('half a surrogate pair is written out, a whole one stays', () => {
  assert.is(printable('\ud800 \u{1f40b}'), '\\ud800 \u{1f40b}')
})

test('letters of all scripts stay', () => {
  assert.is(printable('naïve 漢字 עברית \\n'), 'naïve 漢字 עברית \\n')
})

test('lines of our own stay lines', () => {
  assert.is(printableLines('a\x1b\n  b\r'), 'a\\x1b\n  b\\r')
})

test('JSON stays the same value, and has nothing that steers a terminal', () => {
  const value = { 'a\u009bb': ['\u202e', '\x7f', '\u2028', '\x1b[1m\n', 'ä🐳'] }
  const json = printableJson(JSON.stringify(value, undefined, 2))
  assert.equal(JSON.parse(json), value)
  assert.not.match(json.replaceAll('\n', ''), /[\p{Cc}\p{Bidi_Control}\p{Zl}]/u)
  assert.ok(json.includes('ä🐳'))
})

test.run()
