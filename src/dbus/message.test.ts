import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeValues } from './decode.ts'
import { encodeValues } from './encode.ts'
import { decodeMessage, encodeMessage, MESSAGE_TYPE, messageLength } from './message.ts'
import { membersOf, typesIn } from './signature.ts'
import { type Value, variant } from './value.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('a signature is a list of complete types', () => {
  assert.equal(typesIn('ssa(sv)a(sa(sv))u'), ['s', 's', 'a(sv)', 'a(sa(sv))', 'u'])
  assert.equal(typesIn('aaya{sv}(i(tt))'), ['aay', 'a{sv}', '(i(tt))'])
  assert.equal(membersOf('(sa(sv)u)'), ['s', 'a(sv)', 'u'])
  for (const wrong of ['a', '(s', 'z', ')', 'a{s', '()', 'a()', 'a{}', '(s())'])
    assert.throws(() => typesIn(wrong), RangeError, wrong)
})

test('values are aligned and marshalled as the specification says', () => {
  const cases: [string, Value[], string][] = [
    ['yu', [1, 0x01020304], '01000000' + '04030201'],
    ['b', [true], '01000000'],
    ['s', ['foo'], '03000000' + '666f6f00'],
    ['g', ['ai'], '02' + '616900'],
    ['v', [variant('u', 5)], '017500' + '00' + '05000000'],
    ['at', [[1n]], '08000000' + '00000000' + '0100000000000000'], // its length is without the padding in front
    ['at', [[]], '00000000' + '00000000'],
    ['ay', [Uint8Array.of(1, 2)], '02000000' + '0102'],
    ['(yn)', [[7, -2]], '0700' + 'feff'],
    ['a(ss)', [[['a', 'b']]], '0e000000' + '00000000' + '0100000061000000' + '010000006200'],
    ['x', [-1n], 'ffffffffffffffff'],
    ['d', [1], '000000000000f03f'],
  ]
  for (const [signature, values, bytes] of cases) {
    assert.is(hex(encodeValues(signature, values)), bytes, signature)
    assert.equal(decodeValues(signature, encodeValues(signature, values)), values, signature)
  }
})

test('what does not fit its type is refused', () => {
  const cases: [string, Value][] = [
    ['y', 256],
    ['u', -1],
    ['t', 2n ** 64n],
    ['i', 1.5],
    ['s', 5],
    ['u', 'x'],
    ['s', 'nul\0'],
    ['as', 'x'],
    ['(ss)', ['x']],
    ['v', 'x'],
  ]
  for (const [signature, value] of cases) assert.throws(() => encodeValues(signature, [value]), RangeError, signature)
  assert.throws(() => encodeValues('ss', ['x']), RangeError)
})

test('a call is laid out as the bus wants it', () => {
  const call = {
    type: MESSAGE_TYPE.call,
    serial: 1,
    path: '/o',
    interface: 'a.b',
    member: 'M',
    destination: 'c.d',
    signature: 'u',
    body: [9],
  }
  const bytes = encodeMessage(call)
  assert.is(
    hex(bytes),
    '6c010001' +
      '04000000' +
      '01000000' +
      '47000000' + // little-endian, call, no flags, version 1; body 4, serial 1, fields 71
      '01016f00' +
      '020000002f6f0000' +
      '00000000' + // path /o
      '02017300' +
      '03000000612e6200' +
      '00000000' + // interface a.b
      '03017300' +
      '010000004d000000' +
      '00000000' + // member M
      '06017300' +
      '03000000632e6400' +
      '00000000' + // destination c.d
      '08016700' +
      '017500' + // signature u
      '00' +
      '09000000',
    'bytes',
  )
  assert.is(messageLength(bytes), bytes.length)
  assert.equal(decodeMessage(bytes), call)
})

test('whatever arrives, nothing is read beyond its end', () => {
  const whole = encodeMessage({
    type: MESSAGE_TYPE.signal,
    serial: 3,
    path: '/org/x',
    member: 'JobRemoved',
    signature: 'uosasa{sv}',
    body: [1, '/a', 'b', ['c', 'd'], [['k', variant('t', 1n)]]],
  })
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
      const bytes = whole.slice(0, length)
      if (at < length) bytes[at] = byte
      try {
        messageLength(bytes)
        decodeMessage(bytes)
      } catch (error) {
        assert.ok(error instanceof RangeError || error instanceof TypeError, `${error}`)
      }
    }),
    { numRuns: 2000 },
  )
  for (const bytes of ['', '42010001', '6c010002'].map((text) => Buffer.from(text.padEnd(32, '0'), 'hex'))) {
    assert.throws(() => messageLength(bytes), RangeError)
  }
  assert.throws(() => messageLength(Buffer.from('6c01000100000010000000010000ffff', 'hex')), /D-Bus message of/)
})

test('a value nested without end is refused', () => {
  let value: Value = 'x'
  let signature = 's'
  for (let depth = 0; depth < 80; depth++) {
    value = variant(signature, value)
    signature = 'v'
  }
  const bytes = encodeValues('v', [value])
  assert.throws(() => decodeValues('v', bytes), /nested too deeply/)
})

/** Types that a peer may put together. */
const { type: anyType } = fc.letrec<{ type: string }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(...'ybnqiuxtdsogvh'),
    tie('type').map((type) => `a${type}`),
    fc.array(tie('type'), { minLength: 1, maxLength: 3 }).map((types) => `(${types.join('')})`),
    fc.tuple(fc.constantFrom(...'ysu'), tie('type')).map(([key, type]) => `a{${key}${type}}`),
  ),
}))

test('whatever a signature promises, bytes are read to their end or refused', () => {
  fc.assert(
    fc.property(anyType, fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
      try {
        decodeValues(type, bytes)
      } catch (error) {
        assert.ok(error instanceof RangeError || error instanceof TypeError, `${error}`)
      }
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ybsogva(){}'), maxLength: 40 }), (signature) => {
      try {
        decodeValues(signature, new Uint8Array(400))
      } catch (error) {
        assert.instance(error, RangeError)
      }
    }),
    { numRuns: 2000 },
  )
})

test('the largest messages are decoded soon, whatever they are of', () => {
  const bytes = new Uint8Array(1 << 20)
  new DataView(bytes.buffer).setUint32(0, bytes.length - 8, true)
  const deep = (open: string, close: string, depth: number) => `a${open.repeat(depth)}y${close.repeat(depth)}`
  for (const signature of ['ay', 'an', 'at', 'a(y)', 'a(yy)', 'aay', 'a(ay)', 'as', 'ag', 'av', deep('(', ')', 30)]) {
    const started = performance.now()
    try {
      decodeValues(signature, bytes)
    } catch (error) {
      assert.instance(error, RangeError)
    }
    assert.ok(performance.now() - started < 5000, signature)
  }
})

test.run()
