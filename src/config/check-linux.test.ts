// What a schema can't say of id maps: against a count of every single id.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRanges } from './check-linux.ts'
import { type Finding, reporter } from './problems.ts'
import { sysctlPath } from './sysctl.ts'

type Ranges = Parameters<typeof checkRanges>[0]

function findingsOf(list: Ranges): Finding[] {
  const findings: Finding[] = []
  checkRanges(list, '/m', reporter(findings, 'mappings'))
  return findings
}

/** Small ones, among the first ids or just below the last. */
const range = fc.record({ containerID: fc.nat(12), hostID: fc.nat(12), size: fc.integer({ min: 1, max: 5 }) })
const lists = fc.array(range, { maxLength: 5 })

/** The ids of one side, one by one. */
function idsOf(list: Ranges, side: 'containerID' | 'hostID'): number[] {
  return list.flatMap((each) => Array.from({ length: each.size }, (_, index) => each[side] + index))
}

test('a map is taken just when no id stands in it twice', () => {
  void fc.assert(
    fc.property(lists, (list) => {
      const isPlain = (['containerID', 'hostID'] as const).every((side) => {
        const ids = idsOf(list, side)
        return new Set(ids).size === ids.length
      })
      assert.is(findingsOf(list).length === 0, isPlain, JSON.stringify(list))
    }),
    { numRuns: 500 },
  )
})

test('4294967295 is no id: a range may go up to the one before', () => {
  void fc.assert(
    fc.property(fc.nat(9), fc.integer({ min: 1, max: 20 }), fc.boolean(), (below, size, inside) => {
      const start = 0xffffffff - 1 - below
      const list = [inside ? { containerID: start, hostID: 0, size } : { containerID: 0, hostID: start, size }]
      assert.is(findingsOf(list).length === 0, start + size - 1 <= 0xfffffffe)
    }),
  )
})

test('what is wrong with a range is told of the range that it is wrong with', () => {
  void fc.assert(
    fc.property(lists, (list) => {
      for (const { pointer } of findingsOf(list)) {
        const [, index, name] = /^\/m\/(\d+)\/(containerID|hostID)$/.exec(pointer) ?? []
        const side = name as 'containerID' | 'hostID'
        const own = idsOf(list.slice(Number(index), Number(index) + 1), side)
        const earlier = idsOf(list.slice(0, Number(index)), side)
        assert.ok(
          own.some((id) => earlier.includes(id)),
          pointer,
        )
      }
    }),
  )
})

test('the two spellings of a kernel parameter are one path', () => {
  const part = fc.string({ unit: fc.constantFrom(...'ab1_-.'), minLength: 1, maxLength: 6 })
  void fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{1,4}$/), fc.array(part, { minLength: 1, maxLength: 4 }), (first, others) => {
      const path = [first, ...others].join('/')
      // With dots between the parts, a dot in a part is written as a slash.
      const dotted = [first, ...others.map((each) => each.replaceAll('.', '/'))].join('.')
      assert.is(sysctlPath(path), path)
      assert.is(sysctlPath(dotted), path)
    }),
  )
})

test('more ranges than the kernel takes', () => {
  const ranges = Array.from({ length: 341 }, (_, id) => ({ containerID: id, hostID: id, size: 1 }))
  const findings: Finding[] = []
  checkRanges(ranges, '/m', reporter(findings, 'mappings'))
  assert.equal(
    findings.map(({ pointer, message }) => [pointer, message]),
    [['/m', 'has 341 ranges, and the kernel takes 340']],
  )
  checkRanges(ranges.slice(1), '/m', reporter(findings, 'mappings'))
  assert.is(findings.length, 1)
})

test.run()
