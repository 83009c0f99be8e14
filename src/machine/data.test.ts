import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openFlagsToArm64 } from '../linux/open-flags.ts'
import type { Data, DataPart } from '../plan/step.ts'
import { type Bases, place, writeData } from './data.ts'
import { targetFor } from './target.ts'

function data(id: number, parts: readonly DataPart[], writable: boolean, size: number): Data {
  return { id, parts, writable, size, text: `data ${id}` }
}

const one: DataPart = { kind: 'u32', value: 1 }
const bases: Bases = { file: 0x400000, writable: 0x500000, writableOffset: 200 }

test('objects lie on multiples of 8: constants in the file, then what has contents, slots, and zeroed objects', () => {
  const layout = place(
    [
      data(0, [Uint8Array.from([1, 2, 3])], false, 3),
      data(1, [], true, 5),
      data(2, [one], true, 4),
      data(3, [], false, 9),
      data(4, [new Uint8Array(6), { kind: 'u64', value: 0n }], true, 14),
      data(5, [{ kind: 'pointer', to: { kind: 'address', data: 0, offset: 0 } }], true, 8),
      data(6, [one], false, 4),
    ],
    3,
    104,
  )
  assert.equal([...layout.offsets], [104, 40, 0, 112, 48, 8, 128])
  assert.is(layout.constantsEnd, 136)
  assert.is(layout.initializedSize, 16)
  assert.is(layout.slots, 16)
  assert.is(layout.writableSize, 64)
})

test('an object must hold its parts, and ids count from 0', () => {
  assert.throws(() => place([data(0, [one, one], false, 7)], 0, 0), /8 bytes in an object of 7/)
  assert.throws(() => place([data(1, [], false, 7)], 0, 0), /data object 0 calls itself 1/)
})

test('parts are written little-endian, with open flags and addresses of the target', () => {
  const objects = [
    data(0, [], true, 8),
    data(
      1,
      [
        Uint8Array.from([1, 2, 3, 4]),
        { kind: 'u32', value: -2 },
        { kind: 'u64', value: -2 },
        { kind: 'u64', value: 0x0102030405060708n },
        { kind: 'u64', value: 2 ** 40 + 5 },
        { kind: 'pointer', to: { kind: 'address', data: 0, offset: 3 } },
        { kind: 'pointer', to: { kind: 'address', data: 1, offset: 2 } },
        { kind: 'open-flags', flags: 0o2200000 },
        { kind: 'u32', value: 0xffffffffn },
      ],
      false,
      80,
    ),
    data(2, [{ kind: 'u64', value: -(2n ** 63n) }], true, 8),
  ]
  const layout = place(objects, 1, 16)
  for (const architecture of ['x64', 'arm64'] as const) {
    const file = new Uint8Array(208)
    writeData(file, objects, layout, bases, targetFor(architecture))
    const view = new DataView(file.buffer)
    assert.equal([...file.subarray(16, 20)], [1, 2, 3, 4])
    assert.is(view.getInt32(20, true), -2)
    assert.is(view.getBigInt64(24, true), -2n)
    assert.is(view.getBigInt64(32, true), 0x0102030405060708n)
    assert.is(view.getBigInt64(40, true), 2n ** 40n + 5n)
    assert.is(view.getBigInt64(48, true), BigInt(0x500000 + 16 + 3))
    assert.is(view.getBigInt64(56, true), BigInt(0x400000 + 16 + 2))
    const flags = architecture === 'x64' ? 0o2200000 : openFlagsToArm64(0o2200000)
    assert.is(view.getBigInt64(64, true), BigInt(flags))
    assert.is(view.getUint32(72, true), 0xffffffff)
    assert.is(view.getBigInt64(200, true), -(2n ** 63n))
  }
})

test.run()
