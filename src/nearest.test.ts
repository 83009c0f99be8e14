import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nearest } from './nearest.ts'

const WORDS = ['mount', 'network', 'pid', 'nosuid', 'noexec', 'ro', 'SCMP_ACT_ALLOW']

for (const [word, expected] of [
  ['networ', 'network'],
  ['net', undefined],
  ['nosiud', 'nosuid'],
  ['NOEXEC', 'noexec'],
  ['r', 'ro'],
  ['pdi', 'pid'],
  ['size=1m', undefined],
  ['SCMP_ACT_ALOWED', 'SCMP_ACT_ALLOW'],
  ['', undefined],
  ['x'.repeat(10000), undefined],
] as const) {
  test(`${word.slice(0, 20)} → ${expected}`, () => assert.is(nearest(word, WORDS), expected))
}

test.run()
