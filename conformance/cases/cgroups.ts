// config-linux.md, Control groups, on a v1 (or hybrid) machine.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import type { Box } from '../box.ts'
import { failed, hierarchies, isBySystemd, succeeded } from '../box.ts'
import { check, skip } from '../case.ts'

const CGROUPS = '/sys/fs/cgroup'

function needs(controller: string): void {
  if (!existsSync(`${CGROUPS}/${controller}/cgroup.procs`)) skip(`there is no v1 hierarchy of ${controller} here`)
}

/** pid → controller → path, of /proc/PID/cgroup. */
function cgroupOf(pid: number | undefined, controller: string): string | undefined {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
  return lines.map((line) => line.split(':')).find(([, names]) => names?.split(',').includes(controller))?.[2]
}

check('G2', 'an absolute cgroupsPath starts at the mount point of the hierarchy', async (box) => {
  needs('memory')
  await box.create()
  const { pid } = await box.state()
  for (const controller of ['memory', 'pids', 'devices', 'freezer', 'cpu']) {
    if (!existsSync(`${CGROUPS}/${controller}`)) continue
    assert.is(cgroupOf(pid, controller), box.cgroup, controller)
  }
})

check('G2', 'a relative cgroupsPath is the same place every time', async (box) => {
  needs('pids')
  if (isBySystemd(box.runtime)) skip('a path is none of systemd')
  const path = box.cgroup.slice(1)
  const places: (string | undefined)[] = []
  for (let time = 0; time < 2; time++) {
    await box.create({ '/linux/cgroupsPath': path })
    places.push(cgroupOf((await box.state()).pid, 'pids'))
    await box.delete()
  }
  assert.ok(places[0]?.endsWith(path))
  assert.is(places[1], places[0])
  assert.equal(box.cgroupFolders(places[0]), [])
})

check('G2', 'a cgroupsPath can not leave the hierarchy', async (box) => {
  needs('pids')
  const result = await box.tryCreate({ '/linux/cgroupsPath': `/../../../..${box.cgroup}` })
  if (result.status !== 0) return
  assert.is(cgroupOf((await box.state()).pid, 'pids'), box.cgroup)
})

check('G2', 'a cgroup that the container has made goes with it, whatever bytes are its name', async (box) => {
  await box.create()
  for (const folder of box.cgroupFolders()) mkdirSync(Buffer.from(`${folder}/\xff \xc3`, 'latin1'))
  await box.delete('--force')
  box.assertNothingLeft()
})

check('G2', 'a cgroupsPath that leads through a file is refused, and leaves no record', async (box) => {
  needs('memory')
  if (isBySystemd(box.runtime)) skip('a path is none of systemd')
  for (const hierarchy of hierarchies()) mkdirSync(`${hierarchy}${box.cgroup}`, { recursive: true })
  failed(await box.tryCreate({ '/linux/cgroupsPath': `${box.cgroup}/memory.limit_in_bytes/below` }))
  assert.equal(box.records(), [])
})

check('G2', 'without cgroupsPath the container has a cgroup of its own', async (box) => {
  needs('pids')
  await box.create({ '/linux/cgroupsPath': undefined })
  const { pid } = await box.state()
  const place = cgroupOf(pid, 'pids')
  assert.is.not(place, cgroupOf(process.pid, 'pids'))
  await box.delete()
  assert.equal(box.cgroupFolders(place), [])
})

interface Knob {
  readonly title: string
  readonly controller: string
  readonly resources: Readonly<Record<string, unknown>>
  readonly files: Readonly<Record<string, string>>
}

const MIB = 1024 * 1024
const KNOBS: readonly Knob[] = [
  {
    title: 'memory.limit',
    controller: 'memory',
    resources: { memory: { limit: 64 * MIB } },
    files: { 'memory.limit_in_bytes': `${64 * MIB}` },
  },
  {
    title: 'memory.reservation',
    controller: 'memory',
    resources: { memory: { reservation: 32 * MIB } },
    files: { 'memory.soft_limit_in_bytes': `${32 * MIB}` },
  },
  {
    title: 'memory.limit and memory.swap',
    controller: 'memory',
    resources: { memory: { limit: 64 * MIB, swap: 96 * MIB } },
    files: { 'memory.limit_in_bytes': `${64 * MIB}`, 'memory.memsw.limit_in_bytes': `${96 * MIB}` },
  },
  {
    title: 'memory.limit -1',
    controller: 'memory',
    resources: { memory: { limit: -1 } },
    files: { 'memory.limit_in_bytes': '9223372036854771712' },
  },
  {
    title: 'memory.swappiness',
    controller: 'memory',
    resources: { memory: { swappiness: 7 } },
    files: { 'memory.swappiness': '7' },
  },
  {
    title: 'cpu.shares',
    controller: 'cpu',
    resources: { cpu: { shares: 512 } },
    files: { 'cpu.shares': '512' },
  },
  {
    title: 'cpu.quota and cpu.period',
    controller: 'cpu',
    resources: { cpu: { quota: 40000, period: 80000 } },
    files: { 'cpu.cfs_quota_us': '40000', 'cpu.cfs_period_us': '80000' },
  },
  {
    title: 'cpu.cpus and cpu.mems',
    controller: 'cpuset',
    resources: { cpu: { cpus: '0', mems: '0' } },
    files: { 'cpuset.cpus': '0', 'cpuset.mems': '0' },
  },
  { title: 'pids.limit', controller: 'pids', resources: { pids: { limit: 17 } }, files: { 'pids.max': '17' } },
  { title: 'pids.limit -1', controller: 'pids', resources: { pids: { limit: -1 } }, files: { 'pids.max': 'max' } },
  { title: 'pids.limit 0', controller: 'pids', resources: { pids: { limit: 0 } }, files: { 'pids.max': 'max' } },
]

for (const { title, controller, resources, files } of KNOBS) {
  check(title.startsWith('memory') ? 'G5' : title.startsWith('cpu') ? 'G7' : 'G11', title, async (box) => {
    needs(controller)
    const swap = 'memory.memsw.limit_in_bytes'
    if (swap in files && !existsSync(`${CGROUPS}/memory/${swap}`)) skip('this kernel does not account for swap')
    await box.create({ '/linux/resources': resources })
    for (const [file, value] of Object.entries(files)) assert.is(box.knob(controller, file), value, file)
  })
}

check('G11', 'pids.limit 0 of version 1.3', async (box) => {
  needs('pids')
  await box.create({ '/ociVersion': '1.3.0', '/linux/resources/pids': { limit: 0 } })
  assert.is(box.knob('pids', 'pids.max'), '1')
})

check('G5', 'memory.disableOOMKiller', async (box) => {
  needs('memory')
  if (!existsSync(`${CGROUPS}/memory/memory.oom_control`)) skip('this kernel has no memory.oom_control')
  await box.create({ '/linux/resources': { memory: { disableOOMKiller: true } } })
  assert.match(box.knob('memory', 'memory.oom_control'), /^oom_kill_disable 1$/m)
})

for (const [title, resources] of [
  ['memory.swappiness 101', { memory: { swappiness: 101 } }],
  ['memory.limit above memory.swap', { memory: { limit: 64 * MIB, swap: 32 * MIB } }],
  ['cpu.period 1', { cpu: { period: 1, quota: 1 } }],
  ['cpu.cpus that the machine does not have', { cpu: { cpus: '4000' } }],
  ['cpu.mems that is no list', { cpu: { mems: 'abc' } }],
  ['unified on a machine without the controller', { unified: { 'memory.max': '100000000' } }],
] as const) {
  check('G5', `${title} is refused`, async (box) => {
    needs('memory')
    await box.rejected({ '/linux/resources': resources })
  })
}

check('G4', 'devices.list has the rules', async (box) => {
  needs('devices')
  await box.create({
    '/linux/resources/devices': [
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
      { allow: true, type: 'b', major: 7, access: 'r' },
    ],
  })
  const list = box.knob('devices', 'devices.list').split('\n')
  // A runtime that allows to make any device may have it say so here.
  assert.ok(
    list.some((rule) => /^c 10:229 rwm?$/.test(rule)),
    list.join(', '),
  )
  assert.ok(
    list.some((rule) => /^b 7:\* rm?$/.test(rule)),
    list.join(', '),
  )
  assert.ok(
    list.some((rule) => /^c 1:3 rwm?$/.test(rule)),
    '/dev/null is not allowed',
  )
  assert.not.ok(list.includes('a *:* rwm'))
})

check('G1', 'below a frozen cgroup a container is refused', async (box) => {
  needs('freezer')
  if (isBySystemd(box.runtime)) skip('a path is none of systemd')
  const above = `${CGROUPS}/freezer${box.cgroup}`
  mkdirSync(above, { recursive: true })
  writeFileSync(`${above}/freezer.state`, 'FROZEN')
  try {
    const { status, stderr } = await box.tryCreate({ '/linux/cgroupsPath': `${box.cgroup}/inner` }, [], { seconds: 5 })
    assert.ok(status > 0, 'it hangs')
    assert.match(stderr, /frozen/)
    assert.equal(box.cgroupFolders(`${box.cgroup}/inner`), [])
  } finally {
    writeFileSync(`${above}/freezer.state`, 'THAWED')
  }
})

check('G1', 'a cgroup with processes in it is refused', async (box) => {
  needs('pids')
  await box.create()
  const second = `${box.id}-second`
  const result = await box.command(['create', '--bundle', box.bundle, second])
  await box.command(['delete', '--force', second])
  assert.is.not(result.status, 0, 'two containers in one cgroup')
  assert.ok(box.cgroupFolders().length > 0, 'the refusal removed the cgroup of the first')
})

check('G2', 'delete removes the cgroup in every hierarchy', async (box) => {
  await box.create()
  assert.ok(box.cgroupFolders().length > 0)
  await box.delete()
  assert.equal(box.cgroupFolders(), [])
})

check('G2', 'delete removes cgroups that the container made below its own', async (box) => {
  needs('pids')
  await box.create()
  mkdirSync(`${CGROUPS}/pids${box.cgroup}/below`)
  await box.delete()
  assert.equal(box.cgroupFolders(), [])
})

const CGROUP_MOUNT = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro', 'nosuid'] }

check('K2', 'a cgroup mount shows the container its own cgroup, read-only', async (box) => {
  needs('pids')
  const said = await box.sh('cat /sys/fs/cgroup/pids/pids.max; mkdir /sys/fs/cgroup/pids/x 2>&1 || true', {
    '/mounts/-': CGROUP_MOUNT,
    '/linux/resources/pids': { limit: 23 },
  })
  assert.match(said, /^23\n.*Read-only file system$/)
})

check('F2', 'in a cgroup namespace the own cgroup is the root', async (box) => {
  needs('pids')
  const said = await box.sh('cat /proc/self/cgroup; cat /sys/fs/cgroup/pids/pids.max', {
    '/mounts/-': CGROUP_MOUNT,
    '/linux/namespaces/-': { type: 'cgroup' },
    '/linux/resources/pids': { limit: 23 },
  })
  assert.match(said, /:pids:\/$/m)
  assert.match(said, /\n23$/)
})

check('K2', 'a container that takes more memory than its limit is killed', async (box) => {
  needs('memory')
  const result = await box.run({
    '/process/args': ['sh', '-c', 'head -c 200m /dev/zero | tail | wc -c; echo survived'],
    '/linux/resources/memory': { limit: 16 * MIB, swap: 16 * MIB },
  })
  assert.not.match(result.stdout, /209715200/)
})

check('K2', 'pids.limit holds', async (box) => {
  needs('pids')
  const result = await box.run({
    '/process/args': ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo all'],
    '/linux/resources/pids': { limit: 4 },
  })
  assert.not.match(result.stdout, /all/)
  assert.match(result.stderr, /fork|Resource temporarily unavailable/)
})

check('K2', 'update reads resources to the end of a pipe, however slow its writer is', async (box) => {
  needs('pids')
  await box.launch('exec sleep 60')
  const command = [...box.runtime.command, '--root', box.stateRoot, 'update', '--resources']
  const words = ['printf %s "{\\"pids\\":"', 'sleep 0.3', 'printf %s "{\\"limit\\":$LIMIT}}"'].join('; ')
  for (const [limit, script] of [
    ['77', `(${words}) | "$0" "$@" - "$ID"`],
    ['78', `"$0" "$@" <(${words}) "$ID"`],
  ] as const) {
    const env = { ...process.env, ID: box.id, LIMIT: limit }
    const { status, stderr } = spawnSync('bash', ['-c', script, ...command], { env, encoding: 'utf8' })
    assert.is(status, 0, stderr)
    assert.is(box.knob('pids', 'pids.max'), limit)
  }
})

check('K2', 'update takes -1 for no limit, as a word of its own', async (box) => {
  needs('pids')
  await box.launch('sleep 100', {
    '/linux/resources/pids': { limit: 20 },
    '/linux/resources/memory': { limit: 64 * MIB, swap: 64 * MIB },
    '/linux/resources/cpu': { quota: 50_000, period: 100_000 },
  })
  const unlimited = ['--pids-limit', '--memory', '--memory-swap', '--cpu-quota'].flatMap((flag) => [flag, '-1'])
  succeeded(await box.command(['update', ...unlimited, box.id]))
  assert.is(box.knob('pids', 'pids.max'), 'max')
  assert.is(box.knob('cpu', 'cpu.cfs_quota_us'), '-1')
  assert.ok(Number(box.knob('memory', 'memory.limit_in_bytes')) > 2 ** 60)
  await box.kill('KILL')
})

check('B20', 'a cgroup that was there before keeps what is in it', async (box) => {
  needs('pids')
  const sibling = siblingOf(box)
  mkdirSync(sibling, { recursive: true })
  await box.create()
  await box.delete()
  assert.ok(existsSync(sibling))
  rmdirSync(sibling)
})

check('G2', 'a cgroup that was there before takes one container after the other', async (box) => {
  const folders = hierarchies()
    .map((hierarchy) => `${hierarchy}${box.cgroup}`)
    .filter((folder) => !folder.includes('cpuset')) // without cpus it takes nobody
  for (const folder of folders) mkdirSync(folder, { recursive: true })
  try {
    for (let round = 0; round < 2; round++) {
      await box.launch('sleep 100')
      await box.delete('--force')
    }
    assert.is(await box.sh('echo third'), 'third')
  } finally {
    for (const folder of folders) if (existsSync(folder)) rmdirSync(folder)
  }
})

function siblingOf(box: Box): string {
  return `${CGROUPS}/pids${box.cgroup}-sibling`
}

check('G4', 'every hierarchy of the machine has the container, not the caller', async (box) => {
  needs('pids')
  await box.create()
  const { pid } = await box.state()
  const named = hierarchies().filter((path) => !/unified|systemd/.test(path))
  for (const hierarchy of named) {
    const controller = hierarchy.split('/').at(-1) ?? ''
    assert.is(cgroupOf(pid, controller.split(',')[0] ?? ''), box.cgroup, controller)
  }
  succeeded(await box.command(['delete', '--force', box.id]))
})

/** The first disk of this machine, as the kernel numbers it. */
function diskOf(): { readonly major: number; readonly minor: number } {
  const [, major, minor] =
    /^\s*(\d+)\s+(\d+)\s+\d+\s+(?!ram|loop|zram)\w+$/m.exec(readFileSync('/proc/partitions', 'utf8')) ?? []
  return major === undefined ? skip('this machine has no disk') : { major: Number(major), minor: Number(minor) }
}

for (const [property, file] of [
  ['throttleReadBpsDevice', 'blkio.throttle.read_bps_device'],
  ['throttleWriteBpsDevice', 'blkio.throttle.write_bps_device'],
  ['throttleReadIOPSDevice', 'blkio.throttle.read_iops_device'],
  ['throttleWriteIOPSDevice', 'blkio.throttle.write_iops_device'],
] as const) {
  check('G8', `blockIO.${property}`, async (box) => {
    needs('blkio')
    const { major, minor } = diskOf()
    await box.create({ '/linux/resources': { blockIO: { [property]: [{ major, minor, rate: 4096 }] } } })
    assert.is(box.knob('blkio', file), `${major}:${minor} 4096`)
  })
}

check('G8', 'a weightDevice without a weight is refused', async (box) => {
  const { major, minor } = diskOf()
  await box.rejected({ '/linux/resources': { blockIO: { weightDevice: [{ major, minor }] } } })
})

check('G8', 'a disk that the machine does not have is refused', async (box) => {
  needs('blkio')
  await box.rejected({
    '/linux/resources': { blockIO: { throttleReadBpsDevice: [{ major: 999, minor: 999, rate: 4096 }] } },
  })
})

for (const pageSize of ['2', '3MB', 'twoMB', '2 MB']) {
  check('G9', `the page size ${JSON.stringify(pageSize)} is refused`, async (box) => {
    await box.rejected({ '/linux/resources': { hugepageLimits: [{ pageSize, limit: 2 * MIB }] } })
  })
}

check('G10', 'network.classID is refused where no hierarchy has the controller', async (box) => {
  if (existsSync(`${CGROUPS}/net_cls`)) skip('this machine has net_cls')
  await box.rejected({ '/linux/resources': { network: { classID: 0x100001 } } })
})

check('G12', 'rdma is refused where no hierarchy has the controller', async (box) => {
  if (existsSync(`${CGROUPS}/rdma`)) skip('this machine has rdma')
  await box.rejected({ '/linux/resources': { rdma: { mlx5_1: { hcaHandles: 3 } } } })
})

check('G12', 'an rdma device without limits is refused', async (box) => {
  await box.rejected({ '/linux/resources': { rdma: { mlx5_1: {} } } })
})

for (const [key, value] of [
  ['no.such.file', '1'],
  ['../cgroup.procs', '1'],
  ['memory.high', 'many'],
] as const) {
  check('G13', `unified ${key} = ${value} is refused`, async (box) => {
    await box.rejected({ '/linux/resources': { unified: { [key]: value } } })
  })
}

check('K3', 'a limit of kernel memory, which kernels have no more, is a warning', async (box) => {
  const edits = { '/linux/resources/memory': { kernel: 64 << 20 } }
  const { stdout, stderr } = succeeded(await box.run({ ...edits, '/process/args': ['echo', 'on'] }))
  assert.is(stdout, 'on\n')
  if (box.runtime.name !== 'crun') assert.match(stderr, /kernel/i)
})
