// The manager on this host's real cgroups, below a folder of its own; then once more in a mount namespace where the
// host has cgroup v2 alone. Needs root.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DeviceRule, Resources } from '../config/types.ts'
import { type Cgroup, hierarchyViews, joinPoints, planCgroup, UNIFIED } from './cgroup.ts'
import { attachDeviceProgram } from './devices.ts'
import { createCgroup, freeze, isFrozen, killCgroup, pidsOf, removeCgroup, thaw } from './fs.ts'
import { type Hierarchies, readHierarchies } from './hierarchy.ts'
import { sleep, waitUntil } from './knob.ts'
import { mergeResources } from './merge.ts'
import { delegateCgroup } from './ownership.ts'
import { updateCgroup } from './update.ts'

const SIGKILL = 9
const SIGTERM = 15
const NOTHING: Resources = { devices: [], memory: {}, cpu: {}, pids: {}, unified: {} }
const PARENT = `/runt-test-${process.pid}`

const hierarchies = readHierarchies()
const onV2 = hierarchies.mode === 'v2'
const hasV1 = (controller: string) => hierarchies.v1.some(({ controllers }) => controllers.includes(controller))
const children: ChildProcess[] = []
let count = 0

function plan(): Cgroup {
  count++
  return planCgroup(hierarchies, `${PARENT}/c${count}`)
}

function create(resources: Partial<Resources> = {}, planned = plan()): Cgroup {
  return createCgroup(hierarchies, planned, { ...NOTHING, ...resources })
}

/** Run a shell command that first enters a cgroup as init does. */
function enter(cgroup: Cgroup, command: string): ChildProcess & { readonly pid: number } {
  const { procs, v2Directory } = joinPoints(cgroup)
  const doors = [...procs, ...(v2Directory === undefined ? [] : [`${v2Directory}/cgroup.procs`])]
  const script = [...doors.map((door) => `echo 0 > ${door} || exit 99`), command].join('\n')
  const child = spawn('sh', ['-c', script], { stdio: 'ignore' })
  children.push(child)
  assert.ok(child.pid)
  return child as ChildProcess & { readonly pid: number }
}

function sleeper(cgroup: Cgroup): ChildProcess & { readonly pid: number } {
  const child = enter(cgroup, 'exec sleep 60')
  assert.ok(
    waitUntil(() => comm(child.pid) === 'sleep', 2000),
    'a process enters',
  )
  return child
}

/** Run a command inside and wait. @returns its exit status */
function statusOf(cgroup: Cgroup, command: string): number | null {
  const { procs, v2Directory } = joinPoints(cgroup)
  const doors = [...procs, ...(v2Directory === undefined ? [] : [`${v2Directory}/cgroup.procs`])]
  const script = [...doors.map((door) => `echo 0 > ${door} || exit 99`), command].join('\n')
  return spawnSync('sh', ['-c', script], { stdio: 'ignore' }).status
}

function comm(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

function read(cgroup: Cgroup, controller: string, file: string): string {
  const directory = cgroup.directories[controller]
  return directory === undefined ? '' : readFileSync(`${directory}/${file}`, 'utf8').trim()
}

const folders = (cgroup: Cgroup) => Object.values(cgroup.directories)
const nothingLeft = () => folders(planCgroup(hierarchies, PARENT)).filter((directory) => existsSync(directory))

const asRoot = process.getuid?.() === 0 && hierarchies.mode !== 'none' && canMake()
if (!asRoot) console.log('skipped: real cgroups need root and a writable cgroup mount')

function canMake(): boolean {
  try {
    removeCgroup(createCgroup(hierarchies, planCgroup(hierarchies, `${PARENT}-probe`), NOTHING))
    return true
  } catch {
    return false
  }
}

function real(name: string, run: () => void, condition = true): void {
  if (!asRoot) return
  if (condition) test(`${hierarchies.mode}: ${name}`, run)
  else console.log(`skipped on ${hierarchies.mode}: ${name}`)
}

test.after.each(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

real('a folder in every hierarchy, and none after', () => {
  const cgroup = create()
  assert.is(folders(cgroup).length, hierarchies.v1.length + (hierarchies.unified === undefined ? 0 : 1))
  for (const directory of folders(cgroup)) assert.ok(existsSync(directory), directory)
  assert.is(cgroup.made.length, folders(cgroup).length * 2)
  assert.is(cgroup.planned, undefined)
  assert.equal(JSON.parse(JSON.stringify(cgroup)), cgroup)
  assert.is(hierarchyViews(hierarchies, cgroup).length, onV2 ? 1 : hierarchies.v1.length)
  removeCgroup(cgroup)
  assert.equal(nothingLeft(), [])
  removeCgroup(cgroup) // and again does no harm
})

real(
  'limits land in the files',
  () => {
    const cgroup = create({
      memory: { limit: 67108864n, swap: 134217728n, reservation: 33554432n },
      cpu: { shares: 512n, quota: 50000n, period: 200000n, burst: 1000n, cpus: '0', mems: '0' },
      pids: { limit: 20n },
    })
    assert.is(read(cgroup, 'memory', 'memory.limit_in_bytes'), '67108864')
    assert.is(read(cgroup, 'memory', 'memory.memsw.limit_in_bytes'), '134217728')
    assert.is(read(cgroup, 'memory', 'memory.soft_limit_in_bytes'), '33554432')
    assert.is(read(cgroup, 'cpu', 'cpu.shares'), '512')
    assert.is(read(cgroup, 'cpu', 'cpu.cfs_quota_us'), '50000')
    assert.is(read(cgroup, 'cpu', 'cpu.cfs_period_us'), '200000')
    assert.is(read(cgroup, 'cpu', 'cpu.cfs_burst_us'), '1000')
    assert.is(read(cgroup, 'cpuset', 'cpuset.cpus'), '0')
    assert.is(read(cgroup, 'pids', 'pids.max'), '20')
    removeCgroup(cgroup)
  },
  ['memory', 'cpu', 'cpuset', 'pids'].every(hasV1) && existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes'),
)

real(
  'update raises and lowers memory with swap, whatever the order the kernel wants',
  () => {
    let before: Resources = { ...NOTHING, memory: { limit: 10485760n, swap: 20971520n } }
    const cgroup = create(before)
    const update = (memory: Resources['memory']) => {
      const asked = { ...NOTHING, memory }
      const after = mergeResources(before, asked)
      updateCgroup(hierarchies, cgroup, { before, asked, after })
      before = after
    }
    for (const mib of [100n, 5n, 300n, -1n, 8n]) {
      const limit = mib < 0n ? mib : mib << 20n
      update(mib < 0n ? { limit } : { limit, swap: limit * 2n })
      const written = read(cgroup, 'memory', 'memory.limit_in_bytes')
      assert.is(mib < 0n ? BigInt(written) > 1n << 60n : BigInt(written) === limit, true, written)
    }
    assert.throws(
      () => update({ limit: 2n << 20n, swap: 1n << 20n }),
      /^linux\.resources\.memory\.swap: write "1048576" to .*memsw.limit_in_bytes: EINVAL: invalid argument$/,
    )
    assert.is(read(cgroup, 'memory', 'memory.limit_in_bytes'), `${8 << 20}`, 'the limit is as it was')
    removeCgroup(cgroup)
  },
  existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes') && !onV2,
)

real(
  'a limit that the kernel refuses: an error with its pointer, and nothing is left',
  () => {
    const value = onV2 ? { unified: { 'cgroup.max.depth': 'x' } } : { cpu: { cpus: '4095' } }
    const pointer = onV2
      ? /^linux\.resources\.unified\["cgroup.max.depth"\]: write "x" to /
      : /^linux\.resources\.cpu\.cpus: /
    assert.throws(() => create(value), pointer)
    assert.equal(nothingLeft(), [])
  },
  onV2 || hasV1('cpuset'),
)

real(
  'unified files are written on the unified hierarchy',
  () => {
    const cgroup = create({ unified: { 'cgroup.max.depth': '3' } })
    assert.is(read(cgroup, UNIFIED, 'cgroup.max.depth'), '3')
    removeCgroup(cgroup)
    assert.throws(
      () => create({ unified: { 'foo.bar': '1' } }),
      /^linux\.resources\.unified\["foo.bar"\]: .*no foo controller/,
    )
    assert.equal(nothingLeft(), [])
  },
  hierarchies.unified !== undefined,
)

real('processes enter, are listed, killed, and their folders removed with what they made below', () => {
  const cgroup = create()
  const one = sleeper(cgroup)
  for (const directory of folders(cgroup)) mkdirSync(`${directory}/a/b`, { recursive: true })
  const below = { ...cgroup, directories: withSuffix(cgroup, '/a/b') }
  for (const directory of folders(below).filter((each) => each.includes('/cpuset/'))) {
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const text = readFileSync(`${directory}/../../${file}`, 'utf8')
      writeFileSync(`${directory}/../${file}`, text)
      writeFileSync(`${directory}/${file}`, text)
    }
  }
  const two = sleeper(below)
  assert.equal(pidsOf(cgroup, { recursive: false }), [one.pid])
  assert.equal(pidsOf(cgroup, { recursive: true }).sort(), [one.pid, two.pid].sort())
  killCgroup(cgroup, SIGKILL)
  assert.equal(pidsOf(cgroup, { recursive: true }), [])
  removeCgroup(cgroup)
  assert.equal(nothingLeft(), [])
  assert.equal(pidsOf(cgroup, { recursive: true }), [])
  killCgroup(cgroup, SIGKILL) // and again does no harm
})

function withSuffix(cgroup: Cgroup, suffix: string): Record<string, string> {
  return Object.fromEntries(Object.entries(cgroup.directories).map(([name, directory]) => [name, directory + suffix]))
}

real('a signal reaches every process, and a paused container stays paused', () => {
  const cgroup = create()
  const [one, two] = [sleeper(cgroup), sleeper(cgroup)]
  killCgroup(cgroup, SIGTERM)
  assert.ok(waitUntil(() => !isRunning(one.pid) && !isRunning(two.pid), 2000))
  const three = sleeper(cgroup)
  freeze(cgroup)
  killCgroup(cgroup, SIGTERM)
  assert.ok(isFrozen(cgroup))
  thaw(cgroup)
  assert.ok(waitUntil(() => !isRunning(three.pid), 2000))
  removeCgroup(cgroup)
})

real(
  'without cgroup.kill: a group that forks all the time ends too, also when it is paused',
  () => {
    const cgroup = create()
    const { [UNIFIED]: _, ...v1 } = cgroup.directories
    for (const paused of [false, true]) {
      enter(cgroup, 'while :; do sleep 60 & (sleep 0.01); done')
      assert.ok(waitUntil(() => pidsOf(cgroup, { recursive: true }).length > 4, 2000))
      if (paused) freeze(cgroup)
      killCgroup({ ...cgroup, directories: v1 }, SIGKILL)
      assert.equal(pidsOf(cgroup, { recursive: true }), [])
    }
    removeCgroup(cgroup)
    assert.equal(nothingLeft(), [])
  },
  hasV1('freezer'),
)

real('freeze and thaw; SIGKILL ends a paused container', () => {
  const cgroup = create()
  const file = join(tmpdir(), `runt-freezer-${process.pid}`)
  enter(cgroup, `while :; do echo x >> ${file}; sleep 0.01; done`)
  assert.ok(waitUntil(() => existsSync(file), 2000))
  assert.not(isFrozen(cgroup))
  freeze(cgroup)
  freeze(cgroup)
  assert.ok(isFrozen(cgroup))
  const before = readFileSync(file, 'utf8').length
  sleep(100)
  assert.is(readFileSync(file, 'utf8').length, before)
  thaw(cgroup)
  assert.not(isFrozen(cgroup))
  assert.ok(waitUntil(() => readFileSync(file, 'utf8').length > before, 2000))
  freeze(cgroup)
  killCgroup(cgroup, SIGKILL)
  removeCgroup(cgroup)
  rmSync(file)
  assert.equal(nothingLeft(), [])
})

real('a cgroup above that is frozen: so is the container, and thawing it alone is an error', () => {
  const cgroup = create()
  sleeper(cgroup)
  const above: Cgroup = { ...planCgroup(hierarchies, PARENT) }
  freeze(above)
  assert.ok(waitUntil(() => isFrozen(cgroup), 1000))
  assert.throws(() => thaw(cgroup), /a cgroup above it is frozen/)
  thaw(above)
  assert.ok(waitUntil(() => !isFrozen(cgroup), 1000))
  killCgroup(cgroup, SIGKILL)
  removeCgroup(cgroup)
})

real('below a frozen cgroup none is made, in whichever hierarchy it is frozen', () => {
  const above = planCgroup(hierarchies, PARENT)
  for (const directory of folders(above)) mkdirSync(directory, { recursive: true })
  const switches = [
    ...(hasV1('freezer') ? [['freezer.state', 'FROZEN', 'THAWED'] as const] : []),
    ...(above.directories[UNIFIED] === undefined ? [] : [['cgroup.freeze', '1', '0'] as const]),
  ]
  for (const [name, on, off] of switches) {
    const file = folders(above)
      .map((directory) => `${directory}/${name}`)
      .find(existsSync)
    assert.ok(file, name)
    writeFileSync(file, on)
    const planned = plan()
    assert.throws(() => create({}, planned), /^linux\.cgroupsPath: container's cgroup unexpectedly frozen: /)
    assert.equal(folders(planned).filter(existsSync), [])
    writeFileSync(file, off)
    removeCgroup(create({}, planned))
  }
  for (const directory of folders(above)) rmdirSync(directory)
})

real('a cgroup in use or frozen is refused, untouched; an empty one is taken, and stays', () => {
  const planned = plan()
  for (const directory of folders(planned)) mkdirSync(directory, { recursive: true })
  const cgroup = create({}, planned)
  assert.equal(cgroup.made, [])
  const one = sleeper(cgroup)
  assert.throws(() => create({}, planned), /^linux\.cgroupsPath: container's cgroup is not empty: .* has 1 processes/)
  killCgroup(planned, SIGKILL) // what undoes a failed create: it must not touch what was there before
  assert.ok(isRunning(one.pid))
  killCgroup(cgroup, SIGKILL)
  freeze(cgroup)
  assert.throws(() => create({}, planned), /^linux\.cgroupsPath: container's cgroup unexpectedly frozen: /)
  thaw(cgroup)
  removeCgroup(cgroup)
  for (const directory of folders(planned)) assert.ok(existsSync(directory), directory)
  removeCgroup({ ...planned, made: folders(planned) })
  for (const directory of folders(planCgroup(hierarchies, PARENT))) rmdirSync(directory)
})

real("a delegated cgroup is its user's, with the files that are listed, and no other", () => {
  const cgroup = create()
  const folder = cgroup.directories[UNIFIED]
  if (folder === undefined) return console.log('skipped: a delegated cgroup (no cgroup2)')
  const list = join(tmpdir(), `runt-delegate-${process.pid}`)
  const owned = (uid: number) =>
    ['.', ...readdirSync(folder)].filter((name) => statSync(`${folder}/${name}`).uid === uid).sort()
  writeFileSync(list, 'cgroup.procs\nno.such.controller\ncgroup.events\n')
  delegateCgroup(cgroup, 4711, list)
  assert.equal(owned(4711), ['.', 'cgroup.events', 'cgroup.procs'])
  assert.is(statSync(folder).gid, 0)
  delegateCgroup(cgroup, 4712, '/nowhere/delegate') // an older kernel
  assert.equal(owned(4712), ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'])
  rmSync(list)
  removeCgroup(cgroup)
  assert.throws(() => delegateCgroup(cgroup, 4711), /^cgroup \S+: fchownat .*: ENOENT/)
})

real('what is still in use is named', () => {
  const cgroup = create()
  sleeper(cgroup)
  assert.throws(() => removeCgroup(cgroup), /still in use: .*runt-test/)
  killCgroup(cgroup, SIGKILL)
  removeCgroup(cgroup)
  assert.equal(nothingLeft(), [])
})

real('folders above that others use stay', () => {
  const [first, second] = [create(), create()]
  removeCgroup(first)
  for (const directory of folders(second)) assert.ok(existsSync(directory))
  removeCgroup(second)
  for (const directory of folders(planCgroup(hierarchies, PARENT))) rmdirSync(directory)
})

const rule = (
  allow: boolean,
  type: DeviceRule['type'],
  major?: number,
  minor?: number,
  access = 'rwm',
): DeviceRule => ({
  allow,
  type,
  major,
  minor,
  access,
})

real('devices: the default ones work, others do not, rules open and close', () => {
  const nodes = mkdtempSync(join(tmpdir(), 'runt-nodes-'))
  for (const [name, minor] of Object.entries({ null: 3, kmsg: 11 })) {
    assert.is(spawnSync('mknod', [join(nodes, name), 'c', '1', `${minor}`]).status, 0)
  }
  const canRead = (cgroup: Cgroup, name: string) => statusOf(cgroup, `exec 3< ${nodes}/${name}`) === 0
  const canWrite = (cgroup: Cgroup, name: string) => statusOf(cgroup, `exec 3> ${nodes}/${name}`) === 0
  const canMake = (cgroup: Cgroup, minor: number) =>
    statusOf(cgroup, `mknod ${nodes}/made c 1 ${minor} && rm ${nodes}/made`) === 0
  const cases: [readonly DeviceRule[], (cgroup: Cgroup) => readonly boolean[], readonly boolean[]][] = [
    [
      [],
      (it) => [canRead(it, 'null'), canWrite(it, 'null'), canRead(it, 'kmsg'), canMake(it, 11)],
      [true, true, false, true],
    ],
    [[rule(false, 'a')], (it) => [canRead(it, 'null'), canRead(it, 'kmsg')], [true, false]],
    [[rule(true, 'c', 1, 11, 'r')], (it) => [canRead(it, 'kmsg'), canWrite(it, 'kmsg')], [true, false]],
    [[rule(true, 'a')], (it) => [canRead(it, 'kmsg'), canWrite(it, 'kmsg')], [true, true]],
    [
      [rule(true, 'a'), rule(false, 'c', 1, 11, 'w')],
      (it) => [canRead(it, 'kmsg'), canWrite(it, 'kmsg')],
      [true, false],
    ],
  ]
  for (const [devices, ask, answer] of cases) {
    const cgroup = create({ devices })
    assert.equal(ask(cgroup), answer, JSON.stringify(devices))
    removeCgroup(cgroup)
  }
  rmSync(nodes, { recursive: true })
})

real(
  "v1's list reads as it was written",
  () => {
    const cgroup = create({ devices: [rule(false, 'a'), rule(true, 'c', 10, 229)] })
    const lines = read(cgroup, 'devices', 'devices.list').split('\n').sort()
    assert.is(lines.length, 12)
    assert.ok(lines.includes('c 10:229 rwm') && lines.includes('c 136:* rwm') && lines.includes('b *:* m'))
    removeCgroup(cgroup)
  },
  hasV1('devices'),
)

real(
  'a device program in place of an older one',
  () => {
    const cgroup = create({ devices: [rule(true, 'a')] })
    const directory = cgroup.directories[UNIFIED] ?? ''
    const canReadKmsg = () => statusOf(cgroup, 'exec 3< /dev/kmsg') === 0
    assert.ok(canReadKmsg())
    attachDeviceProgram(directory, [rule(false, 'a')], { fresh: false, rootless: false })
    assert.not(canReadKmsg())
    attachDeviceProgram(directory, [rule(true, 'a')], { fresh: false, rootless: false })
    assert.ok(canReadKmsg())
    removeCgroup(cgroup)
  },
  onV2 && existsSync('/dev/kmsg'),
)

test('a host without cgroups: nothing asked, nothing done; anything asked is an error', () => {
  const nowhere: Hierarchies = { mode: 'none', v1: [] }
  const planned = planCgroup(nowhere, '/x')
  const make = (resources: Partial<Resources>, rootless = false) =>
    createCgroup(nowhere, planned, { ...NOTHING, ...resources }, { rootless })
  const cgroup = make({})
  assert.equal(cgroup, { mode: 'none', path: '/x', directories: {}, made: [] })
  assert.equal(joinPoints(cgroup), { procs: [], v2Directory: undefined, awaited: false })
  assert.equal([isFrozen(cgroup), pidsOf(cgroup, { recursive: true })], [false, []])
  killCgroup(cgroup, SIGKILL)
  killCgroup(cgroup, SIGTERM)
  removeCgroup(cgroup)
  assert.throws(() => freeze(cgroup), /no freezer/)
  assert.throws(() => make({ pids: { limit: 1n } }), /^linux\.resources\.pids\.limit: no cgroup hierarchy/)
  assert.throws(() => make({ devices: [rule(false, 'a')] }), /^linux\.resources\.devices: no cgroup hierarchy/)
  make({ devices: [rule(false, 'a')] }, true)
  assert.throws(() => make({ pids: { limit: 1n } }, true), /no cgroup hierarchy/)
})

if (asRoot && !onV2) {
  test('the same on a host with cgroup v2 alone', () => {
    const again = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)]
    const script = 'mount -t cgroup2 none /sys/fs/cgroup || exit 77; exec "$@"'
    const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...again], {
      encoding: 'utf8',
    })
    if (status === 77 || status === null) return console.log('skipped: no private cgroup2 mount here')
    assert.is(status, 0, `${stdout}${stderr}`)
    console.log(stdout)
  })
}

test.run()
