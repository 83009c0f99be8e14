import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseEnvironment } from './environment.ts'

function parse(latin1: string): object {
  return { ...parseEnvironment(Uint8Array.from(latin1, (character) => character.charCodeAt(0))) }
}

test('variables by their names', () => {
  assert.equal(parse('A=1\0EMPTY=\0B=x=y\n\0'), { A: '1', EMPTY: '', B: 'x=y\n' })
  assert.equal(parse(''), {})
})

test('what is hidden is found, and what only looks so is not changed', () => {
  assert.equal(parse('\xc2UN_X\x01a=\x01b\0C=\x01=\0'), { BUN_X: 'a=\x01b', C: '\x01=' })
})

test('bytes that are not UTF-8 stay', () => {
  assert.equal(parse('\xc3\xa4=\xff\0\xc1\x01\xfe\0'), { ä: '\udcff', A: '\udcfe' })
})

test('of two the first counts, and what is no variable does not', () => {
  assert.equal(parse('A=1\0A=2\0=x\0nothing\0__proto__=y\0'), { A: '1', ['__proto__']: 'y' })
})

test.run()
