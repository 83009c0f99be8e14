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

test.run()
