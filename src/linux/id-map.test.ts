import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type IdRange, idMapText, idOutside } from './id-map.ts'

test('the map of the whole machine is the identity, but for the id that is none', () => {
  const whole = '         0          0 4294967295\n'
  assert.equal([idOutside(whole, 0), idOutside(whole, 4294967294)], [0, 4294967294])
  assert.equal([idOutside(whole, 4294967295), idOutside('', 0)], [undefined, undefined])
})

/** Ranges that follow each other with gaps, in any order. */
const ranges = fc
  .array(fc.tuple(fc.nat(5), fc.nat(5), fc.integer({ min: 1, max: 9 })), { maxLength: 6 })
  .map((gaps): IdRange[] => {
    let [containerID, hostID] = [0, 100_000]
    return gaps.map(([inner, outer, size]) => {
      const range = { containerID: containerID + inner, hostID: hostID + outer, size }
      containerID = range.containerID + size
      hostID = range.hostID + size
      return range
    })
  })
  .chain((list) => fc.shuffledSubarray(list, { minLength: list.length }))

test('an id is found outside where its range puts it, and nowhere when none does', () => {
  void fc.assert(
    fc.property(ranges, fc.constantFrom('', '    '), (list, indent) => {
      const text = idMapText(list).replace(/^|(?<= )/gm, indent) // the kernel writes columns
      const expected = new Map(
        list.flatMap(({ containerID, hostID, size }) =>
          Array.from({ length: size }, (_, index) => [containerID + index, hostID + index] as const),
        ),
      )
      for (let id = 0; id < 100; id++) assert.is(idOutside(text, id), expected.get(id), `${id} in ${text}`)
    }),
  )
})

test('whatever the text, an id that is found is a number', () => {
  void fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0123 \n\tx-') }), fc.nat(20), (text, id) => {
      const found = idOutside(text, id)
      assert.ok(found === undefined || Number.isFinite(found), text)
    }),
    { numRuns: 500 },
  )
})

test.run()
