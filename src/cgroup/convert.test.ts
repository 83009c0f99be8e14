import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import { planCgroup } from './cgroup.ts'
import { orMax, orMaxRate, orMinusOne, sharesToWeight, swapAlone, weightToIoWeight } from './convert.ts'
import { cgroupPath } from './path.ts'

test('shares and weights meet at the minima, the defaults and the maxima', () => {
  const pairs: [bigint, bigint][] = [
    [0n, 1n],
    [2n, 1n],
    [1024n, 100n],
    [262144n, 10000n],
    [999999n, 10000n],
  ]
  for (const [shares, weight] of pairs) assert.is(sharesToWeight(shares), weight, `${shares}`)
})

test('more shares are never less weight, and always in range', () => {
  fc.assert(
    fc.property(fc.bigInt(2n, 262143n), (shares) => {
      const weight = sharesToWeight(shares)
      return weight >= 1n && weight <= 10000n && sharesToWeight(shares + 1n) >= weight
    }),
  )
})

test('weights of block I/O meet at both ends; no rate is "max"', () => {
  assert.equal([10, 500, 1000].map(weightToIoWeight), [1, 4950, 10000])
  assert.equal([orMaxRate(0n), orMaxRate(2n ** 64n - 1n)], ['max', '18446744073709551615'])
})

test('memory and swap together become swap alone', () => {
  assert.is(swapAlone(300n, 100n), '200')
  assert.is(swapAlone(100n, 100n), '0')
  assert.is(swapAlone(-1n, undefined), 'max')
  assert.throws(() => swapAlone(99n, 100n), /less than the memory limit/)
  assert.throws(() => swapAlone(100n, undefined), /needs a memory limit/)
  assert.throws(() => swapAlone(100n, -1n), /without a limit/)
})

test('every negative number is unlimited', () => {
  assert.equal([orMax(-1n), orMax(-5n), orMax(0n), orMax(7n)], ['max', 'max', '0', '7'])
  assert.equal([orMinusOne(-5n), orMinusOne(0n), orMinusOne(2n ** 63n)], ['-1', '0', '9223372036854775808'])
})

test('the same cgroupsPath is always the same place below the mount points', () => {
  assert.is(cgroupPath(undefined, 'web'), '/web')
  assert.is(cgroupPath('', 'web'), '/web')
  assert.is(cgroupPath('a/b', 'web'), '/a/b')
  assert.is(cgroupPath('/a//./b/', 'web'), '/a/b')
  assert.is(cgroupPath('system.slice:runt:web', 'web'), '/system.slice:runt:web')
  assert.is(cgroupPath('/a..b', 'web'), '/a..b')
  for (const bad of ['../x', '/a/../b', 'a/..', 'a\nb', 'a\0b', `/a/${'x'.repeat(256)}`]) {
    assert.throws(() => cgroupPath(bad, 'web'), /linux\.cgroupsPath: /, bad)
  }
})

test('whatever the path, it stays below the mount point', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      let path: string
      try {
        path = cgroupPath(text, 'id')
      } catch {
        return true
      }
      return path.startsWith('/') && !/(^|\/)\.{1,2}(\/|$)|\/\/|[\n\0]/.test(path)
    }),
  )
})

test('the same place is the same path, however it is written; what is refused is refused for a reason', () => {
  const part = fc.constantFrom(
    'a',
    'b c',
    '..a',
    'a:b',
    '.',
    '',
    '..',
    'x'.repeat(255),
    'x'.repeat(256),
    'é'.repeat(128),
  )
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.boolean(), (parts, absolute) => {
      const text = `${absolute ? '/' : ''}${parts.join('/')}`
      const names = parts.filter((each) => each !== '' && each !== '.')
      const isRefused = names.some((name) => name === '..' || Buffer.byteLength(name) > 255)
      if (isRefused) {
        assert.throws(
          () => cgroupPath(text, 'id'),
          (error: unknown) => error instanceof RuntError && error.code === 'cgroup',
        )
        return
      }
      const path = cgroupPath(text, 'id')
      assert.is(path, text === '' ? '/id' : `/${names.join('/')}`)
      assert.is(cgroupPath(path, 'id'), path)
    }),
  )
})

test('a plan names every folder and has made none', () => {
  const unified = { name: '', controllers: [], mountpoint: '/cg/unified', root: '/' }
  const v1 = [{ name: 'cpu,cpuacct', controllers: ['cpu', 'cpuacct'], mountpoint: '/cg/cpu,cpuacct', root: '/' }]
  const planned = planCgroup({ mode: 'hybrid', v1, unified }, '/a/b')
  assert.equal(planned.directories, { 'cpu,cpuacct': '/cg/cpu,cpuacct/a/b', '': '/cg/unified/a/b' })
  assert.equal([planned.made, planned.planned], [[], true])
})

test.run()
