import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { toJson } from '../cli/output.ts'
import type { Cgroup } from './cgroup.ts'
import { readStats } from './stats.ts'

/** Folders with the files of a cgroup, as a kernel with every controller would write them. */
function withFolders(
  hierarchies: Readonly<Record<string, Readonly<Record<string, string>>>>,
  body: (cgroup: Cgroup) => void,
): void {
  const root = mkdtempSync(`${tmpdir()}/runt-stats-`)
  try {
    const directories: Record<string, string> = {}
    for (const [name, files] of Object.entries(hierarchies)) {
      const directory = `${root}/${name === '' ? 'unified' : name}`
      mkdirSync(directory)
      for (const [file, text] of Object.entries(files)) writeFileSync(`${directory}/${file}`, text)
      directories[name] = directory
    }
    body({ mode: Object.hasOwn(hierarchies, '') ? 'v2' : 'v1', path: '/x', directories, made: [] })
  } finally {
    rmSync(root, { recursive: true })
  }
}

const statsOf = (cgroup: Cgroup): unknown => JSON.parse(toJson(readStats(cgroup)))

const NO_CPUSET = {
  cpu_exclusive: 0,
  mem_hardwall: 0,
  mem_exclusive: 0,
  memory_migrate: 0,
  memory_spread_page: 0,
  memory_spread_slab: 0,
  memory_pressure: 0,
  sched_load_balance: 0,
  sched_relax_domain_level: 0,
}
const NO_ENTRY = { limit: 0, failcnt: 0 }
const PRESSURE = 'some avg10=1.50 avg60=0.20 avg300=0.03 total=1234\nfull avg10=0.50 avg60=0.10 avg300=0.01 total=567\n'
const PSI = {
  some: { avg10: 1.5, avg60: 0.2, avg300: 0.03, total: 1234 },
  full: { avg10: 0.5, avg60: 0.1, avg300: 0.01, total: 567 },
}

test('v2: every member of the stats', () => {
  const files = {
    'cpu.stat':
      'usage_usec 7000\nuser_usec 4000\nsystem_usec 3000\nnr_periods 9\nnr_throttled 2\nthrottled_usec 11\nnr_bursts 0\n',
    'cpu.pressure': PRESSURE,
    'memory.stat': 'anon 100\nfile 200\nslab 5\n',
    'memory.current': '4096\n',
    'memory.max': '65536\n',
    'memory.peak': '8192\n',
    'memory.swap.current': '10\n',
    'memory.swap.max': '1000\n',
    'memory.pressure': PRESSURE,
    'pids.current': '3\n',
    'pids.max': '17\n',
    'io.stat':
      '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n253:1 rbytes=0 wbytes=7 rios=0 wios=8 dbytes=0 dios=0\n',
    'io.pressure': PRESSURE,
    'hugetlb.2MB.current': '2097152\n',
    'hugetlb.2MB.rsvd.current': '5\n',
    'hugetlb.2MB.events': 'max 4\n',
    'hugetlb.1GB.current': '0\n',
    'hugetlb.1GB.events': 'max 0\n',
    'rdma.max': 'mlx4_0 hca_handle=2 hca_object=max\n',
    'rdma.current': 'mlx4_0 hca_handle=1 hca_object=20\n',
  }
  withFolders({ '': files }, (cgroup) => {
    assert.equal(statsOf(cgroup), {
      cpu: {
        usage: { total: 7_000_000, kernel: 3_000_000, user: 4_000_000 },
        throttling: { periods: 9, throttledPeriods: 2, throttledTime: 11_000 },
        psi: PSI,
      },
      cpuset: NO_CPUSET,
      memory: {
        cache: 200,
        usage: { limit: 65536, usage: 4096, max: 8192, failcnt: 0 },
        swap: { limit: 66536, usage: 4106, failcnt: 0 },
        kernel: NO_ENTRY,
        kernelTCP: NO_ENTRY,
        raw: { anon: 100, file: 200, slab: 5 },
        psi: PSI,
      },
      pids: { current: 3, limit: 17 },
      blkio: {
        ioServiceBytesRecursive: [
          { major: 8, op: 'Read', value: 1 },
          { major: 8, op: 'Write', value: 2 },
          { major: 8, op: 'Discard', value: 5 },
          { major: 253, minor: 1, op: 'Read' },
          { major: 253, minor: 1, op: 'Write', value: 7 },
          { major: 253, minor: 1, op: 'Discard' },
        ],
        ioServicedRecursive: [
          { major: 8, op: 'Read', value: 3 },
          { major: 8, op: 'Write', value: 4 },
          { major: 8, op: 'Discard', value: 6 },
          { major: 253, minor: 1, op: 'Read' },
          { major: 253, minor: 1, op: 'Write', value: 8 },
          { major: 253, minor: 1, op: 'Discard' },
        ],
        psi: PSI,
      },
      hugetlb: { '1GB': { failcnt: 0 }, '2MB': { usage: 2097152, failcnt: 4 } },
      rdma: {
        rdma_limit: [{ device: 'mlx4_0', hca_handles: 2, hca_objects: 4294967295 }],
        rdma_current: [{ device: 'mlx4_0', hca_handles: 1, hca_objects: 20 }],
      },
    })
  })
})

test('v2: no limit is the largest number, digit for digit', () => {
  const files = { 'memory.current': '1\n', 'memory.max': 'max\n', 'memory.swap.max': 'max\n', 'pids.max': 'max\n' }
  withFolders({ '': files }, (cgroup) => {
    const text = toJson(readStats(cgroup))
    assert.ok(text.includes('"usage":{"limit":18446744073709551615,"usage":1,"failcnt":0}'), text)
    assert.ok(text.includes('"swap":{"limit":18446744073709551615,"usage":1,"failcnt":0}'), text)
    assert.ok(text.includes('"pids":{}'), text)
  })
})

test('v1: every member of the stats', () => {
  const hierarchies = {
    'cpu,cpuacct': {
      'cpuacct.usage': '900\n',
      'cpuacct.usage_percpu': '400 500 \n',
      'cpuacct.usage_all': 'cpu user system\n0 300 100\n1 450 50\n',
      'cpuacct.stat': 'user 3\nsystem 4\n',
      'cpu.stat': 'nr_periods 5\nnr_throttled 1\nthrottled_time 777\n',
    },
    cpuset: {
      'cpuset.cpus': '0-2,7\n',
      'cpuset.mems': '0\n',
      'cpuset.sched_load_balance': '1\n',
      'cpuset.sched_relax_domain_level': '-1\n',
    },
    memory: {
      'memory.stat': 'rss 5\ncache 6\ntotal_rss 7\n',
      'memory.usage_in_bytes': '11\n',
      'memory.max_usage_in_bytes': '12\n',
      'memory.limit_in_bytes': '7777\n',
      'memory.failcnt': '13\n',
      'memory.kmem.usage_in_bytes': '14\n',
      'memory.kmem.limit_in_bytes': '15\n',
    },
    pids: { 'pids.current': '2\n', 'pids.max': 'max\n' },
    blkio: {
      'blkio.bfq.io_serviced_recursive': 'Total 0\n',
      'blkio.throttle.io_service_bytes_recursive': '8:16 Read 10\n8:16 Total 10\nTotal 10\n',
      'blkio.throttle.io_serviced_recursive': '8:16 Read 1\n8:16 Total 1\nTotal 1\n',
      'blkio.throttle.io_serviced': '8:16 Read 99\nTotal 99\n',
    },
    hugetlb: {
      'hugetlb.2MB.usage_in_bytes': '1\n',
      'hugetlb.2MB.max_usage_in_bytes': '2\n',
      'hugetlb.2MB.failcnt': '3\n',
      'hugetlb.2MB.rsvd.usage_in_bytes': '9\n',
    },
  }
  withFolders(hierarchies, (cgroup) => {
    assert.equal(statsOf(cgroup), {
      cpu: {
        usage: {
          total: 900,
          percpu: [400, 500],
          percpu_kernel: [100, 50],
          percpu_user: [300, 450],
          kernel: 40_000_000,
          user: 30_000_000,
        },
        throttling: { periods: 5, throttledPeriods: 1, throttledTime: 777 },
      },
      cpuset: { cpus: [0, 1, 2, 7], mems: [0], ...NO_CPUSET, sched_load_balance: 1, sched_relax_domain_level: -1 },
      memory: {
        cache: 6,
        usage: { limit: 7777, usage: 11, max: 12, failcnt: 13 },
        swap: NO_ENTRY,
        kernel: { limit: 15, usage: 14, failcnt: 0 },
        kernelTCP: NO_ENTRY,
        raw: { cache: 6, rss: 5, total_rss: 7 },
      },
      pids: { current: 2 },
      blkio: {
        ioServiceBytesRecursive: [
          { major: 8, minor: 16, op: 'Read', value: 10 },
          { major: 8, minor: 16, op: 'Total', value: 10 },
        ],
        ioServicedRecursive: [
          { major: 8, minor: 16, op: 'Read', value: 1 },
          { major: 8, minor: 16, op: 'Total', value: 1 },
        ],
      },
      hugetlb: { '2MB': { usage: 1, max: 2, failcnt: 3 } },
    })
  })
})

test('a host with both asks each controller where it is', () => {
  const hierarchies = {
    pids: { 'pids.current': '2\n' },
    '': { 'pids.current': '9\n', 'memory.current': '4096\n', 'cpu.pressure': PRESSURE },
  }
  withFolders(hierarchies, (cgroup) => {
    const stats = readStats(cgroup)
    assert.is(stats.pids.current, 2n)
    assert.is(stats.memory.usage.usage, 4096n)
    assert.is(stats.cpu.psi?.some.total, 1234n)
  })
})

test('a cgroup that is gone has used nothing', () => {
  const gone: Cgroup = { mode: 'v2', path: '/x', directories: { '': '/nowhere/x' }, made: [] }
  assert.equal(statsOf(gone), {
    cpu: { usage: { kernel: 0, user: 0 }, throttling: {} },
    cpuset: NO_CPUSET,
    memory: { usage: NO_ENTRY, swap: NO_ENTRY, kernel: NO_ENTRY, kernelTCP: NO_ENTRY },
    pids: {},
    blkio: {},
    hugetlb: {},
  })
})

test.run()
