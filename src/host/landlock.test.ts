import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { abiNeeded } from './landlock.ts'

const NOTHING = { handledAccessFS: undefined, handledAccessNet: [], scoped: [], paths: [] }

test('the ABI that rules need is that of their newest right', () => {
  assert.is(abiNeeded(NOTHING), 0)
  assert.is(abiNeeded({ ...NOTHING, paths: [{ access: ['execute'] }] }), 1)
  assert.is(abiNeeded({ ...NOTHING, handledAccessFS: ['execute', 'truncate', 'refer'] }), 3)
  assert.is(abiNeeded({ ...NOTHING, handledAccessNet: ['bind_tcp'] }), 4)
  assert.is(abiNeeded({ ...NOTHING, paths: [{ access: ['execute'] }, { access: ['ioctl_dev'] }] }), 5)
  assert.is(abiNeeded({ ...NOTHING, scoped: ['signal'], handledAccessNet: ['bind_tcp'] }), 6)
})

test.run()
