import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MESSAGE, REPLY } from '../plan/messages.ts'
import { decodeMessage, decodeMessages, encodeReply } from './sync.ts'

function message(kind: number, step: number, value: bigint, text = ''): Uint8Array {
  const said = new TextEncoder().encode(text)
  const bytes = new Uint8Array(24 + said.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, kind, true)
  view.setUint32(4, step, true)
  view.setBigInt64(8, value, true)
  view.setUint32(16, said.length, true)
  bytes.set(said, 24)
  return bytes
}

test('messages of the image are read', () => {
  assert.equal(decodeMessage(message(MESSAGE.pid, 0, 4711n)), { kind: 'pid', value: 4711 })
  assert.equal(decodeMessage(message(MESSAGE.failed, 12, 2n, 'said')), {
    kind: 'failed',
    step: 12,
    code: 2,
    text: 'said',
  })
})

test('a message that is none of ours is refused', () => {
  assert.throws(() => decodeMessage(message(99, 0, 0n)), /unknown kind 99/)
  assert.throws(() => decodeMessage(new Uint8Array(3)), /message of 3 bytes/)
})

test('whatever comes, it is read or refused', () => {
  void fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodeMessage(bytes)
      } catch (error) {
        assert.match((error as Error).message, /from the image/)
      }
    }),
  )
})

test('messages that come in one piece are read one by one', () => {
  const messages = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constantFrom('ready', 'hooked'), value: fc.nat() }),
      fc.record({
        kind: fc.constant('failed'),
        step: fc.nat(9),
        code: fc.nat(),
        text: fc.string({ unit: 'grapheme' }),
      }),
    ),
  )
  void fc.assert(
    fc.property(messages, (list) => {
      const bytes = list.map((each) =>
        'text' in each
          ? message(MESSAGE.failed, each.step, BigInt(each.code), each.text)
          : message(MESSAGE[each.kind as 'ready' | 'hooked'], 0, BigInt(each.value)),
      )
      assert.equal(
        decodeMessages(Buffer.concat(bytes)),
        list.map((each) => ({ ...each })),
      )
    }),
  )
})

test('a reply has its state where the image looks for it', () => {
  const bytes = encodeReply('{"é":1}')
  const length = new TextEncoder().encode('{"é":1}').length
  assert.is(new DataView(bytes.buffer).getUint32(REPLY.stateLength, true), length)
  assert.is(new TextDecoder().decode(bytes.subarray(REPLY.state)), '{"é":1}')
  assert.is(encodeReply().length, REPLY.state)
})

test.run()
