import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DeviceRule, Resources } from '../../config/types.ts'
import type { Version } from '../setting.ts'
import { renderSettings } from '../settings.ts'
import { deviceProperties } from './device-allow.ts'
import { INFINITY, resourceProperties, unset } from './properties.ts'
import type { Property } from './property.ts'

const NOTHING: Resources = { devices: [], memory: {}, cpu: {}, pids: {}, unified: {} }
const NEWEST = 999

function said(resources: Partial<Resources>, version: Version = 'v2', release = NEWEST): Record<string, unknown> {
  return asRecord(
    resourceProperties(
      renderSettings({ ...NOTHING, ...resources }, () => version),
      release,
    ),
  )
}

function asRecord(properties: readonly Property[]): Record<string, unknown> {
  return Object.fromEntries(properties.map(({ name, value }) => [name, value.value]))
}

test('each limit of cgroup v2 has its property', () => {
  const cases: [Partial<Resources>, Record<string, unknown>][] = [
    [
      { memory: { limit: 1000n, swap: 3000n, reservation: 500n } },
      { MemoryMax: 1000n, MemorySwapMax: 2000n, MemoryLow: 500n },
    ],
    [{ memory: { limit: -1n } }, { MemoryMax: INFINITY, MemorySwapMax: INFINITY }],
    [{ cpu: { shares: 1024n } }, { CPUWeight: 100n }],
    [{ cpu: { idle: 1n } }, { CPUWeight: 0n }],
    [{ cpu: { idle: 0n } }, {}],
    [{ cpu: { quota: 50_000n, period: 100_000n } }, { CPUQuotaPerSecUSec: 500_000n, CPUQuotaPeriodUSec: 100_000n }],
    [{ cpu: { quota: 50_000n } }, { CPUQuotaPerSecUSec: 500_000n }],
    [{ cpu: { quota: -1n, period: 50_000n } }, { CPUQuotaPerSecUSec: INFINITY, CPUQuotaPeriodUSec: 50_000n }],
    [{ cpu: { period: 50_000n } }, { CPUQuotaPerSecUSec: INFINITY, CPUQuotaPeriodUSec: 50_000n }],
    [{ pids: { limit: 17n } }, { TasksMax: 17n }],
    [{ pids: { limit: -1n } }, { TasksMax: INFINITY }],
    [{ pids: { limit: 0n } }, { TasksMax: 1n }],
    [{ blockIO: { weight: 10 } }, { IOWeight: 1n }],
    [{ blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 10 }] } }, { IODeviceWeight: [['/dev/block/8:0', 1n]] }],
    [
      {
        blockIO: {
          throttleReadBpsDevice: [
            { major: 8, minor: 0, rate: 7n },
            { major: 8, minor: 16, rate: 0n },
          ],
          throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 9n }],
        },
      },
      {
        IOReadBandwidthMax: [
          ['/dev/block/8:0', 7n],
          ['/dev/block/8:16', INFINITY],
        ],
        IOWriteIOPSMax: [['/dev/block/8:0', 9n]],
      },
    ],
    [{ hugepageLimits: [{ pageSize: '2MB', limit: 0n }] }, {}],
    [
      {
        unified: { 'memory.high': '5', 'cpu.max': '20000', 'io.max': '8:0 rbps=1 wiops=max', 'memory.oom.group': '1' },
      },
      {
        MemoryHigh: 5n,
        CPUQuotaPerSecUSec: 200_000n,
        IOReadBandwidthMax: [['/dev/block/8:0', 1n]],
        IOWriteIOPSMax: [['/dev/block/8:0', INFINITY]],
      },
    ],
    [{ memory: { limit: 1000n }, unified: { 'memory.max': '2000' } }, { MemoryMax: 2000n }],
  ]
  for (const [resources, expected] of cases) assert.equal(said(resources), expected, JSON.stringify(expected, text))
})

const text = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)

test('a quota is rounded up to the percents that systemd keeps', () => {
  assert.is(said({ cpu: { quota: 12_345n, period: 50_000n } }).CPUQuotaPerSecUSec, 250_000n)
  assert.is(said({ cpu: { quota: 10_000n, period: 100_000n } }).CPUQuotaPerSecUSec, 100_000n)
})

test('CPUs and memory nodes are bit masks', () => {
  const { AllowedCPUs: cpus, AllowedMemoryNodes: mems } = said({ cpu: { cpus: '0-2,9', mems: '0' } })
  assert.equal([...(cpus as Uint8Array)].slice(0, 2), [0b111, 0b10])
  assert.is((mems as Uint8Array)[0], 1)
})

test('an older systemd is told what it knows', () => {
  const cpu = { quota: 50_000n, period: 100_000n, cpus: '0', idle: 1n }
  assert.equal(Object.keys(said({ cpu }, 'v2', 241)), ['CPUQuotaPerSecUSec'])
  assert.equal(Object.keys(said({ cpu }, 'v2', 243)), ['CPUQuotaPerSecUSec', 'CPUQuotaPeriodUSec'])
  assert.equal(Object.keys(said({ cpu }, 'v2', 244)), ['AllowedCPUs', 'CPUQuotaPerSecUSec', 'CPUQuotaPeriodUSec'])
})

test('each limit of cgroup v1 has its property', () => {
  assert.equal(
    said(
      {
        memory: { limit: 1000n, swap: -1n },
        cpu: { shares: 512n, quota: 50_000n, period: 100_000n, cpus: '0' },
        pids: { limit: 17n },
        blockIO: { weight: 300, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 7n }] },
      },
      'v1',
    ),
    {
      MemoryLimit: 1000n,
      CPUShares: 512n,
      TasksMax: 17n,
      BlockIOWeight: 300n,
      CPUQuotaPerSecUSec: 500_000n,
      CPUQuotaPeriodUSec: 100_000n,
      BlockIOReadBandwidth: [['/dev/block/8:0', 7n]],
    },
  )
})

test('what an update brought can be taken back', () => {
  const properties = resourceProperties(
    renderSettings({ ...NOTHING, memory: { limit: 5n, reservation: 3n }, cpu: { cpus: '0' } }, () => 'v2'),
    NEWEST,
  )
  const { MemoryMax, MemoryLow, AllowedCPUs } = asRecord(properties.map(unset))
  assert.equal([MemoryMax, MemoryLow], [INFINITY, 0n])
  assert.is((AllowedCPUs as Uint8Array).length, 0)
})

const rule = (allow: boolean, type: 'a' | 'c' | 'b', major?: number, minor?: number, access = 'rwm'): DeviceRule => ({
  allow,
  type,
  major,
  minor,
  access,
})

/** The list that counts: the last. */
function allowed(rules: readonly DeviceRule[]): Record<string, string> {
  return Object.fromEntries(deviceProperties(rules).at(-1)?.value.value as [string, string][])
}

test('device rules become a strict list of what is allowed', () => {
  const list = allowed([rule(false, 'a'), rule(true, 'c', 1, 11, 'r'), rule(true, 'b', 8, undefined, 'rw')])
  assert.is(list['/dev/char/1:11'], 'rm') // making nodes is allowed to all
  assert.is(list['block-8'], 'rwm')
  assert.is(list['char-*'], 'm')
  assert.is(list['char-136'], 'rwm')
  assert.not.ok('/dev/char/1:1' in list)
  assert.is(asRecord(deviceProperties([rule(false, 'a')])).DevicePolicy, 'strict')
})

test('systemd allows no less than runt where it has no words for it', () => {
  assert.is(allowed([rule(true, 'c', undefined, 9, 'r')])['char-*'], 'rm')
  assert.is(allowed([rule(true, 'b', 8), rule(false, 'b', 8, 1)])['block-8'], 'rwm')
})

test('everything allowed needs no list', () => {
  assert.equal(asRecord(deviceProperties([rule(true, 'a')])), { DevicePolicy: 'auto', DeviceAllow: [] })
})

test.run()
