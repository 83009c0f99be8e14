import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { andImm, assemble, exit, ja, jneImm, jsetImm, ldxw, mov, movImm, rshImm } from './extended.ts'
import { runExtended } from './extended-interpreter.ts'
import { label } from './labels.ts'

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

test('each row is the eight bytes of the RFC: opcode, registers, offset, immediate', () => {
  assert.is(hex(assemble([ldxw(2, 1, 8)])), '6112080000000000')
  assert.is(hex(assemble([mov(3, 2)])), 'bf23000000000000')
  assert.is(hex(assemble([movImm(0, -1)])), 'b7000000ffffffff')
  assert.is(hex(assemble([andImm(2, 0xffff)])), '57020000ffff0000')
  assert.is(hex(assemble([rshImm(3, 16)])), '7703000010000000')
  assert.is(hex(assemble([exit()])), '9500000000000000')
})

test('jumps count the instructions between, and labels take no room', () => {
  const items = [
    jneImm(4, 1, 'end'),
    jsetImm(3, 6, 'end'),
    label('middle'),
    ja('end'),
    movImm(0, 1),
    label('end'),
    exit(),
  ]
  assert.is(
    hex(assemble(items)),
    ['5604030001000000', '4603020006000000', '0500010000000000', 'b700000001000000', '9500000000000000'].join(''),
  )
})

test('a label that is missing, that stands twice or that is too far is refused', () => {
  assert.throws(() => assemble([ja('x')]), /no label x/)
  assert.throws(() => assemble([label('x'), label('x'), exit()]), /stands twice/)
  const far = Array.from({ length: 0x8001 }, () => movImm(0, 0))
  assert.throws(() => assemble([ja('x'), ...far, label('x'), exit()]), /too far/)
})

test('the interpreter refuses what the kernel would', () => {
  const nothing = new Uint8Array(12)
  assert.is(runExtended(assemble([movImm(0, 7), exit()]), nothing), 7n)
  assert.throws(() => runExtended(assemble([exit()]), nothing), /r0 holds no number/)
  assert.throws(() => runExtended(assemble([movImm(0, 0)]), nothing), /off the end/)
  assert.throws(() => runExtended(Uint8Array.from([0xff, 0, 0, 0, 0, 0, 0, 0]), nothing), /opcode 0xff/)
})

test.run()
