// Attacks that once worked on some runtime, against the built executable: the host's files stay as they are, and what is
// refused leaves nothing behind.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { trySyscall } from '../src/native/syscall.ts'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { NAMESPACES } from './bundle.ts'
import { Canary, digest } from './canary.ts'
import { findRuntime } from './runtime.ts'
import { listenForConsole } from './terminal.ts'

const reason = missingForTests()

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`security (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-security-`)
  const executable = linkBuilt(`${folder}/runtime`)
  const ground = new Ground(findRuntime(executable))
  const canary = new Canary(`${folder}/canary`)
  declareTests(ground, canary, executable)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function declareTests(ground: Ground, canary: Canary, executable: string): void {
  testPathsOfTheImage(ground, canary)
  testProcfs(ground, canary)
  testDevices(ground, canary)
  testDescriptors(ground, canary)
  testUsers(ground, canary)
  testParsers(ground, canary)
  testBinary(ground, executable)
  testNeighbours(ground)
  testExec(ground, canary, executable)
  testConsole(ground, canary)
  testHooks(ground)
  testStateRoots(ground)
}

function testPathsOfTheImage(ground: Ground, canary: Canary): void {
  // [what the image has, where the config mounts]
  const links = (target: string): [name: string, target: string, destination: string][] => [
    ['data/link', target, '/data/link'],
    ['data/link', target, '/data/link/folder'],
    ['data/link', target, '/data/link/new/deeper'],
    ['data/link', `${target}/folder`, '/data/link'],
  ]
  const targets = [canary.folder, `/../../../..${canary.folder}`, `../../../../../../../../../..${canary.folder}`]

  test('a mount through a symbolic link of the image stays in the image', async () => {
    for (const target of targets) {
      for (const [name, to, destination] of links(target)) {
        for (const mount of [
          { destination, type: 'tmpfs', source: 'trap' },
          { destination, source: `${canary.folder}/folder`, options: ['bind'] },
          { destination, source: '/bin/busybox', options: ['bind', 'ro'] },
        ]) {
          await using box = new Box(ground)
          symlinkSync(to, `${box.rootfs}/${name}`)
          const edits = { '/mounts/-': mount, '/process/args': ['cat', '/proc/self/mountinfo'] }
          const { status, stdout } = await box.run(edits)
          const when = `${JSON.stringify(mount)} on ${name} -> ${to}`
          canary.assertUntouched(when)
          if (status !== 0) box.assertNothingLeft()
          else
            assert.ok(
              stdout.split('\n').some((line) => isInside(line.split(' ')[4] ?? '', canary)),
              when,
            )
        }
      }
    }
  })

  test('devices, masks, read-only paths and the working folder follow no link out of the image', async () => {
    const cases: [string, object][] = [
      ['device', { '/linux/devices': [{ path: '/data/link/device', type: 'c', major: 1, minor: 3 }] }],
      ['fifo', { '/linux/devices': [{ path: '/data/link', type: 'p' }] }],
      ['mask', { '/linux/maskedPaths': ['/data/link', '/data/link/file'] }],
      ['read-only', { '/linux/readonlyPaths': ['/data/link', '/data/link/file'] }],
      ['cwd', { '/process/cwd': '/data/link/made' }],
    ]
    for (const target of targets) {
      for (const [what, edits] of cases) {
        await using box = new Box(ground)
        symlinkSync(target, `${box.rootfs}/data/link`)
        const { status } = await box.run({ ...edits })
        canary.assertUntouched(`${what} on a link to ${target}`)
        if (status !== 0) box.assertNothingLeft()
      }
    }
  })

  test('what the mount points are made of is made in the image', async () => {
    await using box = new Box(ground)
    symlinkSync('/mnt', `${box.rootfs}/data/link`)
    const text = await box.sh('cat /mnt/a/b/file /data/link/a/b/file', {
      '/mounts/-': { destination: '/data/link/a/b', source: `${canary.folder}/folder`, options: ['rbind', 'ro'] },
    })
    assert.is(text, 'the host, too\nthe host, too')
    assert.ok(statSync(`${box.rootfs}/mnt/a/b`).isDirectory())
  })

  test('no link leads a mount over what the kernel shows and sets by', async () => {
    for (const target of ['/sys/kernel', '/sys', '/proc', '/proc/sys', '/proc/self', '/proc/1/task', '/']) {
      for (const file of [false, true]) {
        await using box = new Box(ground)
        symlinkSync(target, `${box.rootfs}/data/link`)
        const mount = file
          ? { destination: '/data/link/kernel', source: `${canary.folder}/folder`, options: ['bind'] }
          : { destination: '/data/link', type: 'tmpfs', source: 'trap' }
        if (file && target === '/') continue
        await box.rejected({ '/mounts/-': mount })
      }
    }
  })

  test('what a volume has in the place of a link of the image is what counts', async () => {
    // The operator's read-only mount is in the volume, and not where the image has a link to.
    await using box = new Box(ground)
    const volume = box.path('volume')
    mkdirSync(`${volume}/.git`, { recursive: true })
    mkdirSync(`${box.rootfs}/app`)
    for (const target of [
      '/decoy',
      '/decoy/none',
      '/sys/kernel',
      '/proc/self',
      `../../../../../../..${canary.folder}`,
    ]) {
      rmSync(`${box.rootfs}/app/.git`, { force: true })
      symlinkSync(target, `${box.rootfs}/app/.git`)
      const said = await box.sh('touch /app/.git/x 2>&1; true', {
        '/mounts': [
          { destination: '/proc', type: 'proc', source: 'proc' },
          { destination: '/app', source: volume, options: ['bind'] },
          { destination: '/app/.git', source: `${volume}/.git`, options: ['bind', 'ro'] },
        ],
        '/linux/maskedPaths': [],
        '/linux/readonlyPaths': [],
      })
      assert.match(said, /Read-only file system/)
      canary.assertUntouched(target)
    }
    assert.equal(readdirSync(`${volume}/.git`), [])
  })

  test('in a user namespace a read-only mount of the host stays read-only', async () => {
    await using box = new Box(ground)
    const volume = box.path('volume')
    mkdirSync(volume)
    const mappings = [{ containerID: 0, hostID: 0, size: 65536 }]
    const result = await box.runPrepared(`mount -t tmpfs locked ${volume} && mount -o remount,bind,ro ${volume}`, {
      '/mounts/-': { destination: '/mnt', source: volume, options: ['bind', 'rw', 'nosuid'] },
      '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
      '/linux/uidMappings': mappings,
      '/linux/gidMappings': mappings,
    })
    assert.is.not(result.status, 0)
    assert.match(result.stderr, /mounts\[\d+\] \(\/mnt\): .* on \/mnt: mount_setattr: EPERM[\s\S]*has locked a flag/)
    box.assertNothingLeft()
  })

  test('the root file system may be a link itself, and is what it leads to', async () => {
    await using box = new Box(ground)
    renameSync(box.rootfs, `${box.bundle}/elsewhere`)
    symlinkSync('elsewhere', box.rootfs)
    assert.is(await box.sh('echo there'), 'there')
  })
}

/** A mount point of the container that the attack was aimed at: inside, under whatever name. */
function isInside(point: string, canary: Canary): boolean {
  return point.startsWith('/data/') || point.includes(canary.folder)
}

function testProcfs(ground: Ground, canary: Canary): void {
  test('procfs and sysfs are not mounted through a symbolic link', async () => {
    for (const name of ['proc', 'sys']) {
      for (const target of ['/tmp', 'tmp', canary.folder, `../../../../../../../..${canary.folder}`]) {
        await using box = new Box(ground)
        rmSync(`${box.rootfs}/${name}`, { recursive: true })
        symlinkSync(target, `${box.rootfs}/${name}`)
        assert.match(await box.rejected({}), /ELOOP/)
        canary.assertUntouched(`/${name} -> ${target}`)
      }
    }
  })

  test('a folder on the way to a procfs is no symbolic link either', async () => {
    await using box = new Box(ground)
    symlinkSync('/tmp', `${box.rootfs}/data/link`)
    await box.rejected({ '/mounts/-': { destination: '/data/link/proc', type: 'proc', source: 'proc' } })
  })

  test('nothing is mounted over procfs but the files that only describe', async () => {
    const refused = ['/proc/self/attr', '/proc/sys', '/proc/sys/kernel', '/proc/self', '/proc/1/attr/current']
    for (const destination of [...refused, '/proc/../proc/self/exe', '//proc//sysrq-trigger', '/proc/./sys/../sys']) {
      for (const mount of [
        { destination, type: 'tmpfs', source: 'trap' },
        { destination, source: canary.folder, options: ['bind'] },
      ]) {
        await using box = new Box(ground)
        assert.match(await box.rejected({ '/mounts/-': mount }), /must not be inside \/proc/, destination)
      }
    }
    for (const mount of [
      { destination: '/proc', type: 'tmpfs', source: 'trap' },
      { destination: '/proc', source: canary.folder, options: ['bind'] },
    ]) {
      await using box = new Box(ground)
      assert.match(await box.rejected({ '/mounts/-': mount }), /\/proc/)
    }
  })

  test('a file that describes the machine may be mounted over', async () => {
    await using box = new Box(ground)
    const mount = { destination: '/proc/cpuinfo', source: `${canary.folder}/file`, options: ['bind', 'ro'] }
    assert.is(await box.sh('cat /proc/cpuinfo', { '/mounts/-': mount }), 'the host')
  })

  test('sysctls are written to a procfs that the image has no part in', async () => {
    await using box = new Box(ground)
    // The config's own procfs comes from a shared volume here: an ordinary folder.
    const volume = box.path('volume')
    mkdirSync(`${volume}/sys/net/ipv4`, { recursive: true })
    writeFileSync(`${volume}/sys/net/ipv4/ip_forward`, 'trap')
    rmSync(`${box.rootfs}/proc`, { recursive: true })
    renameSync(volume, `${box.rootfs}/proc`)
    const namespaces = NAMESPACES.filter(({ type }) => type !== 'pid')
    const { mounts } = JSON.parse(configOf(box)) as { mounts: { destination: string }[] } // as configure wrote it
    const text = await box.sh(
      'cat /proc/sys/net/ipv4/ip_forward; mount -t proc p /mnt; cat /mnt/sys/net/ipv4/ip_forward',
      {
        '/mounts': mounts.filter(({ destination }) => destination !== '/proc'),
        '/linux/namespaces': namespaces,
        '/linux/sysctl': { 'net.ipv4.ip_forward': '1' },
        '/linux/maskedPaths': [],
        '/linux/readonlyPaths': [],
        '/process/capabilities': everything(['CAP_SYS_ADMIN']),
      },
    )
    assert.is(text, 'trap1')
  })
}

function configOf(box: Box): string {
  box.configure({})
  return readFileSync(`${box.bundle}/config.json`, 'utf8')
}

function everything(names: readonly string[]): object {
  return { bounding: names, effective: names, permitted: names }
}

function withoutDev(box: Box): object[] {
  const { mounts } = JSON.parse(configOf(box)) as { mounts: { destination: string }[] } // as configure wrote it
  return mounts.filter(({ destination }) => !destination.startsWith('/dev'))
}

function testDevices(ground: Ground, canary: Canary): void {
  test('devices and links go into no folder of the host when /dev is a symbolic link', async () => {
    for (const target of [canary.folder, `../../../../../../../../../..${canary.folder}`, '/../..', '..', '/']) {
      await using box = new Box(ground)
      rmSync(`${box.rootfs}/dev`, { recursive: true })
      symlinkSync(target, `${box.rootfs}/dev`)
      const { status } = await box.run({ '/mounts': withoutDev(box) })
      canary.assertUntouched(`/dev -> ${target}`)
      if (status !== 0) box.assertNothingLeft()
    }
  })

  test('links that the image has in /dev are not followed', async () => {
    await using box = new Box(ground)
    for (const name of ['ptmx', 'fd', 'stdin', 'core', 'tty0']) {
      symlinkSync(`../../../../../../../../../..${canary.folder}/file`, `${box.rootfs}/dev/${name}`)
    }
    assert.is(
      await box.sh('readlink /dev/ptmx', {
        '/mounts': withoutDev(box),
        '/linux/devices': [{ path: '/dev/mine', type: 'c', major: 1, minor: 5 }],
      }),
      'pts/ptmx',
    )
    canary.assertUntouched('links in /dev')
  })

  test("a null device that isn't one is refused", async () => {
    const fakes: ((path: string) => void)[] = [
      (path) => symlinkSync('/proc/sys/kernel/core_pattern', path),
      (path) => symlinkSync(`${canary.folder}/file`, path),
      (path) => writeFileSync(path, ''),
      (path) => mkdirSync(path),
      (path) => mknod(path, 'c', 1, 5),
      (path) => mknod(path, 'b', 1, 3),
      (path) => mknod(path, 'p'),
    ]
    for (const fake of fakes) {
      await using box = new Box(ground)
      fake(`${box.rootfs}/dev/null`)
      assert.match(await box.rejected({ '/mounts': withoutDev(box) }), /\/dev\/null exists and is another file/)
      canary.assertUntouched('another /dev/null')
    }
  })

  test("masks are made of the host's null device, not of a /dev that the container can change", async () => {
    await using box = new Box(ground)
    const volume = box.path('dev')
    mkdirSync(volume)
    symlinkSync('/proc/sys/kernel/core_pattern', `${volume}/null`)
    const text = await box.sh('stat -c %t:%T /proc/keys; cat /proc/keys; ls /sys/firmware', {
      '/mounts': [...withoutDev(box), { destination: '/dev', source: volume, options: ['bind'] }],
    })
    assert.is(text, '1:3')
  })

  test('in a user namespace only a real device of the host is bound', async () => {
    await using box = new Box(ground)
    const mappings = [{ containerID: 0, hostID: 0, size: 65536 }]
    symlinkSync(`../../../../../../../../../..${canary.folder}/file`, `${box.rootfs}/dev/zero`)
    const text = await box.sh('stat -L -c %t:%T /dev/zero /dev/null', {
      '/mounts': withoutDev(box),
      '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
      '/linux/uidMappings': mappings,
      '/linux/gidMappings': mappings,
    })
    assert.is(text, '1:5\n1:3')
    canary.assertUntouched('a link where a device is bound')
  })
}

function mknod(path: string, ...words: (string | number)[]): void {
  const { status, stderr } = spawnSync('mknod', [path, ...words.map(String)], { encoding: 'utf8' })
  assert.is(status, 0, stderr)
}

function testDescriptors(ground: Ground, canary: Canary): void {
  test('a working folder behind a descriptor is refused', async () => {
    const { length } = Array.from({ length: 28 })
    const paths = Array.from({ length }, (_, index) => `/proc/self/fd/${index + 3}`)
    for (const path of [...paths, '/proc/self/fd', '/proc/./self//fd/7/..', '/proc/1/fd/7', '/proc/thread-self/fd/7']) {
      await using box = new Box(ground)
      assert.match(await box.rejected({ '/process/cwd': path }), /must not lead through a descriptor/, path)
    }
    for (const target of ['/proc/self/fd/7', '/proc/self/fd', '/proc/self/cwd', '/proc/1/root/proc/self/fd/7']) {
      await using box = new Box(ground)
      symlinkSync(target, `${box.rootfs}/data/link`)
      const { status, stdout } = await box.run({ '/process/cwd': '/data/link', '/process/args': ['pwd', '-P'] })
      if (status === 0) assert.match(stdout, /^\/proc\//, target)
      else box.assertNothingLeft()
    }
  })

  test("the caller's open files are not in the container, before and after its start", async () => {
    await using box = new Box(ground)
    const [root, file] = [openSync('/', 'r'), openSync(`${canary.folder}/file`, 'r')]
    try {
      const descriptors = [root, file, root, file, root, file, root, file]
      const flags = ['--debug', '--log', box.path('log')]
      box.configure({ '/process/args': ['sleep', '60'] })
      succeeded(await box.command([...flags, 'create', '--bundle', box.bundle, box.id], { descriptors }))
      const { pid } = await box.state()
      const before = openFiles(pid)
      for (const { name } of before) {
        assert.not.ok(name.startsWith(canary.folder) || name === box.path('log'), name)
      }
      // The gate's two FIFOs, and sockets whose other end is gone; the one folder is the container's root.
      const folders = before.filter(({ isFolder }) => isFolder)
      assert.equal(
        folders.map(({ inode }) => inode),
        [statSync(box.rootfs).ino],
      )
      succeeded(await box.command([...flags, 'start', box.id], { descriptors }))
      assert.equal(
        openFiles(pid).map(({ fd }) => fd),
        [0, 1, 2],
      )
    } finally {
      closeSync(root)
      closeSync(file)
    }
  })

  test('a program sees its three streams and nothing else', async () => {
    await using box = new Box(ground)
    const root = openSync('/', 'r')
    box.configure({ '/process/args': ['sh', '-c', 'ls /proc/$$/fd; true'] })
    const descriptors = [root, root, root, root]
    const flags = ['--log', box.path('log'), '--log-format', 'json', '--debug']
    const result = await box.command([...flags, 'run', '--bundle', box.bundle, box.id], { descriptors })
    closeSync(root)
    assert.equal(succeeded(result).stdout.trim().split('\n'), ['0', '1', '2'])
  })
}

interface OpenFile {
  readonly fd: number
  readonly name: string
  readonly inode: number
  readonly isFolder: boolean
}

function openFiles(pid: number | undefined): OpenFile[] {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder)
    .map((name) => ({ fd: Number(name), path: `${folder}/${name}` }))
    .map(({ fd, path }) => {
      const found = statSync(path)
      return { fd, name: readlinkSync(path), inode: found.ino, isFolder: found.isDirectory() }
    })
    .sort((one, other) => one.fd - other.fd)
}

function testUsers(ground: Ground, canary: Canary): void {
  const home = (box: Box): Promise<string> => box.sh('echo $HOME', { '/process/user': { uid: 1000, gid: 1000 } })
  const hostile = (text: string) => (path: string) => writeFileSync(path, text)

  test('user ids are numbers, whatever names the image has', async () => {
    await using box = new Box(ground)
    writeFileSync(`${box.rootfs}/etc/passwd`, '1000:x:0:0::/root:/bin/sh\n')
    writeFileSync(`${box.rootfs}/etc/group`, '1000:x:0:\n')
    const edits = { '/process/user': { uid: 1000, gid: 1000, additionalGids: [1000] } }
    assert.is(await box.sh('id -u; id -g; id -G', edits), '1000\n1000\n1000')
  })

  test('HOME comes from a plain file of the image, and from nowhere else', async () => {
    const entry = 'user:x:1000:1000::/home/image:/bin/sh\n'
    const cases: [expected: string, what: string, make: (path: string, box: Box) => void][] = [
      ['/home/image', 'a plain file', hostile(entry)],
      [
        '/home/image',
        'a link inside',
        (path) => {
          writeFileSync(`${path}.real`, entry)
          symlinkSync('passwd.real', path)
        },
      ],
      ['/', 'no file', () => {}],
      ['/', 'no such user', hostile('user:x:1001:1000::/home/image:/bin/sh\n')],
      ['/', 'a relative home', hostile('user:x:1000:1000::home:/bin/sh\n')],
      ['/', 'a home too long for any path', hostile(`user:x:1000:1000::/${'x'.repeat(9000)}:/bin/sh\n`)],
      [
        '/',
        'a link out',
        (path, box) => {
          writeFileSync(box.path('passwd'), entry)
          symlinkSync(`../../../../../../../../../..${box.path('passwd')}`, path)
        },
      ],
      ['/', 'a link into procfs', (path) => symlinkSync('/proc/self/fd/0', path)],
      ['/', 'a FIFO', (path) => mknod(path, 'p')],
      ['/', 'a device without an end', (path) => mknod(path, 'c', 1, 5)],
      ['/', 'a folder', (path) => mkdirSync(path)],
      [
        '/home/image',
        'a huge file that begins with it',
        (path) => {
          writeFileSync(path, entry)
          truncateSync(path, 8 * 2 ** 30)
        },
      ],
      [
        '/',
        'a huge file of lines that say nothing',
        (path) => {
          writeFileSync(path, `\n${'x\n'.repeat(2 ** 20)}${entry}`)
        },
      ],
    ]
    for (const [expected, what, make] of cases) {
      await using box = new Box(ground)
      rmSync(`${box.rootfs}/etc/passwd`)
      make(`${box.rootfs}/etc/passwd`, box)
      const started = performance.now()
      assert.is(await home(box), expected, what)
      assert.ok(performance.now() - started < 2000, `${what} took ${performance.now() - started} ms`)
    }
    canary.assertUntouched('HOME')
  })

  test('ids that are none are refused, and the largest that are ids are taken', async () => {
    for (const value of [4294967295, 4294967296, -1, 1.5, '0', '1000', '', [], 1e30, true]) {
      for (const pointer of ['/process/user/uid', '/process/user/gid', '/process/user/additionalGids']) {
        await using box = new Box(ground)
        const said = await box.rejected({ [pointer]: pointer.endsWith('Gids') ? [value] : value })
        assert.ok(said.includes(pointer.slice(1).replaceAll('/', '.')), said)
      }
    }
    for (const value of [2147483648, 4294967294]) {
      await using box = new Box(ground)
      const edits = { '/process/user': { uid: value, gid: value, additionalGids: [value] } }
      assert.is(await box.sh('id -u; id -g; id -G', edits), `${value}\n${value}\n${value}`)
    }
  })
}

function testParsers(ground: Ground, canary: Canary): void {
  const badIds = [
    '..',
    '.',
    '',
    '../victim',
    '/victim',
    'a/b',
    'a/../../victim',
    'a b',
    'a\nb',
    'ä',
    'x'.repeat(256),
    '*',
  ]

  test('an id is no path', async () => {
    await using box = new Box(ground)
    mkdirSync(box.stateRoot)
    const victim = new Canary(box.path('victim'))
    box.configure({})
    const launch = ['--bundle', box.bundle]
    const commands = [
      ['state'],
      ['start'],
      ['kill'],
      ['delete'],
      ['delete', '-f'],
      ['create', ...launch],
      ['run', ...launch],
    ]
    for (const [index, id] of badIds.entries()) {
      // Two of the commands for each id, all of them for the ids that lead somewhere.
      const some = id.includes('victim') ? commands : [0, 4].map((at) => commands[(index + at) % commands.length] ?? [])
      for (const command of some) {
        const { status, stderr } = await box.command(['--debug', ...command, id])
        assert.is.not(status, 0, `${command} ${id}`)
        assert.match(stderr, /invalid container ID format/, `${command} ${id}`)
      }
    }
    victim.assertUntouched('ids that are paths')
    assert.equal(readdirSync(box.stateRoot), [])
  })

  test('a config string that becomes part of a file name is checked', async () => {
    const resources = '/linux/resources'
    const cases: Record<string, unknown>[] = [
      { '/linux/cgroupsPath': '../../escape' },
      { '/linux/cgroupsPath': `${ground.cgroup}/../../escape` },
      { '/linux/cgroupsPath': `${ground.cgroup}/a\nb` },
      { '/linux/cgroupsPath': `${ground.cgroup}/a\0b` },
      { [`${resources}/hugepageLimits`]: [{ pageSize: '../../x', limit: 1 }] },
      { [`${resources}/hugepageLimits`]: [{ pageSize: '2MB/../x', limit: 1 }] },
      { [`${resources}/rdma`]: { 'a\nb': { hcaHandles: 1 } } },
      { [`${resources}/rdma`]: { '../x': { hcaHandles: 1 } } },
      { [`${resources}/unified`]: { '../cgroup.procs': '0' } },
      { [`${resources}/unified`]: { 'memory/../cgroup.procs': '0' } },
      { [`${resources}/network`]: { priorities: [{ name: '../x', priority: 1 }] } },
      { '/linux/intelRdt': { closID: '../../x' } },
      { '/linux/netDevices': { '../x': { name: 'eth0' } } },
      { '/linux/sysctl': { 'net.ipv4/../../../sysrq-trigger': 'h' } },
      { '/linux/sysctl': { 'net/../kernel/core_pattern': 'x' } },
      { '/linux/sysctl': { 'kernel.core_pattern': 'x' } },
      { '/linux/sysctl': { 'net.ipv4.ip_forward\0x': '1' } },
      { '/linux/devices': [{ path: '/dev/../../escape', type: 'c', major: 1, minor: 3 }] },
      { '/hostname': 'a\0b' },
      { '/process/env': ['A=b\0LD_PRELOAD=x'] },
      { '/process/args': ['true\0x'] },
      { '/process/cwd': '/tmp\0x' },
      { '/mounts/-': { destination: '/data\0x', type: 'tmpfs' } },
      { '/mounts/-': { destination: '/data', source: 'a\0b', type: 'tmpfs' } },
    ]
    for (const edits of cases) {
      await using box = new Box(ground)
      const result = await box.run(edits)
      const [device] = 'linux/devices' in edits ? ['/escape'] : []
      if (device === undefined && !('/linux/devices' in edits)) {
        assert.is.not(result.status, 0, `${JSON.stringify(edits)} was accepted`)
      }
      assert.not.match(result.stderr, /internal|undefined|TypeError/, JSON.stringify(edits))
      box.assertNothingLeft()
    }
    canary.assertUntouched('strings with parts of paths')
  })

  test('long lists and long texts are taken whole or refused by name', async () => {
    const long = 'x'.repeat(70_000)
    const several = Array.from({ length: 1200 }, (_, index) => ({ containerID: index, hostID: index, size: 1 }))
    const cases: [expected: 'accepted' | RegExp, edits: Record<string, unknown>][] = [
      [
        'accepted',
        {
          '/process/env': [`LONG=${long}`, 'PATH=/bin'],
          '/process/args': ['sh', '-c', 'test $(printf %s "$LONG" | wc -c) = 70000'],
        },
      ],
      [
        'accepted',
        { '/process/env': ['PATH=/bin', ...Array.from({ length: 5000 }, (_, index) => `V${index}=${index}`)] },
      ],
      ['accepted', { '/process/args': ['sh', '-c', 'test $(printf %s "$1" | wc -c) = 70000', 'sh', long] }],
      ['accepted', { '/annotations': { long }, '/hooks/createContainer': [{ path: '/bin/true' }] }],
      [/E2BIG/, { '/process/args': ['true', 'x'.repeat(200_000)] }],
      [/ENAMETOOLONG/, { '/process/args': [`/${long}`] }],
      [/ENAMETOOLONG/, { '/process/cwd': `/${long}` }],
      [/ENAMETOOLONG/, { '/mounts/-': { destination: `/${long}`, type: 'tmpfs' } }],
      [/ENAMETOOLONG/, { '/mounts/-': { destination: '/data', source: `/${long}`, options: ['bind'] } }],
      [/hostname/, { '/hostname': long }],
      [
        /uidMappings/,
        {
          '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
          '/linux/uidMappings': several,
          '/linux/gidMappings': several,
        },
      ],
    ]
    for (const [expected, edits] of cases) {
      await using box = new Box(ground)
      const { status, stderr } = await box.run(edits)
      const what = Object.keys(edits).join(' ')
      if (expected === 'accepted') assert.is(status, 0, `${what}: ${stderr}`)
      else {
        assert.is.not(status, 0, `${what} was accepted`)
        assert.match(stderr.slice(0, 300) + stderr.slice(-300), expected, what)
      }
      box.assertNothingLeft()
    }
  })
}

const SEALS = 0xf
const F_GET_SEALS = 1034

function testBinary(ground: Ground, executable: string): void {
  test("a container can't change the runtime's executable, nor the image that becomes its init", async () => {
    const before = digest(executable)
    await using box = new Box(ground)
    await using victim = new Box(ground)
    const overwrite =
      'while :; do for p in /proc/[0-9]*; do echo trap > $p/exe; echo trap >> $p/exe; done; done 2>/dev/null'
    await box.launch(overwrite)
    const { pid } = await box.state()
    for (let round = 0; round < 8; round++) {
      await victim.create({
        '/process/args': ['sleep', '60'],
        '/linux/namespaces': NAMESPACES.map(({ type }) =>
          type === 'pid' ? { type, path: `/proc/${pid}/ns/pid` } : { type },
        ),
      })
      await victim.state()
      await victim.start()
      assert.is((await victim.state()).status, 'running')
      await victim.delete('--force')
    }
    assert.is(digest(executable), before)
  })

  test('a program that says #!/proc/self/exe gets nothing to overwrite', async () => {
    const before = digest(executable)
    await using box = new Box(ground)
    writeFileSync(`${box.rootfs}/bin/trap`, '#!/proc/self/exe\n', { mode: 0o755 })
    symlinkSync('/proc/self/exe', `${box.rootfs}/bin/self`)
    for (const args of [['trap'], ['/bin/trap'], ['/proc/self/exe'], ['self'], ['/proc/1/exe', 'run', 'x']]) {
      const { status } = await box.run({ '/process/args': args })
      assert.is.not(status, 0, args.join(' '))
      box.assertNothingLeft()
    }
    assert.is(digest(executable), before)
  })

  test('the image is sealed memory', async () => {
    await using box = new Box(ground)
    await box.create({})
    const { pid } = await box.state()
    const path = `/proc/${pid}/exe`
    assert.match(readlinkSync(path), /^\/memfd:runt:init/)
    const fd = openSync(path, 'r')
    assert.is(trySyscall('fcntl', fd, F_GET_SEALS) & SEALS, SEALS)
    assert.throws(() => openSync(path, 'r+'))
    await box.delete()
    assert.throws(() => writeFileSync(`/proc/self/fd/${fd}`, 'trap'), 'written when nobody ran it any more')
    closeSync(fd)
  })
}

function testExec(ground: Ground, canary: Canary, executable: string): void {
  test('who is inside can neither look into a process that exec adds, nor change what it is made of', async () => {
    const before = digest(executable)
    await using box = new Box(ground)
    const look = `while :; do
      for p in /proc/[0-9]*; do
        ls -l $p/exe $p/cwd $p/root $p/fd/ | grep -E 'memfd|socket:|pidfd|/sys/fs' && echo $p
        for file in exe mem; do echo trap > $p/$file; done
      done >> /found 2>/dev/null
    done 2>/dev/null`
    await box.launch(look)
    for (let round = 0; round < 40; round++) {
      const user = round % 2 === 0 ? '0' : '1000'
      const result = await box.command(['exec', '--user', user, '--cwd', '/tmp', box.id, 'pwd'])
      assert.is(succeeded(result).stdout, '/tmp\n')
    }
    assert.is(readFileSync(`${box.rootfs}/found`, 'utf8'), '')
    assert.is(digest(executable), before)
  })

  test('exec of a program that says #!/proc/self/exe gets nothing to overwrite', async () => {
    const before = digest(executable)
    await using box = new Box(ground)
    writeFileSync(`${box.rootfs}/bin/trap`, '#!/proc/self/exe\n', { mode: 0o755 })
    await box.launch('exec sleep 60')
    for (const command of ['trap', '/bin/trap', '/proc/self/exe']) {
      const { status } = await box.command(['exec', box.id, command])
      assert.is.not(status, 0, command)
    }
    assert.is(digest(executable), before)
    assert.is((await box.state()).status, 'running')
  })

  test('exec follows no link out of the image, and none through a descriptor', async () => {
    const targets = [canary.folder, `../../../../../../../../../..${canary.folder}`]
    for (const target of [...targets, '/proc/self/fd/3', '/proc/self/cwd', '/proc/1/cwd']) {
      await using box = new Box(ground)
      symlinkSync(target, `${box.rootfs}/data/link`)
      await box.launch('exec sleep 60')
      const leaked = openSync(canary.folder, 'r')
      const { stdout } = await box.command(['exec', '--cwd', '/data/link', box.id, 'ls'], { descriptors: [leaked] })
      closeSync(leaked)
      for (const name of readdirSync(canary.folder)) assert.not.ok(stdout.split('\n').includes(name), target)
      canary.assertUntouched(`cwd on a link to ${target}`)
    }
  })

  test('exec takes the files of the container for what they are', async () => {
    await using box = new Box(ground)
    // Of the image's own making: no terminal, and a list of users that is none.
    rmSync(`${box.rootfs}/etc/passwd`)
    symlinkSync('/proc/self/mem', `${box.rootfs}/etc/passwd`)
    await box.launch(
      'umount /dev/pts; rm -rf /dev/pts /dev/ptmx; mkdir /dev/pts; ln -s /dev/zero /dev/pts/ptmx; exec sleep 60',
      {
        '/process/capabilities': {
          bounding: ['CAP_SYS_ADMIN'],
          effective: ['CAP_SYS_ADMIN'],
          permitted: ['CAP_SYS_ADMIN'],
        },
      },
    )
    const home = await box.command(['exec', '--user', '1000', box.id, 'sh', '-c', 'echo $HOME'])
    assert.is(succeeded(home).stdout, '/\n')
    await sleep(200)
    using socket = listenForConsole(box.path('console'))
    const { status, stderr } = await box.command([
      ...['exec', '--tty', '--detach', '--console-socket', socket.path],
      ...[box.id, 'true'],
    ])
    assert.is(status, 255)
    assert.match(stderr, /ptmx/)
  })
}

function testNeighbours(ground: Ground): void {
  const joining = (pid: number | undefined): object[] =>
    NAMESPACES.map(({ type }) => (type === 'pid' ? { type, path: `/proc/${pid}/ns/pid` } : { type }))

  test('init is not dumpable while it waits at the gate', async () => {
    await using box = new Box(ground)
    await box.create({ '/process/user': { uid: 1000, gid: 1000 }, '/process/args': ['sleep', '60'] })
    const { pid } = await box.state()
    // The files of a process that isn't dumpable are root's, whoever it is. proc_pid(5)
    assert.is(statSync(`/proc/${pid}/status`).uid, 0)
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t1000\t1000\t1000\t1000$/m)
    await box.start()
    assert.is(statSync(`/proc/${pid}/status`).uid, 1000)
  })

  test('a container that sees the pid of an init before its start can not look into it', async () => {
    await using box = new Box(ground)
    await using other = new Box(ground)
    await box.launch('sleep 60')
    const { pid } = await box.state()
    await other.create({ '/linux/namespaces': joining(pid), '/process/args': ['sleep', '60'] })
    const inside = lastPidInside((await other.state()).pid)
    const look = (name: string): string =>
      `for what in root cwd; do ls /proc/${inside}/$what/ >/dev/null 2>&1 && echo ${name} $what; done
       for what in mem environ; do dd if=/proc/${inside}/$what count=0 2>/dev/null && echo ${name} $what; done
       for what in exe fd/0 fd/3 fd/5 fd/6 fd/7; do readlink /proc/${inside}/$what >/dev/null && echo ${name} $what; done; true`
    const script = `until test -e /mnt/go; do sleep 0.05; done; (${look('created')}) > /mnt/first
       until test -e /mnt/again; do sleep 0.05; done; (${look('running')}) > /mnt/second; mv /mnt/second /mnt/last; sleep 60`
    const shared = box.path('shared')
    mkdirSync(shared)
    await using attacker = new Box(ground)
    await attacker.launch(script, {
      '/linux/namespaces': joining(pid),
      '/mounts/-': { destination: '/mnt', source: shared, options: ['bind'] },
    })
    writeFileSync(`${shared}/go`, '')
    await sleep(300)
    assert.is(readFileSync(`${shared}/first`, 'utf8'), '')
    // The same look at the same container when it runs: that the attacker could, if it were let.
    await other.start()
    writeFileSync(`${shared}/again`, '')
    assert.match(
      await box.waitForFile(`${shared}/last`),
      /running root[\s\S]*running mem[\s\S]*running exe\nrunning fd/,
    )
  })

  test('nobody gets hold of an init on its way to the gate', async () => {
    await using box = new Box(ground)
    const shared = box.path('shared')
    mkdirSync(shared)
    // Everything that is new among the processes is looked into, without a pause.
    await box.launch(
      `while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) ;; *)
         true < $p/mem && read name < $p/comm && case $name in sh) ;; *) echo $p $name >> /mnt/caught; esac
         test -e $p/root/bin && read name < $p/comm && case $name in sh) ;; *) echo $p $name >> /mnt/caught; esac
       esac; done; done 2>/dev/null`,
      { '/mounts/-': { destination: '/mnt', source: shared, options: ['bind'] } },
    )
    const { pid } = await box.state()
    for (let round = 0; round < 25; round++) {
      await using other = new Box(ground)
      await other.create({ '/linux/namespaces': joining(pid) })
      await other.delete()
    }
    assert.equal(readdirSync(shared), [])
  })
}

function lastPidInside(pid: number | undefined): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return status.match(/^NSpid:.*\t(\d+)$/m)?.[1] ?? ''
}

function testConsole(ground: Ground, canary: Canary): void {
  test('a terminal comes from a real multiplexer on a devpts', async () => {
    const fakes: ((path: string) => void)[] = [
      (path) => symlinkSync(`../../../../../../../../../../..${canary.folder}/file`, path),
      (path) => symlinkSync('/dev/null', path),
      (path) => writeFileSync(path, ''),
      (path) => mknod(path, 'c', 1, 3),
      (path) => mknod(path, 'c', 5, 2),
      (path) => mknod(path, 'p'),
      (path) => mkdirSync(path),
      () => {},
    ]
    for (const [index, fake] of fakes.entries()) {
      await using box = new Box(ground)
      mkdirSync(`${box.rootfs}/dev/pts`)
      fake(`${box.rootfs}/dev/pts/ptmx`)
      using socket = listenForConsole(box.path('console'))
      const edits = { '/process/terminal': true, '/mounts': withoutDev(box) }
      const result = await box.tryCreate(edits, ['--console-socket', socket.path])
      assert.is.not(result.status, 0, `fake ${index} was taken`)
      assert.match(result.stderr, /process\.terminal/)
      box.assertNothingLeft()
      canary.assertUntouched(`fake ${index} of /dev/pts/ptmx`)
    }
  })

  test('/dev/console is put on no symbolic link', async () => {
    for (const target of [
      `${canary.folder}/file`,
      `../../../../../../../../../..${canary.folder}/file`,
      '/data/file',
    ]) {
      await using box = new Box(ground)
      symlinkSync(target, `${box.rootfs}/dev/console`)
      writeFileSync(`${box.rootfs}/data/file`, 'plain')
      using socket = listenForConsole(box.path('console'))
      const devpts = {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['newinstance', 'ptmxmode=0666'],
      }
      const edits = { '/process/terminal': true, '/mounts': [...withoutDev(box), devpts] }
      const result = await box.tryCreate(edits, ['--console-socket', socket.path])
      canary.assertUntouched(`/dev/console -> ${target}`)
      if (result.status === 0) continue
      box.assertNothingLeft()
    }
  })
}

function testHooks(ground: Ground): void {
  test('a hook gets the environment that it lists and no more; without a list that of the caller, but not inside', async () => {
    const kinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']
    const inside = ['createContainer', 'startContainer']
    for (const env of [['ONLY=this', 'AND=that'], [], undefined]) {
      await using box = new Box(ground)
      const shared = box.path('shared')
      mkdirSync(`${shared}/bin`, { recursive: true })
      linkSync(`${box.rootfs}/bin/busybox`, `${box.rootfs}/data/busybox`)
      const hook = (kind: string): object => {
        const place = kind === 'startContainer' ? '/mnt' : shared
        const path = kind === 'startContainer' ? '/data/busybox' : `${box.rootfs}/data/busybox`
        // Its own file of the environment, opened by the shell itself: this is what the kernel was given.
        const script = `exec 3< /proc/self/environ; ${path} cat <&3 > ${place}/${kind}; true`
        return { path, args: ['busybox', 'sh', '-c', script], ...(env === undefined ? {} : { env }) }
      }
      const result = await box.run(
        {
          '/mounts/-': { destination: '/mnt', source: shared, options: ['bind'] },
          '/hooks': Object.fromEntries(kinds.map((kind) => [kind, [hook(kind)]])),
        },
        [],
        { env: { SECRET_OF_THE_CALLER: 'secret' } },
      )
      succeeded(result)
      for (const kind of kinds) {
        const got = readFileSync(`${shared}/${kind}`, 'utf8').split('\0').filter(Boolean)
        if (env !== undefined) assert.equal(got, env, kind)
        else assert.is(got.includes('SECRET_OF_THE_CALLER=secret'), !inside.includes(kind), `${kind}: ${got}`)
      }
    }
  })

  test("the program doesn't see the caller's environment either", async () => {
    await using box = new Box(ground)
    const options = { env: { SECRET_OF_THE_CALLER: 'secret' } }
    assert.is(
      await box.sh('tr "\\0" "\\n" < /proc/1/environ; true', {}, [], options),
      'PATH=/usr/bin:/bin\nTERM=xterm\nHOME=/root',
    )
  })
}

/** Commands on a container, and what must not be heard of them when somebody else could have written its record. */
const COMMANDS: readonly (readonly string[])[] = [
  ['state'],
  ['start'],
  ['kill'],
  ['delete'],
  ['delete', '--force'],
  ['exec'],
  ['pause'],
  ['ps'],
]

function testStateRoots(ground: Ground): void {
  const ANOTHER = 12345

  async function assertRefused(box: Box, path: string, when: string): Promise<void> {
    const words = [...COMMANDS.map((command) => [...command, box.id]), ['create', '--bundle', box.bundle, box.id]]
    for (const command of words) {
      const { status, stdout, stderr } = await box.command([...command, ...(command[0] === 'exec' ? ['true'] : [])])
      assert.is.not(status, 0, `${when}: ${command}`)
      assert.is(stdout, '', `${when}: ${command}`)
      assert.ok(stderr.includes(`${path}: `), `${when}: ${command}: ${stderr}`)
      assert.match(stderr, /belongs to user 12345|others may write to it/, `${when}: ${command}`)
    }
  }

  test('a state root that another could have written to is refused, and nothing is done by what is in it', async () => {
    await using box = new Box(ground)
    const hook = { path: '/bin/sh', args: ['sh', '-c', `echo ran > ${box.path('hook')}`] }
    await box.launch('exec sleep 60', { '/hooks': { poststop: [hook] } })
    const folder = `${box.stateRoot}/${box.id}`
    for (const path of [box.stateRoot, folder, `${folder}/state.json`]) {
      const { mode } = statSync(path)
      chownSync(path, ANOTHER, ANOTHER)
      rmSync(`${folder}/card`, { force: true })
      if (path.endsWith('.json')) assert.match((await box.command(['state', box.id])).stderr, /belongs to user 12345/)
      else await assertRefused(box, path, 'of another')
      chownSync(path, 0, 0)
      chmodSync(path, mode | 0o002)
      if (path.endsWith('.json')) assert.match((await box.command(['state', box.id])).stderr, /others may write to it/)
      else await assertRefused(box, path, 'for all to write')
      chmodSync(path, mode)
    }
    assert.is((await box.state()).status, 'running')
    assert.not.ok(existsSync(box.path('hook')))
    await box.delete('--force')
    assert.ok(existsSync(box.path('hook')))
  })

  test("an empty folder in another's state root is not removed", async () => {
    await using box = new Box(ground)
    mkdirSync(`${box.stateRoot}/${box.id}`, { recursive: true })
    chownSync(box.stateRoot, ANOTHER, ANOTHER)
    assert.is((await box.command(['delete', '--force', box.id])).status, 1)
    assert.ok(existsSync(`${box.stateRoot}/${box.id}`))
    chownSync(box.stateRoot, 0, 0)
  })

  test('what is no file in place of a file makes nobody wait', async () => {
    for (const name of ['state.json', 'card', 'lock', 'init', 'exit', 'failure', 'gate']) {
      await using box = new Box(ground)
      await box.create()
      const folder = `${box.stateRoot}/${box.id}`
      rmSync(`${folder}/${name}`, { force: true })
      if (name === 'gate') mkdirSync(`${folder}/${name}`)
      else assert.is(spawnSync('mkfifo', [`${folder}/${name}`]).status, 0)
      for (const command of [...COMMANDS.filter(([word]) => word !== 'exec'), ['delete', '--force']]) {
        const { status, stderr } = await box.command([...command, box.id], { seconds: 10 })
        assert.ok(status >= 0 && status < 2, `${name}: ${command}: ${status} ${stderr}`)
      }
      assert.equal(box.records(), [], name)
    }
  })

  test("records that others have planted do nothing but stand in root's list", async () => {
    await using box = new Box(ground)
    await box.create()
    const record = JSON.parse(readFileSync(`${box.stateRoot}/${box.id}/state.json`, 'utf8'))
    const planted = `${box.folder}/planted`
    const plant = (id: string, changes: object): string => {
      mkdirSync(`${planted}/${id}`, { recursive: true })
      const text = JSON.stringify({ ...record, phase: 'created', id, ...changes })
      writeFileSync(`${planted}/${id}/state.json`, text)
      return `${planted}/${id}`
    }
    plant('plain', { pid: 1, startTime: 1 })
    plant('path', { pid: `../..${planted}/fifo`, startTime: 1 })
    truncateSync(`${plant('long', {})}/state.json`, 400 << 20)
    for (const id of ['fifo', 'wait']) mkdirSync(`${planted}/${id}`)
    for (const file of ['fifo/stat', 'wait/state.json', 'plain/exit']) spawnSync('mkfifo', [`${planted}/${file}`])
    const { stdout } = await box.command(['list', '--all-roots', '--format', 'json'], {
      env: { XDG_RUNTIME_DIR: box.folder },
      seconds: 20,
    })
    const ids = JSON.parse(stdout).filter(({ root }: { root: string }) => root === planted)
    assert.equal(
      ids.map(({ id }: { id: string }) => id).filter((id: string) => id !== 'plain'),
      [],
    )
  })

  test('a pid file replaces a link, and is not written to what lies beside it', async () => {
    for (const flags of [[], ['--supervised']]) {
      await using box = new Box(ground)
      writeFileSync(box.path('victim'), 'whole')
      symlinkSync(box.path('victim'), box.path('pid'))
      symlinkSync(box.path('victim'), box.path(`pid.${box.id}.tmp`))
      box.configure({ '/process/args': ['sleep', '60'] })
      succeeded(await box.command([...flags, 'create', '--bundle', box.bundle, '--pid-file', box.path('pid'), box.id]))
      assert.is(readFileSync(box.path('pid'), 'utf8'), `${(await box.state()).pid}`)
      assert.is(readFileSync(box.path('victim'), 'utf8'), 'whole')
    }
  })
}

test.run()
