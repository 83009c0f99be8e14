import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { printable, printableLines } from './printable.ts'

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

test.run()
