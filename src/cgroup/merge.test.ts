import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DeviceRule, Resources } from '../config/types.ts'
import { mergeResources } from './merge.ts'

const NOTHING: Resources = { devices: [], memory: {}, cpu: {}, pids: {}, unified: {} }
const RULE: DeviceRule = { allow: true, type: 'c', major: 1, minor: 1, access: 'r' }

function merged(before: Partial<Resources>, asked: Partial<Resources>): Resources {
  return mergeResources({ ...NOTHING, ...before }, { ...NOTHING, ...asked })
}

test('what is not mentioned stays', () => {
  const everything: Resources = {
    devices: [RULE],
    memory: { limit: 5n, swap: 9n },
    cpu: { shares: 7n },
    pids: { limit: 0n },
    unified: { 'memory.high': '1' },
    blockIO: { weight: 10, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1n }] },
    hugepageLimits: [{ pageSize: '2MB', limit: 0n }],
    network: { classID: 1, priorities: [{ name: 'lo', priority: 1 }] },
    rdma: { mlx5_0: { hcaHandles: 1 } },
  }
  assert.equal(mergeResources(everything, NOTHING), everything)
  assert.equal(mergeResources(NOTHING, everything), everything)
  assert.equal(merged({ cpu: { shares: 7n } }, { cpu: { idle: 1n } }).cpu, { shares: 7n, idle: 1n })
})

test('lists are merged by what an entry speaks of', () => {
  const disk = { major: 8, minor: 0 }
  const other = { major: 8, minor: 16 }
  assert.equal(
    merged(
      { blockIO: { weight: 10, weightDevice: [{ ...disk, weight: 10, leafWeight: 20 }] } },
      {
        blockIO: {
          weightDevice: [
            { ...disk, weight: 30 },
            { ...other, weight: 40 },
          ],
        },
      },
    ).blockIO,
    {
      weight: 10,
      weightDevice: [
        { ...disk, weight: 30, leafWeight: 20 },
        { ...other, weight: 40 },
      ],
    },
  )
  assert.equal(
    merged(
      { hugepageLimits: [{ pageSize: '2MB', limit: 1n }] },
      {
        hugepageLimits: [
          { pageSize: '1GB', limit: 2n },
          { pageSize: '2MB', limit: 3n },
        ],
      },
    ).hugepageLimits,
    [
      { pageSize: '2MB', limit: 3n },
      { pageSize: '1GB', limit: 2n },
    ],
  )
  const priorities = (name: string, priority: number) => ({ priorities: [{ name, priority }] })
  assert.equal(merged({ network: { classID: 5, ...priorities('lo', 1) } }, { network: priorities('lo', 2) }).network, {
    classID: 5,
    ...priorities('lo', 2),
  })
  assert.equal(
    merged({ rdma: { a: { hcaHandles: 1 } } }, { rdma: { a: { hcaObjects: 2 }, b: { hcaObjects: 3 } } }).rdma,
    {
      a: { hcaHandles: 1, hcaObjects: 2 },
      b: { hcaObjects: 3 },
    },
  )
  assert.equal(merged({ unified: { a: '1', b: '2' } }, { unified: { b: '3' } }).unified, { a: '1', b: '3' })
})

test('device rules stand as a whole', () => {
  const next = { ...RULE, minor: 2 }
  assert.equal(merged({ devices: [RULE] }, { devices: [next] }).devices, [next])
  assert.equal(merged({ devices: [RULE] }, {}).devices, [RULE])
})

test('memory without limit has swap without limit, unless something else is asked', () => {
  assert.equal(merged({ memory: { limit: 5n, swap: 9n } }, { memory: { limit: -1n } }).memory, {
    limit: -1n,
    swap: -1n,
  })
  assert.equal(merged({ memory: { limit: 5n } }, { memory: { limit: -1n } }).memory, { limit: -1n })
  assert.equal(merged({ memory: { swap: 9n } }, { memory: { limit: -1n, swap: 7n } }).memory, { limit: -1n, swap: 7n })
})

test.run()
