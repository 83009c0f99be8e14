import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import { checkId } from './id.ts'

test('ids that engines use are accepted', () => {
  for (const id of ['a', 'a.b', 'x_y+z-1', 'buildah-buildah123', 'f'.repeat(64), '007', '..a']) checkId(id)
})

test('an id is one plain file name', () => {
  for (const id of ['', '.', '..', 'a/b', '../a', 'a b', 'é', 'a\0', 'a\n', 'f'.repeat(256)]) {
    assert.throws(
      () => checkId(id),
      (error: unknown) => error instanceof RuntError && /invalid container ID format/.test(error.message),
      JSON.stringify(id),
    )
  }
})

test('what is accepted never leads out of its folder', () => {
  void fc.assert(
    fc.property(fc.string(), (id) => {
      try {
        checkId(id)
      } catch {
        return true
      }
      return /^[\w+.-]+$/.test(id) && id !== '.' && id !== '..'
    }),
  )
})

test('every file name of these characters is accepted, and no longer one', () => {
  const characters = [...'ABZaz09_+.-']
  void fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength: 255 }), (id) => {
      fc.pre(id !== '.' && id !== '..')
      checkId(id)
      assert.throws(() => checkId(id.padEnd(256, id)), /invalid container ID format/)
    }),
  )
})

test('one character that is none of them is enough to be refused', () => {
  const other = fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((text) => !/^[\w+.-]$/.test(text))
  void fc.assert(
    fc.property(
      fc.stringMatching(/^[\w+.-]{0,9}$/),
      other,
      fc.stringMatching(/^[\w+.-]{0,9}$/),
      (before, odd, after) => {
        assert.throws(
          () => checkId(before + odd + after),
          (error: unknown) => error instanceof RuntError && error.code === 'id-invalid',
        )
      },
    ),
  )
})

test.run()
