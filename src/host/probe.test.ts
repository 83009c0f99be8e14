import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pidInside } from './probe.ts'

test('of the pids of a process the innermost counts, whatever stands around them', () => {
  const command = fc.string({ unit: fc.constantFrom(...'a:NSpid\t1'), maxLength: 15 })
  void fc.assert(
    fc.property(
      command,
      fc.array(fc.integer({ min: 1, max: 4194304 }), { minLength: 1, maxLength: 32 }),
      (name, pids) => {
        // Outside of the first namespaces the kernel writes fewer columns; it never writes none.
        const text = `Name:\t${name}\nTgid:\t7\nNStgid:\t8\nNSpid:\t${pids.join('\t')}\nNSpgid:\t9\n`
        assert.is(pidInside(text), pids.at(-1))
      },
    ),
  )
})

test('a process that is gone has none', () => {
  assert.is(pidInside(''), 0)
})

test.run()
