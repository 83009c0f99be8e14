// What an ordinary user's container can mount, and what it is told of the rest.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Edits } from '../bundle.ts'
import { missingForUsers, User } from './user.ts'

/** [what is asked for, what makes it impossible, the sentence and its cure] */
const REFUSED: readonly (readonly [string, Edits, RegExp])[] = [
  [
    'an mqueue without an ipc namespace',
    { '/linux/namespaces': ['user', 'mount', 'pid', 'uts'].map((type) => ({ type })) },
    /mounts\[4\] \(.*\): mount mqueue: fsconfig: EPERM.*\n.*needs a new ipc namespace; or bind/,
  ],
  [
    'a proc without a pid namespace',
    { '/linux/namespaces': ['user', 'mount', 'ipc', 'uts'].map((type) => ({ type })) },
    /mounts\[0\] \(.*\): mount proc: fsconfig: EPERM.*\n.*needs a new pid namespace; or bind/,
  ],
  [
    'a devpts of a group that is not mapped',
    { '/mounts/2/options/-': 'gid=5' },
    /mounts\[2\] \(.*\): option gid=5: fsconfig: EINVAL.*\n.*not mapped.*leave the option out/,
  ],
  [
    'what would come to light below a bind of one folder',
    { '/mounts/-': { destination: '/mnt', source: '/sys', options: ['bind'] } },
    /mounts\[\d\] \(\/mnt\): \/sys: open_tree: EINVAL.*\n.*rbind/,
  ],
  [
    'an ID-mapped mount',
    {
      '/mounts/-': {
        destination: '/mnt',
        source: '/tmp',
        options: ['bind', 'idmap'],
        uidMappings: [{ containerID: 0, hostID: 5, size: 1 }],
        gidMappings: [{ containerID: 0, hostID: 5, size: 1 }],
      },
    },
    /mounts\[\d\] \(.*\): only root can make an ID-mapped mount/,
  ],
  [
    'a file system of a block device',
    { '/mounts/-': { destination: '/mnt', type: 'ext4', source: '/dev/null' } },
    /mounts\[\d\] \(.*\): .*fsconfig: EPERM/,
  ],
]

const LOCKED = '/mnt'
/** A volume of root's, with flags that an ordinary user may not take away. */
const VOLUME = `mount -t tmpfs -o ro,nosuid,nodev,noatime tmpfs ${LOCKED}\n`
const FLAGS = ['ro', 'nosuid', 'nodev', 'noatime']

const volume = (...options: string[]): Edits => ({
  '/mounts/-': { destination: '/data', source: LOCKED, options: ['rbind', ...options] },
})

const missing = missingForUsers()
if (missing === undefined) {
  for (const [what, edits, sentence] of REFUSED) {
    test(`${what} is refused, and the cure is told`, async () => {
      await using user = new User()
      assert.match(await user.refused(edits), sentence)
    })
  }

  test('without a network namespace a sysfs is the one of the host, all of it read-only', async () => {
    await using user = new User()
    const sysfs = { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev'] }
    const script = 'cat /proc/mounts; ls /sys/class/net; touch /sys/x 2>&1'
    const said = await user.sh(`${script}; true`, { '/mounts/5': sysfs })
    const mounts = said.split('\n').filter((line) => /^\w+ \/sys/.test(line) && !line.includes('firmware'))
    assert.ok(mounts.length > 0, said)
    for (const line of mounts) assert.match(line, / ro,/, line)
    assert.match(said, /^lo$/m)
    assert.match(said, /Read-only file system/)
  })

  test('with one it is a new one', async () => {
    await using user = new User()
    const sysfs = { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] }
    const edits = { '/mounts/5': sysfs, '/linux/namespaces/-': { type: 'network' } }
    assert.is(await user.sh('ls /sys/class/net; grep -c " /sys " /proc/mounts', edits), 'lo\n1')
  })

  test('flags of a mount that root locked are kept', async () => {
    await using user = new User()
    const flags = async (edits: Edits): Promise<string[]> =>
      (await user.sh('grep /data /proc/mounts', edits, { prepare: VOLUME })).split(' ')[3]?.split(',') ?? []
    for (const flag of FLAGS) assert.ok((await flags(volume())).includes(flag), flag)
    const more = await flags(volume('noexec', 'nosuid'))
    for (const flag of [...FLAGS, 'noexec']) assert.ok(more.includes(flag), flag)
    const remounted = await flags({
      ...volume(),
      '/mounts': [
        { destination: '/proc', type: 'proc' },
        { destination: '/data', source: LOCKED, options: ['rbind'] },
        { destination: '/data', options: ['remount', 'bind', 'noexec'] },
      ],
    })
    for (const flag of [...FLAGS, 'noexec']) assert.ok(remounted.includes(flag), flag)
  })

  test('… and can not be taken away', async () => {
    await using user = new User()
    for (const option of ['rw', 'suid', 'relatime']) {
      const said = await user.refused(volume(option), { prepare: VOLUME })
      assert.match(said, /mounts\[\d\] \(\/data\): .* on \/data: mount_setattr: EPERM.*\n.*locked a flag/, option)
    }
  })

  test('a proc that would show what is covered is refused, with the reason', async () => {
    await using user = new User()
    const said = await user.refused({}, { prepare: 'mount -t tmpfs tmpfs /proc/sys\n' })
    assert.match(said, /mounts\[0\] \(\/proc\): fsmount: EPERM.*\n.*reveal too much.*Bind the outer one/)
  })

  test('devices are those of the host, and only those that they should be', async () => {
    await using user = new User()
    const script =
      'for name in null zero full random urandom tty; do stat -c "%t:%T" /dev/$name; done; echo x >/dev/null'
    assert.is(await user.sh(script), '1:3\n1:5\n1:7\n1:8\n1:9\n5:0')
    const fuse = { path: '/dev/other', type: 'c', major: 10, minor: 229 }
    assert.match(
      await user.refused({ '/linux/devices': [fuse] }),
      /linux\.devices\[0\] \(.*\): host's \/dev\/other: open_tree: ENOENT/,
    )
    const wrong = { path: '/dev/null', type: 'c', major: 10, minor: 229 }
    assert.match(await user.refused({ '/linux/devices': [wrong] }), /linux\.devices\[0\] \(.*\): .*another file/)
  })
} else {
  console.log(`skipped: all mounts of ordinary users: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
