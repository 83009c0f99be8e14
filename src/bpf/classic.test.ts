import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { assembleClassic, ja, jeq, jge, jgt, ldAbs, ret } from './classic.ts'
import { runClassic } from './classic-interpreter.ts'
import { label } from './labels.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('each row is a sock_filter: code, jumps, k', () => {
  assert.is(hex(assembleClassic([ldAbs(4)])), '2000000004000000')
  assert.is(hex(assembleClassic([ret(0x7fff0000)])), '060000000000ff7f')
})

test('jumps count the instructions between; the last label may be behind the last of them', () => {
  const items = [jeq(0xc000003e, 'end'), jgt(5, 'end'), label('here'), jge(7, 'end'), ja('end'), ret(1), label('end')]
  assert.is(
    hex(assembleClassic(items)),
    ['150004003e0000c0', '2500030005000000', '3500020007000000', '0500000001000000', '0600000001000000'].join(''),
  )
})

test('a label that is missing, behind or too far is refused', () => {
  assert.throws(() => assembleClassic([ja('x')]), /no label x/)
  assert.throws(() => assembleClassic([label('x'), ja('x')]), /behind or too far/)
  const far = Array.from({ length: 256 }, () => ret(0))
  assert.throws(() => assembleClassic([jeq(1, 'x'), ...far, label('x')]), /behind or too far/)
})

test('the interpreter goes where a program goes, and refuses what the kernel would', () => {
  const data = new Uint8Array(64)
  new DataView(data.buffer).setUint32(4, 7, true)
  const program = assembleClassic([
    ldAbs(4),
    jeq(7, 'yes'),
    ret(1),
    label('yes'),
    jgt(7, 'no'),
    ret(2),
    label('no'),
    ret(3),
  ])
  assert.is(runClassic(program, data), 2)
  assert.throws(() => runClassic(assembleClassic([ldAbs(62), ret(0)]), data), /a load from 62/)
  assert.throws(() => runClassic(assembleClassic([ldAbs(0)]), data), /off the end/)
  assert.throws(() => runClassic(Uint8Array.from([0xff, 0, 0, 0, 0, 0, 0, 0]), data), /opcode 0xff/)
})

test.run()
