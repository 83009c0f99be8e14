// config-linux.md, Control groups, on a machine with cgroup v2 alone; also by systemd (RUNTIME='… --systemd-cgroup').

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, failed, isBySystemd, succeeded } from '../box.ts'
import { check, skip } from '../case.ts'
import { waitUntil } from '../patience.ts'

const CGROUPS = '/sys/fs/cgroup'
const MIB = 1024 * 1024

/** @param controllers that the container is to have */
function needs(...controllers: string[]): void {
  const file = `${CGROUPS}/cgroup.controllers`
  if (!existsSync(file)) skip('cgroup v2 is not mounted at /sys/fs/cgroup here')
  const there = readFileSync(file, 'utf8').trim().split(' ')
  const missing = controllers.filter((name) => !there.includes(name))
  if (missing.length > 0) skip(`cgroup v2 has no ${missing.join(', ')} here`)
}

/** For what has no meaning when systemd makes the folders. */
function needsPaths(box: Box): void {
  if (isBySystemd(box.runtime)) skip('systemd makes the folders')
}

function read(box: Box, file: string): string {
  return readFileSync(`${CGROUPS}${box.cgroup}/${file}`, 'utf8').trim()
}

function placeOf(pid: number | undefined): string | undefined {
  return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1]
}

check('G2', 'on v2 cgroupsPath is the place below the mount point', async (box) => {
  needs()
  await box.create()
  assert.is(placeOf((await box.state()).pid), box.cgroup)
  await box.delete()
  assert.equal(box.cgroupFolders(), [])
})

check('G2', 'on v2 the folders above the own one hand down what limits need', async (box) => {
  needs('memory', 'pids')
  needsPaths(box)
  const path = `${box.cgroup}/a/b`
  await box.create({ '/linux/cgroupsPath': path, '/linux/resources/pids': { limit: 9 } })
  assert.is(readFileSync(`${CGROUPS}${path}/pids.max`, 'utf8').trim(), '9')
  assert.match(readFileSync(`${CGROUPS}${path}/cgroup.controllers`, 'utf8'), /memory/)
  await box.delete()
  assert.equal(box.cgroupFolders(), [])
})

interface Knob {
  readonly title: string
  readonly controller: string
  readonly resources: Readonly<Record<string, unknown>>
  readonly files: Readonly<Record<string, string | RegExp>>
}

const KNOBS: readonly Knob[] = [
  {
    title: 'memory.limit, swap and reservation',
    controller: 'memory',
    resources: { memory: { limit: 64 * MIB, swap: 96 * MIB, reservation: 32 * MIB } },
    files: { 'memory.max': `${64 * MIB}`, 'memory.swap.max': `${32 * MIB}`, 'memory.low': `${32 * MIB}` },
  },
  {
    title: 'memory.limit -1',
    controller: 'memory',
    resources: { memory: { limit: -1 } },
    files: { 'memory.max': 'max' },
  },
  {
    title: 'cpu.quota and cpu.period',
    controller: 'cpu',
    resources: { cpu: { quota: 40000, period: 80000 } },
    files: { 'cpu.max': '40000 80000' },
  },
  {
    title: 'cpu.shares 1024',
    controller: 'cpu',
    resources: { cpu: { shares: 1024 } },
    files: { 'cpu.weight': /^(39|100)$/ },
  },
  { title: 'cpu.idle', controller: 'cpu', resources: { cpu: { idle: 1 } }, files: { 'cpu.idle': '1' } },
  {
    title: 'cpu.cpus and cpu.mems',
    controller: 'cpuset',
    resources: { cpu: { cpus: '0', mems: '0' } },
    files: { 'cpuset.cpus': '0', 'cpuset.mems': '0' },
  },
  { title: 'pids.limit', controller: 'pids', resources: { pids: { limit: 17 } }, files: { 'pids.max': '17' } },
  { title: 'pids.limit 0', controller: 'pids', resources: { pids: { limit: 0 } }, files: { 'pids.max': 'max' } },
  {
    title: 'hugepageLimits',
    controller: 'hugetlb',
    resources: { hugepageLimits: [{ pageSize: '2MB', limit: 4 * MIB }] },
    files: { 'hugetlb.2MB.max': `${4 * MIB}` },
  },
  {
    title: 'unified',
    controller: 'memory',
    resources: { unified: { 'memory.high': `${48 * MIB}`, 'memory.oom.group': '1', 'cgroup.max.depth': '3' } },
    files: { 'memory.high': `${48 * MIB}`, 'memory.oom.group': '1', 'cgroup.max.depth': '3' },
  },
]

for (const { title, controller, resources, files } of KNOBS) {
  check('G5', `on v2 ${title}`, async (box) => {
    needs(controller)
    await box.create({ '/linux/resources': resources })
    for (const [file, value] of Object.entries(files)) {
      if (typeof value === 'string') assert.is(read(box, file), value, file)
      else assert.match(read(box, file), value, file)
    }
  })
}

check('G11', 'on v2 pids.limit 0 of version 1.3', async (box) => {
  needs('pids')
  await box.create({ '/ociVersion': '1.3.0', '/linux/resources/pids': { limit: 0 } })
  assert.is(read(box, 'pids.max'), '1')
})

/** A block device of this machine. */
function blockDevice(): string {
  const name = ['vda', 'sda', 'nvme0n1'].find((each) => existsSync(`/sys/class/block/${each}/dev`))
  if (name === undefined) skip('this machine has no disk')
  return readFileSync(`/sys/class/block/${name}/dev`, 'utf8').trim()
}

check('G8', 'on v2 blockIO throttles a device', async (box) => {
  needs('io')
  const device = blockDevice()
  const [major, minor] = device.split(':').map(Number)
  const blockIO = {
    throttleReadBpsDevice: [{ major, minor, rate: MIB }],
    throttleWriteIOPSDevice: [{ major, minor, rate: 50 }],
  }
  await box.create({ '/linux/resources/blockIO': blockIO })
  assert.is(read(box, 'io.max'), `${device} rbps=${MIB} wbps=max riops=max wiops=50`)
})

for (const [title, resources] of [
  ['memory.limit above memory.swap', { memory: { limit: 64 * MIB, swap: 32 * MIB } }],
  ['memory.swap without memory.limit', { memory: { swap: 32 * MIB } }],
  ['memory.swappiness', { memory: { swappiness: 7 } }],
  ['cpu.period 1', { cpu: { period: 1, quota: 1 } }],
  ['cpu.cpus that the machine does not have', { cpu: { cpus: '4000' } }],
  ['cpu.realtimeRuntime', { cpu: { realtimeRuntime: 1000 } }],
  ['network.classID', { network: { classID: 1 } }],
  ['a page size that the machine does not have', { hugepageLimits: [{ pageSize: '3MB', limit: 0 }] }],
  ['unified with a file that is not there', { unified: { 'memory.nothing': '1' } }],
  ['unified with a controller that is not there', { unified: { 'nothing.max': '1' } }],
  ['unified with a value that is none', { unified: { 'pids.max': 'x' } }],
] as const) {
  check('G13', `on v2 ${title} is refused`, async (box) => {
    needs('memory', 'cpu', 'pids', 'hugetlb', 'cpuset')
    await box.rejected({ '/linux/resources': resources })
  })
}

check('G1', 'on v2 a cgroup with processes in it is refused', async (box) => {
  needs()
  await box.create()
  const second = `${box.id}-second`
  const result = await box.command(['create', '--bundle', box.bundle, second])
  await box.command(['delete', '--force', second])
  failed(result)
  assert.is((await box.state()).status, 'created')
  assert.is(placeOf((await box.state()).pid), box.cgroup)
})

check('G1', 'on v2 a folder that is frozen, or can hold threads alone, is refused', async (box) => {
  needs()
  needsPaths(box)
  const above = `${CGROUPS}${box.cgroup}`
  for (const [file, text] of [
    ['cgroup.freeze', '1'],
    ['cgroup.type', 'threaded'],
  ] as const) {
    mkdirSync(`${above}/own`, { recursive: true })
    writeFileSync(`${above}/own/${file}`, text)
    const result = failed(await box.tryCreate({ '/linux/cgroupsPath': `${box.cgroup}/own` }))
    assert.match(result.stderr, /own/)
    assert.equal(box.records(), [])
    rmdirSync(`${above}/own`)
    rmdirSync(above)
  }
})

check('G13', 'on v2 a limit below a cgroup that has processes of its own is an error that says so', async (box) => {
  needs('pids')
  needsPaths(box)
  await box.launch('sleep 100')
  const second = `${box.id}-second`
  box.configure({ '/linux/cgroupsPath': `${box.cgroup}/below`, '/linux/resources/pids': { limit: 5 } })
  const result = failed(await box.command(['create', '--bundle', box.bundle, second]))
  assert.match(result.stderr, /pids/)
  assert.not.ok(existsSync(`${CGROUPS}${box.cgroup}/below`))
  assert.is((await box.state()).status, 'running')
})

/** A device that anybody may open, and that no container has by default. */
const FUSE = { type: 'c', path: '/dev/fuse', major: 10, minor: 229, fileMode: 0o666 }
const OPEN = '(: < /dev/fuse) 2>&1 || true'
const MAY_READ = { allow: true, type: 'c', major: 10, minor: 229, access: 'r' }

function needsFuse(): void {
  needs()
  if (!existsSync('/dev/fuse')) skip('this machine has no /dev/fuse')
}
const NOTHING = { allow: false, access: 'rwm' }

check('G4', 'on v2 devices are what the rules allow', async (box) => {
  needsFuse()
  const devices = { '/linux/devices': [FUSE] }
  const denied = await box.sh(OPEN, { ...devices, '/linux/resources/devices': [NOTHING] })
  assert.match(denied, /Operation not permitted/)
  const edits = { ...devices, '/linux/resources/devices': [NOTHING, MAY_READ] }
  assert.not.match(await box.sh(OPEN, edits), /Operation not permitted/)
  const written = await box.sh('(: > /dev/fuse) 2>&1 || true; echo y > /dev/null', edits)
  assert.match(written, /Operation not permitted/)
})

async function updateDevices(box: Box, devices: readonly unknown[]): Promise<void> {
  writeFileSync(box.path('resources.json'), JSON.stringify({ devices }))
  succeeded(await box.command(['update', '--resources', box.path('resources.json'), box.id]))
}

check('G4', 'on v2 an update of devices takes the place of what was there', async (box) => {
  needsFuse()
  if (!['runt', 'crun'].includes(box.runtime.name)) skip('only some runtimes update devices')
  await box.launch('sleep 1000', { '/linux/devices': [FUSE], '/linux/resources/devices': [NOTHING] })
  const tried = async () => succeeded(await box.command(['exec', box.id, 'sh', '-c', OPEN])).stdout
  assert.match(await tried(), /Operation not permitted/)
  for (let round = 0; round < 2; round++) {
    await updateDevices(box, [NOTHING, MAY_READ])
    assert.not.match(await tried(), /Operation not permitted/, 'allowed')
    await updateDevices(box, [NOTHING])
    assert.match(await tried(), /Operation not permitted/, 'denied again')
  }
})

check('G6', 'on v2 an update changes limits, and refuses what is in use when asked to look', async (box) => {
  needs('memory', 'cpu', 'pids')
  await box.launch('sleep 1000', { '/linux/resources/memory': { limit: 64 * MIB } })
  const flags = ['--memory', `${48 * MIB}`, '--cpu-quota', '30000', '--cpu-period', '60000', '--pids-limit', '12']
  succeeded(await box.command(['update', ...flags, box.id]))
  assert.equal(
    ['memory.max', 'cpu.max', 'pids.max'].map((file) => read(box, file)),
    [`${48 * MIB}`, '30000 60000', '12'],
  )
  writeFileSync(box.path('resources.json'), JSON.stringify({ memory: { limit: 4096, checkBeforeUpdate: true } }))
  failed(await box.command(['update', '--resources', box.path('resources.json'), box.id]))
  assert.is(read(box, 'memory.max'), `${48 * MIB}`)
  assert.is((await box.state()).status, 'running')
})

check('K2', 'on v2 a container that takes more memory than its limit is killed, and events tell', async (box) => {
  needs('memory')
  const memory = { limit: 32 * MIB, swap: 32 * MIB }
  await box.launch('while sleep 0.2; do head -c 200m /dev/zero | tail | wc -c; done', {
    '/linux/resources/memory': memory,
  })
  const isKilled = () => /oom_kill [1-9]/.test(read(box, 'memory.events'))
  await waitUntil(isKilled, 'nothing was killed')
  const { stdout } = succeeded(await box.command(['events', '--stats', box.id]))
  const { data } = JSON.parse(stdout) as { data: { memory: { usage: { limit: number } } } }
  assert.is(data.memory.usage.limit, 32 * MIB)
})

check('K2', 'on v2 a pause freezes the cgroup', async (box) => {
  needs()
  await box.launch('sleep 1000')
  succeeded(await box.command(['pause', box.id]))
  assert.match(read(box, 'cgroup.events'), /frozen 1/)
  assert.is((await box.state()).status, 'paused')
  succeeded(await box.command(['resume', box.id]))
  assert.match(read(box, 'cgroup.events'), /frozen 0/)
})

check('B20', 'on v2 a forced delete leaves none of many processes, without a pid namespace', async (box) => {
  needs()
  const namespaces = ['network', 'ipc', 'uts', 'mount'].map((type) => ({ type }))
  await box.launch('for i in 1 2 3 4 5; do sleep 1000 & done; (sleep 1000 &); wait', {
    '/linux/namespaces': namespaces,
  })
  let procs: string[] = []
  const areAll = (): boolean => {
    procs = read(box, 'cgroup.procs').split('\n')
    return procs.length === 7
  }
  await waitUntil(areAll, () => `only ${procs.length} processes`)
  await box.delete('--force')
  assert.equal(box.cgroupFolders(), [])
  assert.equal(
    procs.filter((pid) => existsSync(`/proc/${pid}`)),
    [],
  )
})

const WRITABLE = {
  '/mounts/-': {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['rw', 'nosuid', 'noexec', 'nodev'],
  },
}
const READ_ONLY = {
  '/mounts/-': {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['ro', 'nosuid', 'noexec', 'nodev'],
  },
}
const OWN_CGROUPS = { '/linux/namespaces/-': { type: 'cgroup' } }
const AS_USER = { '/process/user': { uid: 1000, gid: 1000 } }

check('G3', 'a container that may write to its cgroup owns what the kernel says is safe', async (box) => {
  needs()
  await box.create({ ...WRITABLE, ...OWN_CGROUPS, ...AS_USER })
  const folder = `${CGROUPS}${box.cgroup}`
  const list = readFileSync('/sys/kernel/cgroup/delegate', 'utf8').trim().split('\n')
  const owned = execFileSync('find', [folder, '-maxdepth', '1', '-uid', '1000', '-printf', '%f\n'], {
    encoding: 'utf8',
  })
  const expected = [box.cgroup.split('/').at(-1), ...list.filter((name) => existsSync(`${folder}/${name}`))]
  assert.equal(owned.trim().split('\n').sort(), expected.sort())
})

for (const [title, edits] of [
  ['read-only', { ...READ_ONLY, ...OWN_CGROUPS, ...AS_USER }],
  ['seen without a cgroup namespace', { ...WRITABLE, ...AS_USER }],
  ['not mounted', { ...OWN_CGROUPS, ...AS_USER }],
] as const) {
  check('G3', `a cgroup that is ${title} stays the host's`, async (box) => {
    needs()
    await box.create(edits)
    assert.is(statSync(`${CGROUPS}${box.cgroup}`).uid, 0)
    assert.is(statSync(`${CGROUPS}${box.cgroup}/cgroup.procs`).uid, 0)
  })
}

check('G3', 'the root of a user namespace owns its writable cgroup, and can make others below', async (box) => {
  needs('pids')
  const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  execFileSync('chown', ['-hR', '100000:100000', box.rootfs])
  const script =
    'cd /sys/fs/cgroup && mkdir a && echo $$ > a/cgroup.procs && echo +pids > cgroup.subtree_control && echo 5 > a/pids.max && cat a/pids.max'
  const said = await box.sh(script, {
    ...WRITABLE,
    '/linux/namespaces': ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup', 'user'].map((type) => ({ type })),
    '/linux/uidMappings': mappings,
    '/linux/gidMappings': mappings,
  })
  assert.is(said, '5')
  assert.equal(box.cgroupFolders(), [])
})

check('F2', 'on v2 in a cgroup namespace the own cgroup is the root', async (box) => {
  needs('pids')
  const said = await box.sh('cat /proc/self/cgroup; cat /sys/fs/cgroup/pids.max; mkdir /sys/fs/cgroup/x 2>&1 || true', {
    ...READ_ONLY,
    ...OWN_CGROUPS,
    '/linux/resources/pids': { limit: 23 },
  })
  assert.match(said, /^0::\/\n23\n.*Read-only file system$/)
})

check('K2', 'on v2 exec enters the cgroup that init has moved to', async (box) => {
  needs('pids')
  const script =
    'cd /sys/fs/cgroup && mkdir a && echo $$ > a/cgroup.procs && echo +pids > cgroup.subtree_control && echo > /tmp/moved && sleep 1000'
  await box.launch(script, { ...WRITABLE, ...OWN_CGROUPS })
  await box.waitForFile(`${box.rootfs}/tmp/moved`)
  const { stdout } = succeeded(await box.command(['exec', box.id, 'cat', '/proc/self/cgroup']))
  assert.is(stdout.trim(), '0::/a')
})
