import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Seccomp } from '../config/types.ts'
import { SECCOMP_FLAG } from '../linux/seccomp-abi.ts'
import { kernelFlags } from './flags.ts'
import { FLAGS } from './names.ts'

const ALLOW: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW' }
const NOTIFY: Seccomp = { ...ALLOW, syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] }
const { TSYNC, LOG, SPEC_ALLOW, NEW_LISTENER, TSYNC_ESRCH, WAIT_KILLABLE_RECV } = SECCOMP_FLAG

test('without flags speculation is allowed; an empty list asks for none', () => {
  assert.is(kernelFlags(ALLOW), SPEC_ALLOW)
  assert.is(kernelFlags({ ...ALLOW, flags: [] }), 0)
  assert.is(kernelFlags(NOTIFY), SPEC_ALLOW | NEW_LISTENER)
})

test('flags are those given, as far as the kernel takes them together', () => {
  const all = Object.keys(FLAGS) as (keyof typeof FLAGS)[]
  assert.is(kernelFlags({ ...ALLOW, flags: all }), TSYNC | LOG | SPEC_ALLOW)
  assert.is(
    kernelFlags({ ...NOTIFY, flags: all }),
    TSYNC | TSYNC_ESRCH | LOG | SPEC_ALLOW | NEW_LISTENER | WAIT_KILLABLE_RECV,
  )
})

test('of any flags the kernel gets those given, and none that it refuses together', () => {
  const all = Object.keys(FLAGS) as (keyof typeof FLAGS)[]
  void fc.assert(
    fc.property(fc.subarray(all), fc.boolean(), (flags, listens) => {
      const asked = kernelFlags({ ...(listens ? NOTIFY : ALLOW), flags })
      const has = (flag: number): boolean => (asked & flag) !== 0
      assert.is(has(NEW_LISTENER), listens)
      assert.is(has(TSYNC), flags.includes('SECCOMP_FILTER_FLAG_TSYNC'))
      assert.is(has(LOG), flags.includes('SECCOMP_FILTER_FLAG_LOG'))
      assert.is(has(SPEC_ALLOW), flags.includes('SECCOMP_FILTER_FLAG_SPEC_ALLOW'))
      // seccomp(2): with a listener TSYNC takes TSYNC_ESRCH, and without one nobody is waited for.
      assert.is(has(TSYNC_ESRCH), listens && has(TSYNC))
      assert.is(has(WAIT_KILLABLE_RECV), listens && flags.includes('SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'))
    }),
  )
})

test.run()
