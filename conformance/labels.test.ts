// Labels of AppArmor and SELinux, on a machine that has neither: in a mount namespace of its own it looks as if it had.
// The kernel then refuses the label, and that it was asked is the proof that the write reached it, and no file of the image.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hasAppArmor } from '../src/host/lsm.ts'
import { Box, failed, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { NAMESPACES } from './bundle.ts'
import { findRuntime } from './runtime.ts'

/** Runs its arguments where both modules seem to be at work. */
const FAKE = `
set -e
cgroups=$(mktemp -d)
mount --rbind /sys/fs/cgroup $cgroups
mount -t tmpfs none /sys/fs
mkdir /sys/fs/cgroup /sys/fs/selinux
mount --rbind $cgroups /sys/fs/cgroup
umount -l $cgroups
rmdir $cgroups
echo 1 >/sys/fs/selinux/enforce
mount -t tmpfs none /sys/module
mkdir -p /sys/module/apparmor/parameters
echo Y >/sys/module/apparmor/parameters/enabled
exec "$@"
`

const LABELS = [
  ['/process/apparmorProfile', 'docker-default', /process\.apparmorProfile: docker-default: write: EINVAL/],
  ['/process/selinuxLabel', 'u:r:container_t:s0', /process\.selinuxLabel: u:r:container_t:s0: write: EINVAL/],
] as const

/** Files of the image where the kernel's would be. */
const TRAPS = [
  'thread-self/attr/apparmor/exec',
  'thread-self/attr/exec',
  'self/attr/exec',
  'thread-self/attr/keycreate',
]

const reason = missingForTests() ?? (hasAppArmor() ? 'AppArmor is at work here' : undefined)

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`labels (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-labels-`)
  const real = findRuntime(linkBuilt(`${folder}/runtime`))
  const ground = new Ground({ ...real, command: ['unshare', '-m', 'sh', '-c', FAKE, 'sh', ...real.command] })
  declareTests(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function declareTests(ground: Ground): void {
  for (const [pointer, label, pattern] of LABELS) {
    test(`${pointer} goes to the kernel, whatever the image has at /proc`, async () => {
      await using box = new Box(ground)
      for (const trap of TRAPS) {
        mkdirSync(`${box.rootfs}/proc/${trap.replace(/\/[^/]*$/, '')}`, { recursive: true })
        writeFileSync(`${box.rootfs}/proc/${trap}`, '')
      }
      const stderr = await box.rejected({
        '/mounts': [],
        '/linux/maskedPaths': [],
        '/linux/readonlyPaths': [],
        [pointer]: label,
      })
      assert.match(stderr, pattern)
      for (const trap of TRAPS) assert.is(readFileSync(`${box.rootfs}/proc/${trap}`, 'utf8'), '', trap)
    })

    test(`${pointer} goes to the kernel from a user namespace`, async () => {
      await using box = new Box(ground)
      const mappings = [{ containerID: 0, hostID: 100000, size: 65536 }]
      const stderr = await box.rejected({
        '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
        '/linux/uidMappings': mappings,
        '/linux/gidMappings': mappings,
        '/mounts': [{ destination: '/dev', type: 'tmpfs', source: 'tmpfs' }],
        '/linux/maskedPaths': [],
        '/linux/readonlyPaths': [],
        [pointer]: label,
      })
      assert.match(stderr, pattern)
    })
  }

  for (const [flag, label, pattern] of [
    ['--apparmor', LABELS[0][1], LABELS[0][2]],
    ['--process-label', LABELS[1][1], LABELS[1][2]],
  ] as const) {
    test(`exec ${flag} goes to the kernel, and the container is as before`, async () => {
      await using box = new Box(ground)
      await box.launch('exec sleep 60')
      assert.match(failed(await box.command(['exec', flag, label, box.id, 'true'])).stderr, pattern)
      assert.is((await box.state()).status, 'running')
      succeeded(await box.command(['exec', flag, '', box.id, 'true']))
    })
  }

  test('/linux/mountLabel is given to file systems by name', async () => {
    await using box = new Box(ground)
    const stderr = await box.rejected({ '/linux/mountLabel': 'u:object_r:files_t:s0:c1,c2' })
    assert.match(stderr, /mounts\[1\] \(.*\): option context=u:object_r:files_t:s0:c1,c2: fsconfig: EINVAL/)
  })
}

test.run()
