// Controllers that this kernel may lack on v2, on folders that look like a cgroup2 mount.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Resources } from '../config/types.ts'
import type { RuntError } from '../errors.ts'
import { checkMemoryUse, placesOf, writeSettings } from './apply.ts'
import type { Cgroup } from './cgroup.ts'
import { enableControllers, fillCpuset } from './controllers.ts'
import { mergeResources } from './merge.ts'
import { renderSettings } from './settings.ts'
import { updateCgroup } from './update.ts'

const NOTHING: Resources = { devices: [], memory: {}, cpu: {}, pids: {}, unified: {} }

interface Fake {
  root: string
}

const test = suite<Fake>('fake cgroup root')

test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'runt-cgroup-'))
})
test.after.each(({ root }) => rmSync(root, { recursive: true }))

/** Folders with files, each with its text. */
function fill(root: string, tree: Record<string, Record<string, string>>): void {
  for (const [folder, files] of Object.entries(tree)) {
    mkdirSync(join(root, folder), { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, folder, name), text)
  }
}

const v2 = (root: string): Cgroup => ({
  mode: 'v2',
  path: '/pod/web',
  directories: { '': `${root}/pod/web` },
  made: [],
})

test('controllers are switched on in every folder above', ({ root }) => {
  fill(root, {
    '.': { 'cgroup.controllers': 'cpu memory pids\n', 'cgroup.subtree_control': '' },
    pod: { 'cgroup.subtree_control': '' },
    'pod/web': { 'cgroup.controllers': 'cpu\n' }, // which is there needn't be switched on
  })
  enableControllers(root, `${root}/pod/web`, [], { others: true })
  assert.is(readFileSync(`${root}/cgroup.subtree_control`, 'utf8'), '+memory +pids')
  assert.is(readFileSync(`${root}/pod/cgroup.subtree_control`, 'utf8'), '+memory +pids')
})

test('on a hybrid host only those that a setting needs, and none for the files that every cgroup has', ({ root }) => {
  fill(root, {
    '.': { 'cgroup.controllers': 'hugetlb misc\n', 'cgroup.subtree_control': 'as it was' },
    'pod/web': { 'cgroup.controllers': '\n' },
    pod: { 'cgroup.subtree_control': '' },
  })
  const settingsOf = (unified: Record<string, string>) => renderSettings({ ...NOTHING, unified }, () => 'v2')
  enableControllers(root, `${root}/pod/web`, settingsOf({ 'cgroup.max.depth': '1' }), { others: false })
  assert.is(readFileSync(`${root}/cgroup.subtree_control`, 'utf8'), 'as it was')
  enableControllers(root, `${root}/pod/web`, settingsOf({ 'hugetlb.2MB.max': '1' }), { others: false })
  assert.is(readFileSync(`${root}/cgroup.subtree_control`, 'utf8'), '+hugetlb')
})

test('a controller that is not there, or that can not be had, is an error with its pointer', ({ root }) => {
  fill(root, {
    '.': { 'cgroup.controllers': 'cpu memory\n', 'cgroup.subtree_control': '' },
    'pod/web': { 'cgroup.controllers': 'cpu\n' }, // and pod has no cgroup.subtree_control to write to
  })
  const needs = (resources: Partial<Resources>) => () =>
    enableControllers(
      root,
      `${root}/pod/web`,
      renderSettings({ ...NOTHING, ...resources }, () => 'v2'),
      { others: true },
    )
  assert.throws(needs({ pids: { limit: 1n } }), /^linux\.resources\.pids\.limit: cgroup v2 has no pids controller/)
  assert.throws(needs({ memory: { limit: 1n } }), /^linux\.resources\.memory\.limit: .*can't be enabled: write/)
  needs({ cpu: { idle: 1n } })()
})

test('values land in the files of v2', ({ root }) => {
  const files = { 'memory.max': '', 'memory.swap.max': '', 'cpu.weight': '', 'cpu.max': '', 'pids.max': '' }
  fill(root, { 'pod/web': files })
  const resources: Resources = {
    ...NOTHING,
    memory: { limit: 1000n, swap: 1500n },
    cpu: { shares: 1024n, quota: 1000n, period: 2000n },
    pids: { limit: -1n },
  }
  const places = placesOf(v2(root))
  writeSettings(renderSettings(resources, places.versionOf), places)
  const read = (name: string) => readFileSync(`${root}/pod/web/${name}`, 'utf8')
  assert.equal(Object.keys(files).map(read), ['1000', '500', '100', '1000 2000', 'max'])
})

test('a file that is not there is an error with pointer, value and errno, unless it does not matter', ({ root }) => {
  fill(root, { 'pod/web': { 'memory.max': '' } })
  const places = placesOf(v2(root))
  const write = (resources: Partial<Resources>) =>
    writeSettings(renderSettings({ ...NOTHING, ...resources }, places.versionOf), places)
  assert.throws(
    () => write({ pids: { limit: 7n } }),
    /^linux\.resources\.pids\.limit: write "7" to \/.*\/pids.max: ENOENT: no such file or directory$/,
  )
  write({ memory: { limit: -1n } }) // and no swap accounting
  assert.is(readFileSync(`${root}/pod/web/memory.max`, 'utf8'), 'max')
})

test('checkBeforeUpdate looks at the memory in use', ({ root }) => {
  fill(root, { 'pod/web': { 'memory.current': '5000\n' } })
  const places = placesOf(v2(root))
  const check = (limit: bigint, checkBeforeUpdate: boolean, swap = -1n) =>
    checkMemoryUse({ ...NOTHING, memory: { limit, swap, checkBeforeUpdate } }, places)
  assert.throws(() => check(4999n, true), /memory\.limit: rejecting memory limit 4999: 5000 are in use/)
  assert.throws(() => check(4999n, true, 4999n), /memory\.swap: rejecting memory\+swap limit 4999: 5000 are in use/)
  fill(root, { 'pod/web': { 'memory.swap.current': '7\n' } })
  assert.throws(() => check(5000n, true, 5006n), /rejecting memory\+swap limit 5006: 5007 are in use/)
  check(5000n, true, 5007n)
  check(5000n, true)
  check(4999n, false)
  check(-1n, true)
})

test("a cpuset gets its parent's CPUs at every level that has none", ({ root }) => {
  const empty = { 'cpuset.cpus': '\n', 'cpuset.mems': '\n' }
  fill(root, { '.': { 'cpuset.cpus': '0-3\n', 'cpuset.mems': '0\n' }, pod: empty, 'pod/web': empty })
  fillCpuset(root, `${root}/pod/web`, { fresh: true })
  for (const folder of ['pod', 'pod/web']) {
    assert.is(readFileSync(join(root, folder, 'cpuset.cpus'), 'utf8'), '0-3')
    assert.is(readFileSync(join(root, folder, 'cpuset.mems'), 'utf8'), '0')
  }
  fill(root, { 'pod/web': { 'cpuset.cpus': '2\n' } })
  fillCpuset(root, `${root}/pod/web`, { fresh: false })
  assert.is(readFileSync(join(root, 'pod/web/cpuset.cpus'), 'utf8'), '2\n')
})

const v1 = (root: string): Cgroup => ({
  mode: 'v1',
  path: '/pod/web',
  directories: Object.fromEntries(
    ['blkio', 'hugetlb', 'net_cls', 'net_prio', 'rdma', 'memory', 'pids'].map((name) => [
      name,
      `${root}/${name}/pod/web`,
    ]),
  ),
  made: [],
})

/** Write resources into a fake cgroup. */
function write(cgroup: Cgroup, resources: Partial<Resources>): void {
  const places = placesOf(cgroup)
  writeSettings(renderSettings({ ...NOTHING, ...resources }, places.versionOf), places)
}

test('block I/O of v1: the older names where they are, else those of BFQ', ({ root }) => {
  const device = { major: 8, minor: 0 }
  const blockIO = {
    weight: 20,
    weightDevice: [{ ...device, weight: 30 }],
    throttleReadBpsDevice: [{ ...device, rate: 5n }],
  }
  const read = (name: string) => readFileSync(`${root}/blkio/pod/web/${name}`, 'utf8')
  const throttle = 'blkio.throttle.read_bps_device'
  fill(root, { 'blkio/pod/web': { 'blkio.bfq.weight': '', 'blkio.bfq.weight_device': '', [throttle]: '' } })
  write(v1(root), { blockIO })
  assert.equal(['blkio.bfq.weight', 'blkio.bfq.weight_device', throttle].map(read), ['20', '8:0 30', '8:0 5'])
  fill(root, { 'blkio/pod/web': { 'blkio.weight': '', 'blkio.weight_device': '', 'blkio.leaf_weight': '' } })
  write(v1(root), { blockIO: { ...blockIO, weight: 40, leafWeight: 50 } })
  const names = ['blkio.weight', 'blkio.weight_device', 'blkio.leaf_weight', 'blkio.bfq.weight']
  assert.equal(names.map(read), ['40', '8:0 30', '50', '20'])
})

test('block I/O of v2: BFQ weights, or those of every scheduler on their own scale', ({ root }) => {
  const read = (name: string) => readFileSync(`${root}/pod/web/${name}`, 'utf8')
  fill(root, { 'pod/web': { 'io.weight': '', 'io.max': '' } })
  const throttleWriteIOPSDevice = [{ major: 8, minor: 0, rate: 5n }]
  write(v2(root), { blockIO: { weight: 500, throttleWriteIOPSDevice } })
  assert.equal(['io.weight', 'io.max'].map(read), ['4950', '8:0 wiops=5'])
  fill(root, { 'pod/web': { 'io.bfq.weight': '' } })
  write(v2(root), { blockIO: { weight: 500 } })
  assert.is(read('io.bfq.weight'), '500')
})

test('huge pages, network marks and RDMA land in their files', ({ root }) => {
  fill(root, {
    'hugetlb/pod/web': { 'hugetlb.2MB.limit_in_bytes': '', 'hugetlb.2MB.rsvd.limit_in_bytes': '' },
    'net_cls/pod/web': { 'net_cls.classid': '' },
    'net_prio/pod/web': { 'net_prio.ifpriomap': '' },
    'rdma/pod/web': { 'rdma.max': '' },
    'pod/web': { 'hugetlb.2MB.max': '', 'hugetlb.2MB.rsvd.max': '', 'rdma.max': '' },
  })
  const both = { hugepageLimits: [{ pageSize: '2MB', limit: 4194304n }], rdma: { mlx5_0: { hcaHandles: 3 } } }
  write(v1(root), { ...both, network: { classID: 1048577, priorities: [{ name: 'lo', priority: 4 }] } })
  write(v2(root), both)
  const files: Record<string, string> = {
    'hugetlb/pod/web/hugetlb.2MB.limit_in_bytes': '4194304',
    'hugetlb/pod/web/hugetlb.2MB.rsvd.limit_in_bytes': '4194304',
    'net_cls/pod/web/net_cls.classid': '1048577',
    'net_prio/pod/web/net_prio.ifpriomap': 'lo 4',
    'rdma/pod/web/rdma.max': 'mlx5_0 hca_handle=3',
    'pod/web/hugetlb.2MB.max': '4194304',
    'pod/web/hugetlb.2MB.rsvd.max': '4194304',
    'pod/web/rdma.max': 'mlx5_0 hca_handle=3',
  }
  for (const [file, text] of Object.entries(files)) assert.is(readFileSync(join(root, file), 'utf8'), text, file)
})

test('a file that is not there says what is missing, where that is known', ({ root }) => {
  fill(root, Object.fromEntries(['blkio', 'hugetlb', 'memory'].map((name) => [`${name}/pod/web`, {}])))
  const cases: [Partial<Resources>, RegExp, RegExp][] = [
    [
      { hugepageLimits: [{ pageSize: '3MB', limit: 0n }] },
      /^linux\.resources\.hugepageLimits\[0\]: write "0" to /,
      /huge ?pages|page sizes/,
    ],
    [
      { blockIO: { weight: 10 } },
      /blockIO\.weight: write "10" to .*blkio.bfq.weight: ENOENT/,
      /CONFIG_BFQ_GROUP_IOSCHED/,
    ],
    [{ blockIO: { leafWeight: 10 } }, /blockIO\.leafWeight: write "10" to .*ENOENT/, /since 5.0/],
    [{ memory: { swap: 10n } }, /memory\.swap: write "10" to .*ENOENT/, /swapaccount=1/],
  ]
  for (const [resources, message, hint] of cases) {
    assert.throws(
      () => write(v1(root), resources),
      (error: RuntError) => message.test(error.message) && hint.test(error.hint ?? ''),
    )
  }
})

/** Update a fake cgroup that has a container with these resources. */
function update(cgroup: Cgroup, before: Partial<Resources>, change: Partial<Resources>): () => void {
  const asked = { ...NOTHING, ...change }
  const old = { ...NOTHING, ...before }
  return updateCgroup({ mode: cgroup.mode, v1: [] }, cgroup, { before: old, asked, after: mergeResources(old, asked) })
}

test('an update that fails has changed nothing, also of files with a line for each device', ({ root }) => {
  const web = {
    'memory.max': '1000\n',
    'memory.swap.max': '0\n',
    'io.max': '8:0 rbps=5 wbps=max riops=max wiops=max\n8:16 rbps=max wbps=1 riops=max wiops=max\n',
    'io.bfq.weight': 'default 100\n8:16 300\n',
    'rdma.max': 'mlx5_0 hca_handle=3 hca_object=max\n',
    'cpu.max': '1000 5000\n',
    'memory.numa': 'a\nb\n',
  }
  fill(root, { 'pod/web': web })
  const change: Partial<Resources> = {
    memory: { limit: 2000n, swap: 3000n },
    cpu: { quota: 2000n },
    blockIO: {
      weightDevice: [{ major: 8, minor: 0, weight: 10 }],
      throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9n }],
    },
    rdma: { mlx5_0: { hcaHandles: 4 }, mlx5_1: { hcaObjects: 1 } },
    pids: { limit: 1n },
  }
  // The fake's files keep what was written last, and no lines: what is written to take it back is what counts.
  const written = (name: string) => readFileSync(`${root}/pod/web/${name}`, 'utf8')
  assert.throws(() => update(v2(root), { cpu: { period: 5000n } }, change), /^linux\.resources\.pids\.limit: .*ENOENT/)
  assert.equal([written('memory.max'), written('memory.swap.max'), written('cpu.max')], ['1000', '0', '1000 5000'])
  // pids stands before the lists of devices, which have not been written to
  assert.is(written('io.max'), web['io.max'])
  fill(root, { 'pod/web': { 'pids.max': 'max\n' } })
  const undo = update(v2(root), { cpu: { period: 5000n } }, change)
  assert.equal(['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max', 'io.max', 'rdma.max'].map(written), [
    '2000',
    '1000',
    '2000 5000',
    '1',
    '8:0 rbps=9',
    'mlx5_1 hca_object=1',
  ])
  undo()
  assert.equal(
    ['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max', 'io.max', 'io.bfq.weight', 'rdma.max'].map(written),
    [
      '1000',
      '0',
      '1000 5000',
      'max',
      '8:0 rbps=5 wbps=max riops=max wiops=max',
      '8:0 default',
      'mlx5_1 hca_handle=max hca_object=max',
    ],
  )
  fill(root, { 'pod/web': { 'memory.numa': 'a\nb\n' } })
  const lost = update(v2(root), {}, { unified: { 'memory.numa': 'c' } })
  assert.throws(lost, /^could not be taken back: \/linux\/resources\/unified\/memory.numa$/)
})

test.run()
