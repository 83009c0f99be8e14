// The systemd manager with a real systemd: what it is told, what it keeps, and what happens when it isn't there. On cgroup v2 or a
// hybrid tree, of a machine that systemd has booted, or of a world (world.sh); a file of tests of its own, if run there.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, failed, Ground, succeeded } from '../box.ts'
import { linkBuilt, missingForTests } from '../built.ts'
import { Saved } from '../checkpoint.ts'
import { waitUntil } from '../patience.ts'
import { findRuntime } from '../runtime.ts'

const CGROUPS = '/sys/fs/cgroup'
const MIB = 1024 * 1024
const FUSE = { type: 'c', path: '/dev/fuse', major: 10, minor: 229, fileMode: 0o666 }
const NOTHING = { allow: false, access: 'rwm' }
const MAY_OPEN = { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' }
const OPEN = '(: < /dev/fuse) 2>&1 && echo opened'

/** What a version of cgroups has for the same limits. */
interface Tree {
  readonly controllers: readonly string[]
  /** Files of the container's cgroup, below its folder in the hierarchy (v1), or in the one (v2). */
  readonly files: readonly string[]
  /** What config.json says beyond the common. */
  readonly more: object
  /** What the unit has then. */
  readonly properties: Readonly<Record<string, string>>
  /** What it has after an update of memory, cpu-quota, pids-limit and cpu-share. */
  readonly updated: Readonly<Record<string, string>>
}

const V2: Tree = {
  controllers: ['memory', 'cpu', 'cpuset', 'io', 'pids', 'hugetlb'],
  files: ['memory.max', 'memory.high', 'memory.low', 'memory.swap.max', 'cpu.weight', 'cpu.max', 'cpuset.cpus'].concat([
    ...['cpuset.mems', 'io.max', 'io.weight', 'pids.max', 'hugetlb.2MB.max'],
  ]),
  more: { unified: { 'memory.high': `${90 * MIB}` }, hugepageLimits: [{ pageSize: '2MB', limit: 4 * MIB }] },
  properties: {
    ...{
      MemoryMax: `${100 * MIB}`,
      MemoryLow: `${50 * MIB}`,
      MemoryHigh: `${90 * MIB}`,
      MemorySwapMax: `${100 * MIB}`,
    },
    ...{ CPUWeight: '59', AllowedCPUs: '0-1', AllowedMemoryNodes: '0', IOWeight: '4950' },
  },
  updated: { MemoryMax: `${80 * MIB}`, CPUQuotaPerSecUSec: '200ms', TasksMax: 'infinity', CPUWeight: '100' },
}

const V1: Tree = {
  controllers: ['memory', 'cpu', 'cpuset', 'blkio', 'pids'],
  files: [
    'memory/memory.limit_in_bytes',
    'memory/memory.soft_limit_in_bytes',
    'cpu/cpu.shares',
    'cpu/cpu.cfs_quota_us',
  ].concat([
    ...['cpu/cpu.cfs_period_us', 'cpuset/cpuset.cpus', 'blkio/blkio.throttle.read_bps_device', 'pids/pids.max'],
  ]),
  more: {},
  properties: { MemoryLimit: `${100 * MIB}`, CPUShares: '512', BlockIOWeight: '500' },
  updated: { MemoryLimit: `${80 * MIB}`, CPUQuotaPerSecUSec: '200ms', TasksMax: 'infinity', CPUShares: '1024' },
}

const TREE = existsSync(`${CGROUPS}/cgroup.controllers`) ? V2 : V1

/** Why limits can't be tried here: a controller is in a hierarchy of v1 that the machine has beside this tree. */
function missingController(): string | undefined {
  const there = (name: string) =>
    TREE === V1
      ? existsSync(`${CGROUPS}/${name}`)
      : readFileSync(`${CGROUPS}/cgroup.controllers`, 'utf8').split(/\s/).includes(name)
  const name = TREE.controllers.find((each) => !there(each))
  return name === undefined ? undefined : `this tree has no controller ${name}`
}

const reason = missingForTests()
if (reason === undefined) {
  const folder = mkdtempSync(`${tmpdir()}/runt-systemd-`)
  chmodSync(folder, 0o755)
  const runtime = findRuntime(linkBuilt(`${folder}/runtime`))
  const ground = new Ground({ ...runtime, command: [...runtime.command, '--systemd-cgroup'] })
  declareTests(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
} else {
  console.log(`skipped: ${reason}`)
  test.skip(`systemd (${reason})`, () => {})
}

function systemctl(...words: string[]): string {
  return spawnSync('systemctl', words, { encoding: 'utf8' }).stdout.trim()
}

/** Properties of a unit, those with several values joined by blanks. */
function shown(unit: string, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of systemctl('show', unit, ...names.flatMap((name) => ['-p', name])).split('\n')) {
    const [name = '', ...rest] = line.split('=')
    found[name] = [found[name], rest.join('=')].filter(Boolean).join(' ')
  }
  return found
}

function unitOf(box: Box): string {
  return `runt-${box.id}.scope`
}

function limitsOf(box: Box): Record<string, string> {
  const place = (file: string) => (TREE === V1 ? file.replace('/', `${box.cgroup}/`) : `${box.cgroup.slice(1)}/${file}`)
  const there = TREE.files.filter((file) => existsSync(`${CGROUPS}/${place(file)}`)) // io.weight takes a scheduler
  return Object.fromEntries(there.map((file) => [file, readFileSync(`${CGROUPS}/${place(file)}`, 'utf8').trim()]))
}

/** From /proc/PID/cgroup: the place in the unified hierarchy, which systemd uses on either tree. */
function unifiedOf(text: string): string | undefined {
  return /^0::(.*)$/m.exec(text)?.[1]
}

function disk(): { readonly major: number; readonly minor: number } {
  const name = ['vda', 'sda', 'nvme0n1'].find((each) => existsSync(`/sys/class/block/${each}/dev`)) ?? 'vda'
  const [major = 0, minor = 0] = readFileSync(`/sys/class/block/${name}/dev`, 'utf8').split(':').map(Number)
  return { major, minor }
}

/** A scope of somebody else's, with a process that sleeps. */
function strangeScope(unit: string, ...words: string[]): ChildProcess {
  const command = ['--scope', `--unit=${unit}`, '--quiet', ...words, 'sleep', '1000']
  return spawn('systemd-run', command, { stdio: 'ignore' })
}

async function active(unit: string): Promise<void> {
  await waitUntil(() => systemctl('is-active', unit) === 'active', `${unit} does not become active`)
}

function declareTests(ground: Ground): void {
  const { major, minor } = disk()
  const resources = {
    devices: [NOTHING, MAY_OPEN],
    memory: { limit: 100 * MIB, reservation: 50 * MIB, swap: 200 * MIB },
    cpu: { shares: 512, quota: 25_000, period: 50_000, cpus: '0-1', mems: '0' },
    pids: { limit: 33 },
    blockIO: { weight: 500, throttleReadBpsDevice: [{ major, minor, rate: MIB }] },
    ...TREE.more,
  }
  const lack = missingController()
  if (lack !== undefined) console.log(`skipped: limits by systemd: ${lack}`)
  const limiting = lack === undefined ? test : test.skip
  const DEVICES = { '/linux/devices': [FUSE], '/linux/resources': { devices: resources.devices } }
  const LIMITED = { '/linux/devices': [FUSE], '/linux/resources': resources }

  limiting('the scope has what config.json says', async () => {
    await using box = new Box(ground)
    await box.launch('sleep 1000', LIMITED)
    const expected = {
      ...{ ActiveState: 'active', Slice: 'system.slice', Delegate: 'yes', DefaultDependencies: 'no' },
      ...{ ControlGroup: box.cgroup, Description: `runt container ${box.id}` },
      ...{ CPUQuotaPerSecUSec: '500ms', CPUQuotaPeriodUSec: '50ms', TasksMax: '33', DevicePolicy: 'strict' },
      ...{ [TREE === V1 ? 'BlockIOReadBandwidth' : 'IOReadBandwidthMax']: `/dev/block/${major}:${minor} ${MIB}` },
      ...TREE.properties,
    }
    assert.equal(shown(unitOf(box), Object.keys(expected)), expected)
    const { DeviceAllow: allowed = '' } = shown(unitOf(box), ['DeviceAllow'])
    assert.match(allowed, '/dev/char/10:229 rwm')
    assert.match(allowed, '/dev/char/1:3 rwm')
    assert.not.match(allowed, 'char-* r')
  })

  test('nothing changes when systemd reads its units anew', async () => {
    await using box = new Box(ground)
    await box.launch('sleep 1000', lack === undefined ? LIMITED : DEVICES)
    const tried = async () => succeeded(await box.command(['exec', box.id, 'sh', '-c', OPEN])).stdout
    const before = limitsOf(box)
    if (lack === undefined && TREE === V2) assert.is(before['hugetlb.2MB.max'], `${4 * MIB}`)
    systemctl('daemon-reload')
    assert.equal(limitsOf(box), before)
    assert.match(await tried(), 'opened')
    const more = lack === undefined ? { pids: { limit: 20 }, memory: { limit: 80 * MIB } } : {}
    writeFileSync(box.path('more.json'), JSON.stringify({ devices: [NOTHING], ...more }))
    succeeded(await box.command(['update', '--resources', box.path('more.json'), box.id]))
    const updated = limitsOf(box)
    for (const round of ['after the update', 'after a reload']) {
      assert.match((await box.command(['exec', box.id, 'sh', '-c', OPEN])).stdout, 'Operation not permitted', round)
      systemctl('daemon-reload')
      assert.equal(limitsOf(box), updated, round)
    }
    writeFileSync(box.path('more.json'), JSON.stringify({ devices: [NOTHING, MAY_OPEN] }))
    succeeded(await box.command(['update', '--resources', box.path('more.json'), box.id]))
    systemctl('daemon-reload')
    assert.match(await tried(), 'opened')
  })

  limiting('update changes the properties, and one that fails changes none', async () => {
    await using box = new Box(ground)
    await box.launch('sleep 1000', LIMITED)
    const { updated } = TREE
    const names = Object.keys(updated)
    const flags = ['--memory', `${80 * MIB}`, '--cpu-quota', '10000', '--pids-limit=-1', '--cpu-share', '1024']
    succeeded(await box.command(['update', ...flags, box.id]))
    assert.equal(shown(unitOf(box), names), updated)
    const before = limitsOf(box)
    failed(await box.command(['update', '--memory', `${70 * MIB}`, '--cpuset-cpus', '4000', box.id]))
    assert.equal(shown(unitOf(box), names), updated)
    assert.equal(limitsOf(box), before)
  })

  test('its life is that of the container', async () => {
    await using box = new Box(ground)
    await box.launch('sleep 1000')
    assert.is(systemctl('is-active', unitOf(box)), 'active')
    succeeded(await box.command(['pause', box.id]))
    assert.is((await box.state()).status, 'paused')
    succeeded(await box.command(['resume', box.id]))
    const { stdout } = succeeded(await box.command(['exec', box.id, 'sh', '-c', 'sleep 0; cat /proc/self/cgroup']))
    assert.is(unifiedOf(stdout), box.cgroup)
    await box.kill('KILL')
    await box.waitForStatus('stopped')
    await box.delete()
    assert.is(shown(unitOf(box), ['LoadState']).LoadState, 'not-found')
    box.assertNothingLeft()
  })

  test('a record with a unit that systemd does not know, or would refuse, is no hindrance', async () => {
    for (const unit of ['nobody.scope', 'a@b.scope', '.scope', 'a/b.scope', 'a.service']) {
      await using box = new Box(ground)
      await box.create()
      await box.kill('KILL')
      await box.waitForStatus('stopped')
      const file = `${box.stateRoot}/${box.id}/state.json`
      const record = JSON.parse(readFileSync(file, 'utf8')) as { cgroup: { scope: object } }
      record.cgroup.scope = { unit, kind: 'system' }
      writeFileSync(file, JSON.stringify(record))
      await box.delete('--force')
      assert.equal(box.records(), [], unit)
      systemctl('stop', unitOf(box))
    }
  })

  test('a container that was only created goes with its scope', async () => {
    await using box = new Box(ground)
    await box.create()
    assert.is(systemctl('is-active', unitOf(box)), 'active')
    await box.delete()
    assert.is(shown(unitOf(box), ['LoadState']).LoadState, 'not-found')
  })

  test('a foreground run leaves nothing, and its own processes stay outside', async () => {
    await using box = new Box(ground)
    assert.is(unifiedOf(await box.sh('cat /proc/self/cgroup')), box.cgroup)
    assert.is(shown(unitOf(box), ['LoadState']).LoadState, 'not-found')
    box.assertNothingLeft()
  })

  test('annotations are properties, and others are refused', async () => {
    await using box = new Box(ground)
    const annotated = {
      'org.systemd.property.TimeoutStopSec': '7',
      'org.systemd.property.CollectMode': "'inactive-or-failed'",
      'org.systemd.property.After': "['dbus.service']",
    }
    await box.create({ '/annotations': annotated })
    const { TimeoutStopUSec, CollectMode, After = '' } = shown(unitOf(box), ['TimeoutStopUSec', 'CollectMode', 'After'])
    assert.equal([TimeoutStopUSec, CollectMode], ['7s', 'inactive-or-failed'])
    assert.match(After, 'dbus.service')
    await box.delete()
    const said = await box.rejected({ '/annotations': { 'org.systemd.property.ExecStopPost': "'/bin/true'" } })
    assert.match(said, /org\.systemd\.property\.ExecStopPost.*: not a property that a container may set/)
  })

  test('slices below slices, and names of all forms', async () => {
    await using box = new Box(ground)
    await box.create({ '/linux/cgroupsPath': `runttest-a.slice::${box.id}` })
    const expected = `/runttest.slice/runttest-a.slice/${box.id}.scope`
    assert.is(shown(`${box.id}.scope`, ['ControlGroup']).ControlGroup, expected)
    await box.delete()
    systemctl('stop', 'runttest.slice')
    for (const wrong of ['/a/b', 'a:b', 'a:b:c', 'a.slice:b:c.slice', 'system.slice:b:c@d', 'a@b.slice:c:d']) {
      assert.match(await box.rejected({ '/linux/cgroupsPath': wrong }), 'linux.cgroupsPath')
    }
  })

  const restoring = spawnSync('criu', ['check']).status === 0 ? test : test.skip
  if (restoring !== test) console.log('skipped: restore into a scope: there is no criu that works here')
  restoring('a restored container has a scope again, and the same limits in files and properties', async () => {
    await using box = new Box(ground)
    const saved = new Saved(box)
    await saved.launch(LIMITED)
    const look = () => {
      const names = 'ActiveState Slice Delegate ControlGroup MemoryMax MemoryHigh CPUWeight TasksMax DevicePolicy'
      return { files: limitsOf(box), unit: shown(unitOf(box), names.split(' ')) }
    }
    const before = look()
    assert.is(before.unit.TasksMax, '33')
    succeeded(await saved.checkpoint())
    assert.is(shown(unitOf(box), ['LoadState']).LoadState, 'not-found')
    await saved.restored()
    await saved.counts()
    assert.equal(look(), before)
    const { pid } = await box.state()
    assert.equal(readFileSync(`${CGROUPS}${box.cgroup}/cgroup.procs`, 'utf8').split('\n')[0], `${pid}`)
    systemctl('daemon-reload')
    assert.equal(limitsOf(box), before.files)
    await box.delete('--force')
    assert.is(shown(unitOf(box), ['LoadState']).LoadState, 'not-found')
  })

  test('what is left of a unit that failed is no hindrance', async () => {
    await using box = new Box(ground)
    const stranger = strangeScope(unitOf(box), '-p', 'RuntimeMaxSec=1')
    await waitUntil(() => systemctl('is-failed', unitOf(box)) === 'failed', 'the scope does not fail')
    await box.create()
    await box.delete()
    assert.is(shown(unitOf(box), ['LoadState']).LoadState, 'not-found')
    stranger.kill()
  })

  test("a container that outlived its unit's time is deleted with the failed unit", async () => {
    await using box = new Box(ground)
    const short = {
      'org.systemd.property.RuntimeMaxUSec': 'uint64 1000000',
      'org.systemd.property.TimeoutStopSec': '1',
    }
    await box.launch('sleep 1000', { '/annotations': short })
    await waitUntil(() => systemctl('is-failed', unitOf(box)) === 'failed', 'the scope does not fail')
    await box.waitForStatus('stopped')
    await box.delete()
    assert.is(shown(unitOf(box), ['LoadState']).LoadState, 'not-found')
    assert.is(await box.sh('echo again'), 'again')
  })

  test('a unit of that name is not touched, neither at create nor at delete', async () => {
    await using box = new Box(ground)
    const first = strangeScope(unitOf(box))
    await active(unitOf(box))
    assert.match(failed(await box.tryCreate()).stderr, `${unitOf(box)}: systemd has a unit of that name already`)
    assert.equal(box.records(), [])
    assert.is(systemctl('is-active', unitOf(box)), 'active')
    systemctl('stop', unitOf(box))
    first.kill()

    await box.launch('sleep 1000')
    await box.kill('KILL')
    await waitUntil(() => systemctl('is-active', unitOf(box)) !== 'active', 'the scope does not end')
    const second = strangeScope(unitOf(box))
    await active(unitOf(box))
    await box.delete()
    assert.is(systemctl('is-active', unitOf(box)), 'active')
    systemctl('stop', unitOf(box))
    second.kill()
  })

  test('what can not be had leaves no unit', async () => {
    await using box = new Box(ground)
    for (const edits of [
      { '/linux/resources': { cpu: { cpus: '4000' } } },
      { '/linux/resources': { unified: { 'memory.nothing': '1' } } },
      { '/process/args': ['/nonexistent'] },
      { '/mounts/-': { destination: '/x', type: 'nothing', source: 'x' } },
    ]) {
      await box.rejected(edits)
      assert.is(shown(unitOf(box), ['LoadState']).LoadState, 'not-found', JSON.stringify(edits))
    }
  })

  test('a create that was killed on the way leaves nothing that a forced delete does not find', async () => {
    await using box = new Box(ground)
    box.configure({})
    const [program = '', ...flags] = ground.runtime.command
    const words = [...flags, '--root', box.stateRoot, 'create', '--bundle', box.bundle, box.id]
    const started = performance.now()
    await box.create()
    const whole = performance.now() - started
    await box.delete()
    let unfinished = 0
    // The first one took longer than those will that come after it.
    for (let delay = whole / 20; delay < whole; delay += whole / 20) {
      const child = spawn(program, words, { stdio: 'ignore' })
      const ended = new Promise((resolve) => child.on('exit', resolve))
      await sleep(delay)
      if (child.kill('SIGKILL')) unfinished++
      await ended
      await box.delete('--force')
      const isGone = () => shown(unitOf(box), ['LoadState']).LoadState === 'not-found'
      await waitUntil(isGone, `the unit is left, killed after ${delay} ms`)
      box.assertNothingLeft()
    }
    assert.ok(unfinished > 2, `only ${unfinished} were killed on the way`)
  })

  const UNREACHABLE = { env: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' } }

  test('without a bus nothing is made, and a delete makes do', async () => {
    await using box = new Box(ground)
    const { stderr } = failed(await box.tryCreate({}, [], UNREACHABLE))
    assert.match(stderr, /systemd of this machine: connect .*ENOENT[\s\S]*Without --systemd-cgroup/)
    box.assertNothingLeft()
    await box.launch('sleep 1000')
    const { stderr: warning } = succeeded(await box.command(['delete', '--force', box.id], UNREACHABLE))
    assert.match(warning, `${unitOf(box)} is removed without systemd`)
    box.assertNothingLeft()
    await waitUntil(() => systemctl('is-active', unitOf(box)) !== 'active', 'systemd does not hear of it')
  })

  test("a machine without a broker is asked by systemd's own socket", async () => {
    await using box = new Box(ground)
    const hidden = 'mount -t tmpfs none /run/dbus'
    const result = succeeded(await box.runPrepared(hidden, { '/process/args': ['cat', '/proc/self/cgroup'] }))
    assert.is(unifiedOf(result.stdout), box.cgroup)
    assert.is(shown(unitOf(box), ['LoadState']).LoadState, 'not-found')
  })

  /** What an engine does for an ordinary user: everything in one user namespace, in which the user is root. */
  const AS_USER =
    'setpriv --reuid=1000 --regid=1000 --init-groups --reset-env env XDG_RUNTIME_DIR=/run/user/1000 unshare -Umr sh -c'

  const noUser =
    TREE === V1
      ? 'the systemd of a user has cgroups of its own on cgroup v2 alone'
      : existsSync('/run/user/1000/bus')
        ? undefined
        : 'no systemd of a user 1000 here'
  if (noUser !== undefined) console.log(`skipped: the scope of an ordinary user: ${noUser}`)
  const forUser = noUser === undefined ? test : test.skip
  forUser("the scope of an ordinary user is the user's systemd's", async () => {
    await using box = new Box(ground)
    const map = [{ containerID: 0, hostID: 0, size: 1 }]
    box.configure({
      '/process/args': ['sleep', '1000'],
      '/mounts': [],
      '/linux/maskedPaths': [],
      '/linux/readonlyPaths': [],
      '/linux/cgroupsPath': `user.slice:runt:${box.id}`,
      '/linux/namespaces': ['pid', 'uts', 'ipc', 'mount', 'cgroup', 'user'].map((type) => ({ type })),
      '/linux/uidMappings': map,
      '/linux/gidMappings': map,
      '/linux/resources': lack === undefined ? { memory: { limit: 100 * MIB }, pids: { limit: 33 } } : {},
    })
    spawnSync('chown', ['-hR', '1000:1000', box.folder])
    const runt = `${ground.runtime.command.join(' ')} --root ${box.path('users')}`
    const show = `systemctl --user show ${unitOf(box)}`
    const limited = [`${show} -p MemoryMax -p TasksMax`, `${runt} update --memory ${50 * MIB} ${box.id}`].concat([
      `${show} -p MemoryMax`,
    ])
    const script = [
      'set -e',
      `${runt} create --bundle ${box.bundle} ${box.id} </dev/null >/dev/null`,
      `${show} -p ControlGroup`,
      `${runt} start ${box.id}`,
      `${runt} exec ${box.id} true`,
      ...(lack === undefined ? limited : []),
      `${runt} delete --force ${box.id}`,
      `${show} -p LoadState`,
    ]
    const [program = '', ...words] = AS_USER.split(' ')
    const { stdout, stderr, status } = spawnSync(program, [...words, script.join('\n')], { encoding: 'utf8' })
    assert.is(status, 0, stderr)
    const own = `/user.slice/user-1000.slice/user@1000.service/user.slice/${unitOf(box)}`
    const limits = [`MemoryMax=${100 * MIB}`, 'TasksMax=33', `MemoryMax=${50 * MIB}`]
    const lines = [...(lack === undefined ? limits : []), `ControlGroup=${own}`, 'LoadState=not-found']
    assert.equal(stdout.trim().split('\n').sort(), lines.sort())
  })

  test('features says so', async () => {
    await using box = new Box(ground)
    const { linux } = JSON.parse(succeeded(await box.command(['features'])).stdout) as { linux: { cgroup: object } }
    assert.match(JSON.stringify(linux.cgroup), '"systemd":true,"systemdUser":true')
  })
}

test.run()
