import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Resources } from '../config/types.ts'
import { mergeResources } from './merge.ts'
import type { Version } from './setting.ts'
import { renderSettings } from './settings.ts'

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
    'pids: pids.max = 1',
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

/** With what is written where the first file isn't there. */
function renderedWithFallback(resources: Partial<Resources>, version: Version): string[] {
  return renderSettings({ ...NOTHING, ...resources }, () => version).map(
    ({ controller, file, value, fallback }) =>
      `${controller}: ${file} = ${value}${fallback === undefined ? '' : `, or ${fallback[0]} = ${fallback[1]}`}`,
  )
}

test('block I/O', () => {
  const device = { major: 8, minor: 16 }
  const blockIO = {
    weight: 500,
    weightDevice: [{ ...device, weight: 1000 }],
    throttleReadBpsDevice: [{ ...device, rate: 1048576n }],
    throttleWriteBpsDevice: [{ ...device, rate: 0n }],
    throttleReadIOPSDevice: [{ ...device, rate: 18446744073709551615n }],
    throttleWriteIOPSDevice: [
      { ...device, rate: 7n },
      { major: 9, minor: 0, rate: 8n },
    ],
  }
  assert.equal(renderedWithFallback({ blockIO }, 'v1'), [
    'blkio: blkio.weight = 500, or blkio.bfq.weight = 500',
    'blkio: blkio.weight_device = 8:16 1000, or blkio.bfq.weight_device = 8:16 1000',
    'blkio: blkio.throttle.read_bps_device = 8:16 1048576',
    'blkio: blkio.throttle.write_bps_device = 8:16 0',
    'blkio: blkio.throttle.read_iops_device = 8:16 18446744073709551615',
    'blkio: blkio.throttle.write_iops_device = 8:16 7',
    'blkio: blkio.throttle.write_iops_device = 9:0 8',
  ])
  assert.equal(renderedWithFallback({ blockIO }, 'v2'), [
    'io: io.bfq.weight = 500, or io.weight = 4950',
    'io: io.bfq.weight = 8:16 1000, or io.weight = 8:16 10000',
    'io: io.max = 8:16 rbps=1048576',
    'io: io.max = 8:16 wbps=max',
    'io: io.max = 8:16 riops=18446744073709551615',
    'io: io.max = 8:16 wiops=7',
    'io: io.max = 9:0 wiops=8',
  ])
  const leaves = { leafWeight: 10, weightDevice: [{ ...device, weight: 20, leafWeight: 30 }] }
  assert.equal(rendered({ blockIO: leaves }, 'v1'), [
    'blkio: blkio.leaf_weight = 10',
    'blkio: blkio.weight_device = 8:16 20',
    'blkio: blkio.leaf_weight_device = 8:16 30',
  ])
})

test('huge pages: in use and reserved', () => {
  const hugepageLimits = [
    { pageSize: '2MB', limit: 0n },
    { pageSize: '1GB', limit: 9223372036854771712n },
  ]
  assert.equal(rendered({ hugepageLimits }, 'v1'), [
    'hugetlb: hugetlb.2MB.limit_in_bytes = 0',
    'hugetlb: hugetlb.2MB.rsvd.limit_in_bytes = 0',
    'hugetlb: hugetlb.1GB.limit_in_bytes = 9223372036854771712',
    'hugetlb: hugetlb.1GB.rsvd.limit_in_bytes = 9223372036854771712',
  ])
  assert.equal(rendered({ hugepageLimits }, 'v2').slice(0, 2), [
    'hugetlb: hugetlb.2MB.max = 0',
    'hugetlb: hugetlb.2MB.rsvd.max = 0',
  ])
})

test('network marks and RDMA', () => {
  const network = { classID: 1048577, priorities: [{ name: 'eth0.5', priority: 3 }] }
  assert.equal(rendered({ network }, 'v1'), [
    'net_cls: net_cls.classid = 1048577',
    'net_prio: net_prio.ifpriomap = eth0.5 3',
  ])
  const rdma = { mlx5_0: { hcaHandles: 2, hcaObjects: 0 }, mlx5_1: { hcaObjects: 5 } }
  for (const version of ['v1', 'v2'] as const) {
    assert.equal(rendered({ rdma }, version), [
      'rdma: rdma.max = mlx5_0 hca_handle=2 hca_object=0',
      'rdma: rdma.max = mlx5_1 hca_object=5',
    ])
  }
})

test('TCP buffers, swap without accounting, and shares of an idle group', () => {
  assert.equal(rendered({ memory: { kernelTCP: 4096n } }, 'v1'), ['memory: memory.kmem.tcp.limit_in_bytes = 4096'])
  assert.equal(rendered({ memory: { kernelTCP: -1n } }, 'v2'), [])
  const optional = (memory: Resources['memory'], version: Version) =>
    renderSettings({ ...NOTHING, memory }, () => version).map(
      (each) => `${each.file}${each.optional ? ' if there' : ''}`,
    )
  assert.equal(optional({ swap: -1n }, 'v1'), ['memory.memsw.limit_in_bytes if there'])
  assert.equal(optional({ limit: 5n, swap: 6n }, 'v2'), ['memory.max', 'memory.swap.max'])
  assert.equal(optional({ limit: 5n, swap: 5n }, 'v2'), ['memory.max', 'memory.swap.max if there'])
  assert.equal(rendered({ cpu: { shares: 512n, idle: 1n } }, 'v1'), ['cpu: cpu.idle = 1'])
  assert.equal(rendered({ cpu: { shares: 512n, idle: 1n } }, 'v2'), ['cpu: cpu.idle = 1'])
})

test('of an update: what is new, and what depends on it', () => {
  const updated = (before: Partial<Resources>, asked: Partial<Resources>, version: Version) => {
    const change = { ...NOTHING, ...asked }
    const after = mergeResources({ ...NOTHING, ...before }, change)
    return renderSettings(after, () => version, change).map(({ file, value }) => `${file} = ${value}`)
  }
  const memory = { limit: 100n, swap: 300n, reservation: 50n }
  assert.equal(updated({ memory, pids: { limit: 5n } }, { memory: { limit: 200n } }, 'v2'), [
    'memory.max = 200',
    'memory.swap.max = 100',
  ])
  assert.equal(updated({ memory }, { memory: { limit: -1n } }, 'v1'), [
    'memory.limit_in_bytes = -1',
    'memory.memsw.limit_in_bytes = -1',
  ])
  assert.throws(
    () => updated({ memory }, { memory: { limit: 400n } }, 'v2'),
    /^linux\.resources\.memory\.swap: .*less than/,
  )
  const cpu = { quota: 1000n, period: 5000n, shares: 7n, idle: 1n }
  assert.equal(updated({ cpu }, { cpu: { quota: 2000n } }, 'v2'), ['cpu.max = 2000 5000'])
  assert.equal(updated({ cpu }, { cpu: { period: 9000n } }, 'v2'), ['cpu.max = 1000 9000'])
  assert.equal(updated({ cpu }, { cpu: { idle: 0n } }, 'v1'), ['cpu.shares = 7', 'cpu.idle = 0'])
  assert.equal(updated({ memory: { disableOOMKiller: true } }, { memory: { disableOOMKiller: false } }, 'v1'), [
    'memory.oom_control = 0',
  ])
  assert.equal(updated({ hugepageLimits: [{ pageSize: '2MB', limit: 1n }] }, { pids: { limit: 3n } }, 'v1'), [
    'pids.max = 3',
  ])
})

test('what a version can not do is an error that names the value', () => {
  const cases: [Partial<Resources>, Version, RegExp][] = [
    [{ memory: { swappiness: 10n } }, 'v2', /^linux\.resources\.memory\.swappiness: /],
    [{ memory: { disableOOMKiller: true } }, 'v2', /^linux\.resources\.memory\.disableOOMKiller: /],
    [{ memory: { useHierarchy: false } }, 'v1', /^linux\.resources\.memory\.useHierarchy: /],
    [{ memory: { swap: 10n } }, 'v2', /^linux\.resources\.memory\.swap: .*needs a memory limit/],
    [{ memory: { limit: 20n, swap: 10n } }, 'v2', /^linux\.resources\.memory\.swap: .*less than/],
    [{ cpu: { realtimeRuntime: 1n } }, 'v2', /^linux\.resources\.cpu\.realtimeRuntime: /],
    [{ memory: { kernelTCP: 1n } }, 'v2', /^linux\.resources\.memory\.kernelTCP: cgroup v2 counts/],
    [{ blockIO: { leafWeight: 10 } }, 'v2', /^linux\.resources\.blockIO\.leafWeight: cgroup v2 has no leaf weights/],
    [
      { blockIO: { weightDevice: [{ major: 8, minor: 0, leafWeight: 10 }] } },
      'v2',
      /^linux\.resources\.blockIO\.weightDevice\[0\]\.leafWeight: /,
    ],
    [{ network: { classID: 1 } }, 'v2', /^linux\.resources\.network\.classID: cgroup v2 has no net_cls, and/],
    [
      { network: { priorities: [{ name: 'lo', priority: 1 }] } },
      'v2',
      /^linux\.resources\.network\.priorities\[0\]: cgroup v2 has no net_prio/,
    ],
    [{ cpu: { shares: 1n } }, 'v1', /^linux\.resources\.cpu\.shares: 1 is not in/],
    [{ unified: { 'memory.max': '1' } }, 'v1', /^linux\.resources\.unified\["memory.max"\]: /],
    [{ unified: { 'cgroup.procs': '1' } }, 'v2', /"cgroup.procs"\]: not a resource/],
    [{ unified: { '../x.y': '1' } }, 'v2', /^linux\.resources\.unified\["..\/x.y"\]: not the name/],
    [{ unified: { memory: '1' } }, 'v2', /not the name/],
  ]
  for (const [resources, version, message] of cases) assert.throws(() => rendered(resources, version), message)
  assert.throws(
    () => renderSettings({ ...NOTHING, pids: { limit: 1n } }, () => undefined),
    /^linux\.resources\.pids\.limit: no cgroup hierarchy has the pids controller/,
  )
  const nowhere = (resources: Partial<Resources>) => () => renderSettings({ ...NOTHING, ...resources }, () => undefined)
  assert.throws(nowhere({ blockIO: { weight: 10 } }), /blockIO\.weight: no cgroup hierarchy has the blkio controller/)
  assert.throws(
    nowhere({ rdma: { 'a~b': { hcaHandles: 1 } } }),
    /^linux\.resources\.rdma\["a~b"\]: no cgroup hierarchy/,
  )
  assert.throws(
    nowhere({ hugepageLimits: [{ pageSize: '2MB', limit: 1n }] }),
    /^linux\.resources\.hugepageLimits\[0\]: no cgroup hierarchy has the hugetlb controller/,
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
