import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Resources } from '../config/types.ts'
import { renderSettings, type Version } from './settings.ts'

const NOTHING: Resources = { devices: [], memory: {}, cpu: {}, pids: {}, unified: {} }

function rendered(resources: Partial<Resources>, version: Version): string[] {
  const settings = renderSettings({ ...NOTHING, ...resources }, () => version)
  return settings.map(({ controller, file, value }) => `${controller}: ${file} = ${value}`)
}

test('nothing asked, nothing written', () => {
  assert.equal(rendered({}, 'v1'), [])
  assert.equal(rendered({}, 'v2'), [])
})

test('memory', () => {
  const memory = { limit: 1000n, swap: 1500n, reservation: 500n }
  assert.equal(rendered({ memory }, 'v1'), [
    'memory: memory.limit_in_bytes = 1000',
    'memory: memory.memsw.limit_in_bytes = 1500',
    'memory: memory.soft_limit_in_bytes = 500',
  ])
  assert.equal(rendered({ memory }, 'v2'), [
    'memory: memory.max = 1000',
    'memory: memory.swap.max = 500',
    'memory: memory.low = 500',
  ])
  assert.equal(rendered({ memory: { limit: -1n } }, 'v1'), [
    'memory: memory.limit_in_bytes = -1',
    'memory: memory.memsw.limit_in_bytes = -1',
  ])
  assert.equal(rendered({ memory: { limit: -1n, swap: -1n } }, 'v2'), [
    'memory: memory.max = max',
    'memory: memory.swap.max = max',
  ])
  assert.equal(rendered({ memory: { swappiness: 0n, disableOOMKiller: true, useHierarchy: true } }, 'v1'), [
    'memory: memory.swappiness = 0',
    'memory: memory.oom_control = 1',
  ])
  assert.equal(rendered({ memory: { disableOOMKiller: false, useHierarchy: true } }, 'v2'), [])
})

test('cpu, cpuset and pids', () => {
  const cpu = { shares: 1024n, quota: 50000n, period: 100000n, burst: 1000n, idle: 0n, cpus: '0-1', mems: '0' }
  assert.equal(rendered({ cpu, pids: { limit: 0n } }, 'v1'), [
    'cpu: cpu.shares = 1024',
    'cpu: cpu.idle = 0',
    'cpu: cpu.cfs_period_us = 100000',
    'cpu: cpu.cfs_quota_us = 50000',
    'cpu: cpu.cfs_burst_us = 1000',
    'cpuset: cpuset.cpus = 0-1',
    'cpuset: cpuset.mems = 0',
    'pids: pids.max = 0',
  ])
  assert.equal(rendered({ cpu, pids: { limit: -1n } }, 'v2'), [
    'cpu: cpu.weight = 100',
    'cpu: cpu.idle = 0',
    'cpu: cpu.max = 50000 100000',
    'cpu: cpu.max.burst = 1000',
    'cpuset: cpuset.cpus = 0-1',
    'cpuset: cpuset.mems = 0',
    'pids: pids.max = max',
  ])
  assert.equal(rendered({ cpu: { quota: -1n } }, 'v2'), ['cpu: cpu.max = max'])
  assert.equal(rendered({ cpu: { period: 5000n } }, 'v2'), ['cpu: cpu.max = max 5000'])
  assert.equal(rendered({ cpu: { realtimePeriod: 1000000n, realtimeRuntime: 10n } }, 'v1'), [
    'cpu: cpu.rt_period_us = 1000000',
    'cpu: cpu.rt_runtime_us = 10',
  ])
})

test('what a version can not do is an error that names the value', () => {
  const cases: [Partial<Resources>, Version, RegExp][] = [
    [{ memory: { swappiness: 10n } }, 'v2', /^\/linux\/resources\/memory\/swappiness: /],
    [{ memory: { disableOOMKiller: true } }, 'v2', /^\/linux\/resources\/memory\/disableOOMKiller: /],
    [{ memory: { useHierarchy: false } }, 'v1', /^\/linux\/resources\/memory\/useHierarchy: /],
    [{ memory: { swap: 10n } }, 'v2', /^\/linux\/resources\/memory\/swap: .*needs a memory limit/],
    [{ memory: { limit: 20n, swap: 10n } }, 'v2', /^\/linux\/resources\/memory\/swap: .*less than/],
    [{ cpu: { realtimeRuntime: 1n } }, 'v2', /^\/linux\/resources\/cpu\/realtimeRuntime: /],
    [{ cpu: { shares: 1n } }, 'v1', /^\/linux\/resources\/cpu\/shares: 1 is not in/],
    [{ unified: { 'memory.max': '1' } }, 'v1', /^\/linux\/resources\/unified\/memory.max: /],
    [{ unified: { 'cgroup.procs': '1' } }, 'v2', /cgroup.procs: not a resource/],
    [{ unified: { '../x.y': '1' } }, 'v2', /^\/linux\/resources\/unified\/..~1x.y: not the name/],
    [{ unified: { memory: '1' } }, 'v2', /not the name/],
  ]
  for (const [resources, version, message] of cases) assert.throws(() => rendered(resources, version), message)
  assert.throws(
    () => renderSettings({ ...NOTHING, pids: { limit: 1n } }, () => undefined),
    /^\/linux\/resources\/pids\/limit: no cgroup hierarchy has the pids controller/,
  )
})

test('unified files go as they are, line by line, after everything else', () => {
  const unified = { 'io.max': '8:0 rbps=1\n8:16 rbps=2', 'cgroup.max.depth': '3', 'hugetlb.2MB.max': '0' }
  assert.equal(rendered({ unified, pids: { limit: 1n } }, 'v2'), [
    'pids: pids.max = 1',
    'io: io.max = 8:0 rbps=1',
    'io: io.max = 8:16 rbps=2',
    'cgroup: cgroup.max.depth = 3',
    'hugetlb: hugetlb.2MB.max = 0',
  ])
})

test('on a hybrid host each controller is written where it is', () => {
  const versionOf = (controller: string): Version => (controller === 'memory' ? 'v1' : 'v2')
  const resources = { ...NOTHING, memory: { limit: 5n }, pids: { limit: 5n }, unified: { 'cgroup.max.depth': '1' } }
  assert.equal(
    renderSettings(resources, versionOf).map(({ version, file }) => `${version} ${file}`),
    ['v1 memory.limit_in_bytes', 'v2 pids.max', 'v2 cgroup.max.depth'],
  )
  assert.throws(() => renderSettings({ ...NOTHING, unified: { 'memory.max': '1' } }, versionOf), /is on cgroup v1 here/)
})

test.run()
