import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decode, ENTRY, encode, type Message } from './protobuf.ts'

const INNER: Message = { a: 1 }
const OUTER: Message = { b: 2, inner: [3, INNER], many: 4, map: [5, ENTRY] }

test('messages are written as the encoding’s guide shows them', () => {
  assert.is(encode(INNER, { a: 150 }).toString('hex'), '089601')
  assert.is(encode(OUTER, { b: 'testing' }).toString('hex'), '120774657374696e67')
  assert.is(encode(OUTER, { inner: { a: 150 } }).toString('hex'), '1a03089601')
  assert.is(encode(OUTER, { many: [1, 2], b: undefined }).toString('hex'), '20012002')
  assert.is(encode(OUTER, { map: [{ key: 'k', value: 'v' }] }).toString('hex'), '2a060a016b120176')
  assert.is(encode(INNER, { a: 2 ** 53 - 1 }).toString('hex'), '08ffffffffffffff0f')
  assert.is(encode(INNER, { a: true }).toString('hex'), '0801')
  assert.throws(() => encode(INNER, { b: 1 }), 'no field is called b')
})

test('what was written is read, and unknown fields are passed over', () => {
  const fields = { b: 'text', inner: { a: 2 ** 40 } }
  assert.equal(decode(OUTER, encode(OUTER, fields)), fields)
  assert.equal(decode({ b: 2 }, encode(OUTER, fields)), { b: 'text' })
  const fixed = Buffer.from('0901000000000000001502000000', 'hex')
  assert.equal(decode({ one: 1, two: 2 }, fixed), { one: 1, two: 2 })
  assert.equal(decode(INNER, Buffer.from('08ffffffffffffffffff01', 'hex')), { a: -1 })
})

test.run()
