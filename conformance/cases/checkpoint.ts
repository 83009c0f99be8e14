// checkpoint and restore: not in the specification, and what engines and users of runc expect of them.

import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import type { Box } from '../box.ts'
import { failed, succeeded } from '../box.ts'
import { type Edits, NAMESPACES } from '../bundle.ts'
import { assertDeviceUntouched } from '../canary.ts'
import { check, skip } from '../case.ts'
import { COUNTER, canServeLazyPages, hasResourceRight, OWN_STREAMS, requireFeature, Saved } from '../checkpoint.ts'

const onlyRunt = (box: Box, reason: string): void => {
  if (box.runtime.name !== 'runt') skip(reason)
}

check('K6', 'a checkpoint ends the container, and restore goes on where it was', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  succeeded(await saved.checkpoint())
  const before = await saved.standsStill()
  assert.ok(before > 0)
  box.assertNothingLeft()
  const pidFile = box.path('pid')
  await saved.restored('--pid-file', pidFile)
  assert.ok((await saved.counts(before)) > before)
  const state = await box.state()
  assert.is(state.status, 'running')
  assert.is(`${state.pid}`, readFileSync(pidFile, 'utf8'))
  const { stdout } = succeeded(await box.command(['exec', box.id, 'sh', '-c', 'ls /data; cat /proc/1/comm']))
  assert.match(stdout, /^\d+\nsh\n$/)
  await box.kill('KILL')
  await box.waitForStatus('stopped')
  await box.delete()
  box.assertNothingLeft()
})

check('K6', 'a container is restored as often as one likes, and checkpointed again', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  for (let round = 0; round < 2; round++) {
    succeeded(await saved.checkpoint())
    const before = await saved.standsStill()
    await saved.restored()
    await saved.counts(before)
  }
  await box.delete('--force')
  const before = saved.count()
  await saved.restored()
  await saved.counts(before - 1)
})

check('K6', '--leave-running leaves it running', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  const { pid } = await box.state()
  succeeded(await saved.checkpoint('--leave-running'))
  const state = await box.state()
  assert.is(state.status, 'running')
  assert.is(state.pid, pid)
  await saved.counts()
  await box.delete('--force')
  await saved.restored()
  await saved.counts()
})

check('K6', 'pre-dumps leave less for the checkpoint to write', async (box) => {
  requireFeature(box, 'mem_dirty_track')
  const saved = new Saved(box)
  // A process with some memory that it doesn't change, and that none of those has that the counter forks all the time.
  const holder = '(big=$(head -c 4000000 /dev/zero | tr "\\0" x); sleep 1000 & : >/tmp/held; wait) &'
  await saved.launch({}, `${holder} until test -e /tmp/held; do sleep 0.01; done; ${COUNTER}`)
  const folders = ['first', 'second', 'last'].map((name) => box.path(name))
  const [first = '', second = '', last = ''] = folders
  succeeded(await saved.checkpoint('--image-path', first, '--pre-dump'))
  await saved.counts()
  succeeded(await saved.checkpoint('--image-path', second, '--pre-dump', '--parent-path', '../first'))
  await saved.counts()
  succeeded(await saved.checkpoint('--image-path', last, '--parent-path', '../second'))
  const [whole = 0, part = 0] = [pagesIn(first), pagesIn(last)]
  assert.ok(whole > 4_000_000 && part < whole / 2, `${whole} bytes first, ${part} bytes last`)
  const before = await saved.standsStill()
  await saved.restored('--image-path', last)
  await saved.counts(before)
})

/** Bytes of memory that were written. */
function pagesIn(folder: string): number {
  return readdirSync(folder)
    .filter((name) => name.startsWith('pages-'))
    .reduce((sum, name) => sum + readFileSync(`${folder}/${name}`).length, 0)
}

check('K6', '--parent-path must lead to a folder, from the images', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  for (const parent of ['/tmp', '../nowhere', '../bundle/config.json']) {
    const { stderr } = failed(await saved.checkpoint('--parent-path', parent))
    assert.match(stderr, /--parent-path/)
  }
  assert.is((await box.state()).status, 'running')
})

check('K6', 'restore in the foreground ends as the program does, and deletes the container', async (box) => {
  const saved = new Saved(box)
  await saved.launch({}, `trap 'exit 7' TERM; ${COUNTER}`)
  succeeded(await saved.checkpoint())
  const before = await saved.standsStill()
  const restored = saved.restore()
  await saved.counts(before)
  await box.waitForStatus('running')
  await box.kill('TERM')
  assert.is((await restored).status, 7)
  box.assertNothingLeft()
})

check('K6', 'a program that a signal ends gives 128 and its number in the foreground', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  succeeded(await saved.checkpoint())
  const before = await saved.standsStill()
  const restored = saved.restore()
  await saved.counts(before)
  await box.waitForStatus('running')
  await box.kill('KILL')
  assert.is((await restored).status, 128 + 9)
  box.assertNothingLeft()
})

check('K6', 'limits, hostname and root are those of the bundle', async (box) => {
  const saved = new Saved(box)
  await saved.launch({
    '/linux/resources/memory': { limit: 64 << 20 },
    '/linux/resources/pids': { limit: 4 },
  })
  succeeded(await saved.checkpoint())
  await saved.restored()
  await saved.counts()
  assert.is(limit(box, 'memory/memory.limit_in_bytes', 'memory.max'), `${64 << 20}`)
  assert.is(limit(box, 'pids/pids.max', 'pids.max'), '4')
  await assertInCgroup(box)
  const { stdout } = succeeded(await box.command(['exec', box.id, 'hostname']))
  assert.is(stdout.trim(), 'conformance')
})

const IS_V2 = existsSync('/sys/fs/cgroup/cgroup.procs')

/** @param v1 controller and file; @param v2 the file on a machine that has only v2 */
function limit(box: Box, v1: string, v2: string): string {
  const [controller = '', file = ''] = v1.split('/')
  return IS_V2 ? readFileSync(`/sys/fs/cgroup${box.cgroup}/${v2}`, 'utf8').trim() : box.knob(controller, file)
}

async function assertInCgroup(box: Box): Promise<void> {
  const { pid } = await box.state()
  const places = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')
  for (const place of places) assert.ok(place.endsWith(`:${box.cgroup}`), place)
}

for (const mode of ['ignore', 'soft', 'full']) {
  check('K6', `with --manage-cgroups-mode ${mode} it is in its cgroup again`, async (box) => {
    const saved = new Saved(box)
    await saved.launch()
    succeeded(await saved.checkpoint('--manage-cgroups-mode', mode))
    await saved.restored('--manage-cgroups-mode', mode)
    await saved.counts()
    await assertInCgroup(box)
  })
}

check('K6', 'binds of folders and files and masks are there again', async (box) => {
  const saved = new Saved(box)
  const volume = box.path('volume')
  mkdirSync(volume)
  writeFileSync(`${volume}/file`, 'of the host')
  const bind = (destination: string, source: string, ...options: string[]) => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', ...options],
  })
  await saved.launch({
    '/mounts': [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/run', type: 'tmpfs', source: 'tmpfs' },
      bind('/run/deep/volume', volume),
      bind('/etc/one', `${volume}/file`, 'ro'),
    ],
    '/linux/maskedPaths': ['/proc/kcore', '/proc/keys', '/proc/scsi', '/etc/group', '/tmp'],
  })
  succeeded(await box.command(['exec', box.id, 'sh', '-c', 'echo kept >/run/kept']))
  const look = `cat /run/kept /etc/one /run/deep/volume/file; echo; wc -c </etc/group; ls /tmp | wc -l
    touch /etc/one 2>&1; echo new >/run/deep/volume/new`
  const seen = async () => (await box.command(['exec', box.id, 'sh', '-c', look])).stdout
  const before = await seen()
  assert.match(before, /^kept\nof the hostof the host\n0\n0\n.*Read-only.*\n$/)
  succeeded(await saved.checkpoint())
  rmSync(`${volume}/new`)
  await saved.restored()
  await saved.counts()
  assert.is(await seen(), before)
  assert.is(readFileSync(`${volume}/new`, 'utf8'), 'new\n')
})

check('K6', "what is done to a mask that is there again doesn't change the host's null device", async (box) => {
  const saved = new Saved(box)
  await saved.launch({ '/linux/maskedPaths': ['/proc/keys'] })
  succeeded(await saved.checkpoint())
  await saved.restored()
  await assertDeviceUntouched('/dev/null', async () => {
    const { stdout } = await box.command(['exec', box.id, 'sh', '-c', 'chmod 606 /proc/keys 2>&1; cat /proc/keys'])
    assert.match(stdout, /^chmod: .*Read-only file system\n$/)
  })
})

for (const [title, edits] of [
  ['', {}],
  [' in a user namespace', userNamespace(0)],
] as const) {
  check('K6', `every mask is read-only again${title}`, async (box) => {
    const saved = new Saved(box)
    await saved.launch({
      ...edits,
      '/linux/maskedPaths': ['/proc/keys', '/proc/timer_list', '/proc/kcore', '/proc/fs'],
    })
    const read = async () => {
      const { stdout } = succeeded(await box.command(['exec', box.id, 'grep', ' /proc/', '/proc/1/mountinfo']))
      const lines = stdout.trim().split('\n')
      return lines
        .map((line) => line.split(' ').slice(4, 6))
        .map(([place, flags]) => `${place} ${flags?.split(',')[0]}`)
        .sort()
    }
    const before = await read()
    assert.ok(before.length >= 4, before.join('\n'))
    assert.ok(before.every((line) => line.endsWith(' ro')) || box.runtime.name !== 'runt', before.join('\n'))
    succeeded(await saved.checkpoint())
    await saved.restored()
    assert.equal(await read(), before)
  })
}

check('K6', "a container restored without a pivot has none of the host's mounts", async (box) => {
  const saved = new Saved(box)
  const names = ['CAP_SETFCAP']
  await saved.launch({
    '/linux/maskedPaths': ['/proc/keys'],
    '/process/capabilities': { bounding: names, permitted: names, effective: names },
  })
  succeeded(await saved.checkpoint())
  await saved.restored('--no-pivot')
  await saved.counts()
  const nested = `unshare -Urpfm sh -c 'mount -t tmpfs t /mnt && echo nested; mount -t proc p /tmp' 2>&1`
  const { stdout } = await box.command(['exec', box.id, 'sh', '-c', nested])
  assert.match(stdout, /^nested\n.*permission denied/)
})

check('K6', 'read-only paths are there again', async (box) => {
  const saved = new Saved(box)
  await saved.launch({ '/linux/readonlyPaths': ['/proc/sys', '/root'] })
  succeeded(await saved.checkpoint())
  await saved.restored()
  for (const path of ['/root/x', '/proc/sys/kernel/domainname']) {
    const { stderr } = failed(await box.command(['exec', box.id, 'sh', '-c', `echo x >${path}`]))
    assert.match(stderr, /Read-only/)
  }
})

check('K6', 'a fresh copy of the image gets the mount points that it lacks', async (box) => {
  const saved = new Saved(box)
  const other = box.path('other')
  // As an engine does that restores elsewhere: the same config, another root file system.
  cpSync(box.bundle, other, { recursive: true, verbatimSymlinks: true })
  writeFileSync(box.path('file'), 'of the host\n')
  await box.launch(`${OWN_STREAMS}; while :; do sleep 0.05; done`, {
    '/mounts/-': { destination: '/opt/a/b', type: 'bind', source: box.path('file'), options: ['bind'] },
  })
  succeeded(await saved.checkpoint())
  assert.not.ok(existsSync(`${other}/rootfs/opt`))
  cpSync(`${box.bundle}/config.json`, `${other}/config.json`)
  await saved.restored('--bundle', other)
  const { stdout } = succeeded(await box.command(['exec', box.id, 'cat', '/opt/a/b']))
  assert.is(stdout, 'of the host\n')
})

check('K6', 'a cgroup mount is there again, with a cgroup namespace and without', async (box) => {
  const mount = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] }
  const file = `/sys/fs/cgroup/${IS_V2 ? '' : 'pids/'}cgroup.procs`
  // On v2 the mount shows the whole tree when there is no namespace.
  for (const namespaces of [...(IS_V2 ? [] : [NAMESPACES]), [...NAMESPACES, { type: 'cgroup' }]]) {
    const saved = new Saved(box)
    await saved.launch({ '/mounts/-': mount, '/linux/namespaces': namespaces })
    succeeded(await saved.checkpoint())
    await saved.restored()
    await saved.counts()
    const { stdout } = succeeded(await box.command(['exec', box.id, 'cat', file]))
    assert.match(stdout, /^1$/m)
    await box.delete('--force')
  }
})

/** @param hostID of its root */
function userNamespace(hostID: number): Edits {
  const mappings = [{ containerID: 0, hostID, size: 65536 }]
  return {
    '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
    '/linux/uidMappings': mappings,
    '/linux/gidMappings': mappings,
  }
}

check('K6', 'a user namespace is there again', async (box) => {
  const saved = new Saved(box)
  await saved.launch(userNamespace(0))
  succeeded(await saved.checkpoint())
  const before = await saved.standsStill()
  await saved.restored()
  await saved.counts(before)
  const { stdout } = succeeded(await box.command(['exec', box.id, 'cat', '/proc/self/uid_map', '/proc/1/uid_map']))
  assert.match(stdout, /^(\s*0\s+0\s+65536\n){2}$/)
})

check('K6', 'other users and their ids are there again', async (box) => {
  // By prlimit(2) criu asks for limits, also of processes of other users.
  if (!hasResourceRight()) skip('criu needs CAP_SYS_RESOURCE, which is not here')
  const saved = new Saved(box)
  chmodSync(`${box.rootfs}/data`, 0o777)
  await saved.launch({
    ...userNamespace(100_000),
    '/process/user': { uid: 1000, gid: 1000, additionalGids: [7] },
  })
  succeeded(await saved.checkpoint())
  // CRIU reads some of the images as the container's root.
  chmodSync(saved.images, 0o755)
  for (const name of readdirSync(saved.images)) chmodSync(`${saved.images}/${name}`, 0o644)
  const before = await saved.standsStill()
  await saved.restored()
  await saved.counts(before)
  const { stdout } = succeeded(await box.command(['exec', box.id, 'grep', '-E', '^(Uid|Groups)', '/proc/1/status']))
  assert.match(stdout, /^Uid:\s+1000\s+1000\s+1000\s+1000\nGroups:\s+7 ?\n$/)
})

check('K6', 'the loopback device of its own network namespace is on', async (box) => {
  onlyRunt(box, 'runc leaves it off')
  const saved = new Saved(box)
  await saved.launch()
  succeeded(await saved.checkpoint())
  await saved.restored()
  const { stdout } = succeeded(await box.command(['exec', box.id, 'ip', 'addr', 'show', 'lo']))
  assert.match(stdout, /LOOPBACK,UP.*\n.*\n.*127\.0\.0\.1/)
})

check('K6', 'clocks go on where they were', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  const uptime = async () => {
    const { stdout } = succeeded(await box.command(['exec', box.id, 'cat', '/proc/uptime']))
    return Number.parseFloat(stdout)
  }
  const started = performance.now()
  const before = await uptime()
  succeeded(await saved.checkpoint())
  await sleep(1500)
  await saved.restored()
  const passed = (await uptime()) - before
  const outside = (performance.now() - started) / 1000
  assert.ok(passed >= 0 && passed < outside - 1.4, `${passed} s, and ${outside} s outside`)
})

/** flock(1) of the host, with what it needs. */
const HOST_PROGRAMS = ['/usr', '/lib', '/lib64'].map((path) => ({
  destination: path,
  type: 'bind',
  source: path,
  options: ['rbind', 'ro'],
}))

const WITH_FLOCK: Edits = {
  '/mounts': [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
    ...HOST_PROGRAMS.filter(({ source }) => existsSync(source)),
  ],
}
const LOCKED = `exec /usr/bin/flock /data/lock sh -c '${COUNTER}'`

check(
  'K6',
  'a file lock is refused without --file-locks, and the container goes on; with it the lock is held again',
  async (box) => {
    if (!existsSync('/usr/bin/flock')) skip('needs flock(1)')
    const saved = new Saved(box)
    await saved.launch(WITH_FLOCK, LOCKED)
    const refused = failed(await saved.checkpoint())
    assert.is((await box.state()).status, 'running')
    await saved.counts()
    if (box.runtime.name === 'runt') {
      assert.match(refused.stderr, /criu failed: .*--file-locks/)
      assert.ok(refused.stderr.includes(`${saved.work}/dump.log`), refused.stderr)
    }
    succeeded(await saved.checkpoint('--file-locks'))
    await saved.restored('--file-locks')
    await saved.counts()
    const taken = await box.command(['exec', box.id, '/usr/bin/flock', '-n', '/data/lock', 'true'])
    assert.is(taken.status, 1)
  },
)

check('K6', 'what criu refuses leaves the container as it was, paused if it was', async (box) => {
  const saved = new Saved(box)
  // A connection, which needs a flag.
  const connected = 'nc -l -p 5000 -e sleep 100 & sleep 0.2; (sleep 100 | nc 127.0.0.1 5000) &'
  await saved.launch({}, `ip link set lo up; ${connected} sleep 0.2; ${COUNTER}`)
  failed(await saved.checkpoint())
  assert.is((await box.state()).status, 'running')
  await saved.counts()
  succeeded(await box.command(['pause', box.id]))
  failed(await saved.checkpoint())
  assert.is((await box.state()).status, 'paused')
  succeeded(await box.command(['resume', box.id]))
  await saved.counts()
})

check('K6', 'a paused container can be checkpointed, and runs when it is restored', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  succeeded(await box.command(['pause', box.id]))
  succeeded(await saved.checkpoint())
  box.assertNothingLeft()
  await saved.restored()
  await saved.counts()
})

check('K6', 'a container that does not run is not checkpointed', async (box) => {
  const saved = new Saved(box)
  assert.match(failed(await saved.checkpoint()).stderr, /does not exist/)
  await box.create({ '/process/args': ['true'] })
  assert.match(failed(await saved.checkpoint()).stderr, /created/)
  await box.start()
  await box.waitForStatus('stopped')
  assert.match(failed(await saved.checkpoint()).stderr, /stopped/)
  assert.not.ok(box.runtime.name === 'runt' && existsSync(saved.images), 'a folder of images')
})

check('K6', 'restore from a folder that is no checkpoint is an error and leaves nothing', async (box) => {
  const saved = new Saved(box)
  box.configure({ '/process/args': ['sleep', '60'] })
  const empty = box.path('empty')
  mkdirSync(empty)
  for (const path of [box.path('nowhere/at/all'), empty, `${box.bundle}/config.json`]) {
    const { stderr } = failed(await saved.restore('--detach', '--image-path', path))
    if (box.runtime.name === 'runt') assert.ok(stderr.includes(path), stderr)
    box.assertNothingLeft()
  }
  assert.not.ok(existsSync(box.path('nowhere')), 'the folder is there now')
  writeFileSync(`${empty}/descriptors.json`, '["","",""]')
  assert.match(failed(await saved.restore('--detach', '--image-path', empty)).stderr, /criu failed|inventory\.img/)
  box.assertNothingLeft()
})

check('K6', 'restore under an id that is taken is refused', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  succeeded(await saved.checkpoint('--leave-running'))
  assert.match(failed(await saved.restore('--detach')).stderr, /already exists/)
  assert.is((await box.state()).status, 'running')
})

check('K6', 'a bind whose source is gone is told by its place in the config, and nothing is left', async (box) => {
  onlyRunt(box, 'what criu says suffices others')
  const saved = new Saved(box)
  const volume = box.path('volume')
  mkdirSync(volume)
  await saved.launch({ '/mounts/-': { destination: '/mnt', type: 'bind', source: volume, options: ['bind'] } })
  succeeded(await saved.checkpoint())
  rmSync(volume, { recursive: true })
  assert.match(failed(await saved.restore('--detach')).stderr, /mounts\[5\] \(.*\): .*volume: .*ENOENT/)
  box.assertNothingLeft()
})

check('K6', 'hooks of the runtime run at restore, and a failing one undoes it', async (box) => {
  const saved = new Saved(box)
  const hook = (name: string) => [{ path: '/bin/sh', args: ['sh', '-c', `cat >>${box.path(name)}`] }]
  const edits = (createRuntime: object[]) => ({
    '/process/args': ['sh', '-c', `${OWN_STREAMS}; ${COUNTER}`],
    '/hooks': { prestart: hook('prestart'), createRuntime, poststop: hook('poststop') },
  })
  await saved.launch(edits(hook('createRuntime')))
  succeeded(await saved.checkpoint())
  for (const name of ['prestart', 'createRuntime', 'poststop']) rmSync(box.path(name))
  await saved.restored()
  await saved.counts()
  const { pid } = await box.state()
  for (const name of ['prestart', 'createRuntime']) {
    const state = JSON.parse(readFileSync(box.path(name), 'utf8'))
    assert.is(state.id, box.id)
    assert.is(state.pid, pid, name)
  }
  assert.not.ok(existsSync(box.path('poststop')))
  await box.delete('--force')
  assert.ok(existsSync(box.path('poststop')))
  box.configure(edits([{ path: '/bin/false' }]))
  const { stderr } = failed(await saved.restore('--detach'))
  if (box.runtime.name === 'runt') assert.match(stderr, /hooks\.createRuntime\[0\]/)
  box.assertNothingLeft()
  const before = saved.count()
  await sleep(100)
  assert.is(saved.count(), before, 'a process is left')
})

check('K6', 'the annotation org.criu.config names a file of further options', async (box) => {
  if (!existsSync('/usr/bin/flock')) skip('needs flock(1)')
  const saved = new Saved(box)
  const file = box.path('criu.conf')
  writeFileSync(file, '')
  await saved.launch({ ...WITH_FLOCK, '/annotations': { 'org.criu.config': file } }, LOCKED)
  failed(await saved.checkpoint())
  writeFileSync(file, '# as the flag\nfile-locks\n')
  succeeded(await saved.checkpoint())
})

/** A port of this case's own. */
function portOf({ id }: Box): number {
  return 20_000 + ((process.pid * 100 + Number(id.slice(id.lastIndexOf('-') + 1))) % 20_000)
}

check('K6', 'memory can go to a page server', async (box) => {
  const saved = new Saved(box)
  const pages = box.path('pages')
  mkdirSync(pages)
  const port = portOf(box)
  await saved.launch()
  const words = ['page-server', '--images-dir', pages, '--address', '127.0.0.1', '--port', `${port}`]
  const server = spawn('criu', words, { env: { ...process.env, ...saved.environment }, stdio: 'ignore' })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  try {
    // It listens as soon as /proc/net/tcp says so.
    const listening = `0100007F:${port.toString(16).toUpperCase()} 00000000:0000 0A`
    while (!readFileSync('/proc/net/tcp', 'utf8').includes(listening)) await sleep(20)
    succeeded(await saved.checkpoint('--page-server', `127.0.0.1:${port}`))
    await ended
  } finally {
    server.kill('SIGKILL')
  }
  assert.ok(pagesIn(pages) > 0)
  assert.is(pagesIn(saved.images), 0)
  // Together they are a checkpoint.
  for (const name of readdirSync(pages)) cpSync(`${pages}/${name}`, `${saved.images}/${name}`)
  const before = await saved.standsStill()
  await saved.restored()
  await saved.counts(before)
})

check('K6', '--lazy-pages leaves memory to criu lazy-pages', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  succeeded(await saved.checkpoint())
  const words = ['lazy-pages', '--images-dir', saved.images, '--work-dir', saved.work]
  const server = spawn('criu', words, { env: { ...process.env, ...saved.environment }, stdio: 'ignore' })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  try {
    while (!existsSync(`${saved.work}/lazy-pages.socket`)) await sleep(20)
    const before = await saved.standsStill()
    await saved.restored('--lazy-pages')
    await saved.counts(before)
    assert.is(await ended, 0)
  } finally {
    server.kill('SIGKILL')
  }
})

check('K6', '--status-fd tells when lazy pages can be asked for', async (box) => {
  requireFeature(box, 'uffd')
  const saved = new Saved(box)
  await saved.launch()
  const port = portOf(box)
  const status = openSync(box.path('status'), 'w')
  const flags = ['--lazy-pages', '--page-server', `127.0.0.1:${port}`, '--status-fd', '3']
  const pending = saved.checkpointWith([status], flags)
  closeSync(status)
  assert.is(await box.waitForFile(box.path('status')), '\0')
  await saved.standsStill()
  const socket = connect(port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.destroy()
  const { status: exitStatus, stderr } = await pending
  // No server can be had that fails later without a warning.
  if (box.runtime.name === 'runt') assert.is(stderr.includes('fs.pipe-max-size'), !canServeLazyPages(), stderr)
  // Who asks for no page at all may be taken for one who needs none.
  if (exitStatus === 0) box.assertNothingLeft()
  else await saved.counts()
})

check('K6', '--status-fd must be open for writing', async (box) => {
  requireFeature(box, 'uffd')
  const saved = new Saved(box)
  await saved.launch()
  const readable = openSync('/dev/null', 'r')
  for (const number of ['3', '57']) {
    const flags = ['--lazy-pages', '--page-server', '127.0.0.1:7', '--status-fd', number]
    assert.match(failed(await saved.checkpointWith([readable], flags)).stderr, /status-fd/)
  }
  closeSync(readable)
  await saved.counts()
})

check('K6', 'what criu forgets is there again', async (box) => {
  onlyRunt(box, 'runc leaves it')
  const saved = new Saved(box)
  await saved.launch({
    '/process/ioPriority': { class: 'IOPRIO_CLASS_BE', priority: 6 },
    '/linux/sysctl': { 'net.ipv4.ip_unprivileged_port_start': '77', 'kernel.msgmax': '7777' },
  })
  const look = 'ionice -p 1; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax'
  const seen = async () => succeeded(await box.command(['exec', box.id, 'sh', '-c', look])).stdout
  const before = await seen()
  assert.match(before, /best-effort: prio 6\n77\n7777\n/)
  succeeded(await saved.checkpoint())
  await saved.restored()
  assert.is(await seen(), before)
})

check('K6', 'what can not be there again is told', async (box) => {
  onlyRunt(box, 'others know neither')
  const saved = new Saved(box)
  await saved.launch({ '/linux/personality': { domain: 'LINUX32' } })
  succeeded(await saved.checkpoint())
  assert.match(succeeded(await saved.restore('--detach')).stderr, /linux\.personality: criu does not bring it back/)
  await box.delete('--force')
  const rules = JSON.stringify({ handledAccessFS: ['make_fifo'] })
  box.configure({ '/annotations': { 'runt.landlock': rules } })
  assert.match(failed(await saved.restore('--detach')).stderr, /Landlock/)
  box.assertNothingLeft()
  await saved.launch({ '/annotations': { 'runt.landlock': rules } })
  assert.match(failed(await saved.checkpoint()).stderr, /Landlock/)
  await saved.counts()
})

check('K6', 'a network device of the host is moved in again', async (box) => {
  onlyRunt(box, '1.1 is older than the property')
  if (!existsSync('/usr/sbin/ip') && !existsSync('/sbin/ip')) skip('there is no ip(8) here')
  const saved = new Saved(box)
  const args = ['sh', '-c', `${OWN_STREAMS}; ${COUNTER}`]
  box.configure({ '/process/args': args, '/linux/netDevices': { dev0: { name: 'eth%d' } } })
  const runtime = [...box.runtime.command, '--root', box.stateRoot].join(' ')
  const folders = `--image-path ${saved.images} --work-path ${saved.work}`
  const pair = 'ip link add dev0 type veth peer name peer0; ip addr add 192.0.2.5/24 dev dev0'
  // With the container goes its network namespace, and with that the device.
  const gone = 'while ip link show peer0 >/dev/null 2>&1; do sleep 0.05; done'
  const script = `set -e; ip link set lo up; ${pair}; ${runtime} run -d -b ${box.bundle} ${box.id}; sleep 0.3; ${runtime} checkpoint ${folders} ${box.id}
    ${gone}; ${pair}; ${runtime} restore -d -b ${box.bundle} ${folders} ${box.id}; ${runtime} exec ${box.id} ip addr show eth0`
  const env = { ...process.env, ...saved.environment }
  const { stdout, stderr, status } = spawnSync('unshare', ['-n', 'sh', '-c', script], { env, encoding: 'utf8' })
  assert.is(status, 0, stderr)
  assert.match(stdout, /UP.*\n.*\n.*inet 192\.0\.2\.5\/24/)
})

check('K6', 'flags that make no sense are refused', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  for (const flags of [
    ['--manage-cgroups-mode', 'some'],
    ['--empty-ns', 'pid'],
    ['--page-server', 'nowhere'],
    ['--page-server', ':7'],
    ['--page-server', '127.0.0.1:port'],
  ]) {
    assert.match(failed(await saved.checkpoint(...flags)).stderr, /invalid|use|is n|not supported|can only/i)
  }
  assert.is((await box.state()).status, 'running')
  succeeded(await saved.checkpoint('--empty-ns', 'network', '--leave-running'))
})

check('K6', 'without criu the package is named', async (box) => {
  onlyRunt(box, 'others have other words')
  await box.launch('exec sleep 60')
  const criuless = { env: { PATH: box.path('none') } }
  const { stderr } = failed(await box.command(['checkpoint', '--image-path', box.path('images'), box.id], criuless))
  assert.match(stderr, /criu: not found in \$PATH/)
  assert.match(stderr, /install the package criu/)
  assert.not.ok(existsSync(box.path('images')))
  assert.is((await box.state()).status, 'running')
})

check('K6', 'a criu that ends without a word is told', async (box) => {
  onlyRunt(box, 'others have other words')
  mkdirSync(box.path('bin'))
  writeFileSync(box.path('bin/criu'), '#!/bin/sh\nexit 3\n')
  chmodSync(box.path('bin/criu'), 0o755)
  await box.launch('exec sleep 60')
  const fake = { env: { PATH: `${box.path('bin')}:/bin` } }
  const { stderr } = failed(await box.command(['checkpoint', '--image-path', box.path('images'), box.id], fake))
  assert.match(stderr, /criu ended without an answer: exit status 3/)
  assert.is((await box.state()).status, 'running')
})
