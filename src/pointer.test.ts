import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pointerText, step, stepsOf } from './pointer.ts'

test('a pointer reads as a person writes it', () => {
  const pairs = [
    ['', ''],
    ['/mounts/2', 'mounts[2]'],
    ['/process/rlimits/0', 'process.rlimits[0]'],
    ['/linux/sysctl/net.ipv4.ip_forward', 'linux.sysctl["net.ipv4.ip_forward"]'],
    ['/linux/sysctl/net~1ipv4~0x', 'linux.sysctl["net/ipv4~x"]'],
    ['/annotations/', 'annotations[""]'],
  ] as const
  for (const [pointer, text] of pairs) assert.is(pointerText(pointer), text)
})

test('any name comes back out of a pointer', () => {
  for (const name of ['a', '', '~', '/', '~1', '~01/']) assert.equal(stepsOf(`/x/${step(name)}`), ['x', name])
})

test.run()
