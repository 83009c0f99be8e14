// What runt says about mounts that the kernel refuses, and flags that an outer user namespace has locked.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, Ground } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { type Edits, NAMESPACES } from './bundle.ts'
import { findRuntime, type Result } from './runtime.ts'

const reason = missingForTests()
const NESTED = ['unshare', '--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc']
const IDS = [{ containerID: 0, hostID: 0, size: 65_536 }]
const USER: Edits = { '/linux/uidMappings': IDS, '/linux/gidMappings': IDS }
const withUser = (leftOut?: string): Edits => ({
  ...USER,
  '/linux/namespaces': [...NAMESPACES.filter(({ type }) => type !== leftOut), { type: 'user' }],
})
const PROC = { destination: '/proc', type: 'proc', source: 'proc' }

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`mounts (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-mounts-`)
  const ground = new Ground(findRuntime(`${linkBuilt(`${folder}/runtime`)} --rootless true`))
  testRefusals(ground)
  testLockedFlags(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function refused({ status, stderr }: Result, ...patterns: RegExp[]): void {
  assert.is.not(status, 0)
  for (const pattern of patterns) assert.match(stderr, pattern)
}

function testRefusals(ground: Ground): void {
  test('a procfs that would reveal too much is refused with the reason and the remedy', async () => {
    for (const covered of ['/proc/sys', '/proc/irq']) {
      await using box = new Box(ground)
      const said = await box.runPrepared(`mount -t tmpfs cover ${covered}`, { ...withUser(), '/mounts': [PROC] })
      refused(said, /mounts\[0\] \(\/proc\): fsmount: EPERM/, /reveal too much/, /rbind/)
      box.assertNothingLeft()
    }
  })

  test('a sysfs that would reveal too much is refused with the reason', async () => {
    await using box = new Box(ground)
    const sys = { destination: '/sys', type: 'sysfs', source: 'sysfs' }
    const said = await box.runPrepared('mount -t tmpfs cover /sys/firmware', { ...withUser(), '/mounts': [PROC, sys] })
    refused(said, /mounts\[1\] \(\/sys\): fsmount: EPERM/, /reveal too much/)
  })

  test('file systems of namespaces that the user namespace does not own are refused with the remedy', async () => {
    for (const [type, namespace, word] of [
      ['proc', 'pid', /new pid namespace/],
      ['mqueue', 'ipc', /new ipc namespace/],
    ] as const) {
      await using box = new Box(ground)
      const mount = { destination: '/proc', type: 'proc', source: 'proc' }
      const mounts = type === 'proc' ? [mount] : [PROC, { destination: '/mnt', type, source: type }]
      refused(await box.runPrepared('true', { ...withUser(namespace), '/mounts': mounts }), /EPERM/, word)
    }
  })

  test("without a network namespace of its own the host's sysfs is there, to be read", async () => {
    await using box = new Box(ground)
    const sys = { destination: '/sys', type: 'sysfs', source: 'sysfs' }
    const script = 'grep " /sys " /proc/self/mounts | cut -d" " -f3,4; ls /sys/class'
    const edits = { ...withUser('network'), '/mounts': [PROC, sys], '/process/args': ['sh', '-c', script] }
    assert.match((await box.runPrepared('true', edits)).stdout, /^sysfs ro,[\s\S]*net/)
  })

  test('idmap on a file system that can not is refused with the reason', async () => {
    await using box = new Box(ground)
    const list = [{ containerID: 0, hostID: 9, size: 1 }]
    const mount = { destination: '/mnt', type: 'mqueue', options: ['idmap'], uidMappings: list, gidMappings: list }
    refused(
      await box.runPrepared('true', { '/mounts/-': mount }),
      /idmap of \/mnt: mount_setattr: EINVAL/,
      /other owners/,
    )
  })

  test('a link at an end of a bind is meant itself with src-nofollow and dest-nofollow', async () => {
    for (const [source, destination] of [
      [true, false],
      [false, true],
      [true, true],
    ]) {
      await using box = new Box(ground)
      writeFileSync(box.path('file'), 'bound')
      symlinkSync('file', box.path('link'))
      symlinkSync('/etc/passwd', `${box.rootfs}/data/link`)
      const place = `/data/${destination ? 'link' : 'made'}`
      const options = ['bind', ...(source ? ['src-nofollow'] : []), ...(destination ? ['dest-nofollow'] : [])]
      const mount = { destination: place, source: box.path('link'), options }
      const said = await box.sh(`readlink ${place} || cat ${place}; grep -c ^root: /etc/passwd`, { '/mounts/-': mount })
      assert.is(said, source ? 'file\n1' : 'bound1')
    }
    await using box = new Box(ground)
    const tmpfs = { destination: '/mnt', type: 'tmpfs', options: ['dest-nofollow'] }
    assert.match(await box.rejected({ '/mounts/-': tmpfs }), /dest-nofollow.*is for binds only/)
  })

  test('the reason of an EINVAL is told: an option that is none, and a remount of what is no mount', async () => {
    await using box = new Box(ground)
    for (const [mount, reason] of [
      [
        { type: 'tmpfs', options: ['size=much'] },
        /option size=much: fsconfig: EINVAL[\s\S]*no such option, or not with this/,
      ],
      [{ type: 'none', options: ['remount', 'ro'] }, /mount_setattr: EINVAL[\s\S]*nothing is mounted there/],
      [{ type: 'none', options: ['private'] }, /mount_setattr: EINVAL[\s\S]*nothing is mounted there/],
    ] as const) {
      assert.match(await box.rejected({ '/mounts/-': { destination: '/data', ...mount } }), reason)
    }
  })

  test('a file on a folder and a folder on a file are told apart, in the words that dockerd looks for', async () => {
    await using box = new Box(ground)
    const [file, folder] = [box.path('file'), box.path('folder')]
    writeFileSync(file, '')
    mkdirSync(folder)
    const bind = (source: string, destination: string) => ({ destination, source, options: ['bind'] })
    for (const [mount, said] of [
      [bind(file, '/mnt'), `${file} on /mnt: what is mounted is a file, not a directory`],
      [
        bind(folder, '/etc/passwd'),
        `${folder} on /etc/passwd: what is mounted is a folder, and its destination in the container a file, not a directory`,
      ],
      [{ destination: '/etc/passwd', type: 'tmpfs' }, 'tmpfs on /etc/passwd: what is mounted is a folder'],
    ] as const) {
      assert.ok((await box.rejected({ '/mounts/-': mount })).includes(said), said)
    }
    const both = [PROC, bind(folder, '/data'), bind(file, '/mnt')] // with equal options
    assert.match(await box.rejected({ '/mounts': both }), /mounts\[2\] \(\/mnt\): .*\/file on \/mnt: /)
  })

  test("without a mount namespace the caller's own mounts stay as they are, and a failure leaves none", async () => {
    await using box = new Box(ground)
    // What other tests mount meanwhile is below other folders.
    const mountinfo = (): string[] =>
      readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((line) => !/^\/tmp\/./.test(line.split(' ')[4] ?? '') || line.includes(box.rootfs))
    const namespaces = NAMESPACES.filter(({ type }) => type !== 'mount')
    const rest = { '/linux/namespaces': namespaces, '/linux/maskedPaths': [], '/linux/readonlyPaths': [] }
    const before = mountinfo()
    const mounts = [
      { destination: '/data', type: 'tmpfs' },
      { destination: '/mnt', type: 'tmpfs' },
      { destination: '/mnt/x', type: 'nosuchfs' },
    ]
    await box.rejected({ ...rest, '/mounts': mounts })
    assert.equal(mountinfo(), before)
    const args = ['sh', '-c', 'touch /new || echo read-only']
    const edits = { ...rest, '/root/readonly': true, '/mounts': mounts.slice(0, 2), '/process/args': args }
    const result = await box.run(edits)
    const left = mountinfo().filter((line) => !before.includes(line))
    spawnSync('umount', ['--recursive', '--lazy', box.rootfs])
    assert.is(result.stdout, 'read-only\n', result.stderr)
    assert.ok(left.length === 3 && left.every((line) => line.split(' ')[4]?.startsWith(box.rootfs)), left.join('\n'))
    assert.equal(mountinfo(), before)
  })

  test('options of the file system are refused by name on v1 cgroups', async () => {
    await using box = new Box(ground)
    const mount = { destination: '/sys/fs/cgroup', type: 'cgroup', options: ['ro', 'nsdelegate'] }
    const said = await box.runPrepared('test -e /sys/fs/cgroup/memory', { '/mounts/-': mount })
    refused(said, /mounts\[\d\]\.options \(.*\): nsdelegate is no option/)
  })
}

/** Runt as root of a user namespace: what comes from outside of it has its flags locked. */
function testLockedFlags(ground: Ground): void {
  const nested = (box: Box, options: readonly string[]): Promise<Result> => {
    const volume = box.path('volume')
    mkdirSync(volume)
    // No cgroups: they are not this user namespace's.
    const script = `mount -t tmpfs none /sys/fs/cgroup && mount -t tmpfs -o nosuid,nodev locked ${volume}`
    const mount = { destination: '/mnt', type: 'bind', source: volume, options }
    const edits = { '/mounts': [PROC, mount], '/process/args': ['grep', 'locked', '/proc/self/mountinfo'] }
    return box.runPrepared(script, edits, NESTED)
  }

  test('flags that an outer user namespace has locked are kept', async () => {
    for (const options of [['bind'], ['bind', 'ro'], ['rbind', 'rro', 'noexec']]) {
      await using box = new Box(ground)
      const { status, stdout, stderr } = await nested(box, options)
      assert.is(status, 0, stderr)
      assert.match(stdout, options.some((each) => each.includes('ro')) ? / ro,nosuid,nodev/ : / rw,nosuid,nodev/)
    }
  })

  test('the opposite of a locked flag is refused with the reason', async () => {
    for (const options of [
      ['bind', 'suid'],
      ['rbind', 'dev'],
      ['rbind', 'rsuid'],
      ['bind', 'strictatime'],
    ]) {
      await using box = new Box(ground)
      refused(
        await nested(box, options),
        /mounts\[1\] \(\/mnt\): .* on \/mnt: mount_setattr: EPERM/,
        /has locked a flag/,
      )
    }
  })
}

test.run()
