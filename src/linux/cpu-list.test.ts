import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cpuMask } from './cpu-list.ts'

test('a list of CPUs is a mask, in whole longs', () => {
  const pairs: readonly [list: string, mask: string][] = [
    ['0', '0100000000000000'],
    ['0-3,7', '8f00000000000000'],
    [' 1 , 2-2', '0600000000000000'],
    ['64', '00000000000000000100000000000000'],
    ['63-64', '00000000000000800100000000000000'],
  ]
  for (const [list, mask] of pairs) assert.is(Buffer.from(cpuMask(list) ?? []).toString('hex'), mask, list)
  assert.is(cpuMask('8191')?.length, 1024)
})

test('what is no list of CPUs is refused', () => {
  for (const list of ['', ',', '1,', '3-1', '-', '1-', '8192', '99999', 'a', '0x1', '1 2', '-1', '1--2']) {
    assert.is(cpuMask(list), undefined, list)
  }
})

test('the mask has the bits of the list, and no others', () => {
  const range = fc
    .tuple(fc.nat(8191), fc.nat(70))
    .map(([first, more]) => [first, Math.min(first + more, 8191)] as const)
  void fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 5 }), (ranges) => {
      const list = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
      const mask = cpuMask(list) ?? new Uint8Array(0)
      assert.is(mask.length % 8, 0)
      const found = Array.from({ length: 8 * mask.length }, (_, cpu) => cpu).filter(
        (cpu) => ((mask[cpu >> 3] ?? 0) & (1 << (cpu & 7))) !== 0,
      )
      const listed = ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
      assert.equal(
        found,
        [...new Set(listed)].sort((a, b) => a - b),
        list,
      )
    }),
  )
})

test('any other text is no list', () => {
  void fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0189-, x') }), (text) => {
      const isList = text.split(',').every((part) => {
        const [first = '', last = first, ...more] = part.trim().split('-')
        const plain = /^\d{1,4}$/.test(first) && /^\d{1,4}$/.test(last) && more.length === 0
        return plain && Number(first) <= Number(last) && Number(last) <= 8191
      })
      assert.is(cpuMask(text) !== undefined, isList, JSON.stringify(text))
    }),
    { numRuns: 500 },
  )
})

test.run()
