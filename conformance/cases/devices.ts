// config-linux.md, Devices and Default Devices.

import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { NAMESPACES } from '../bundle.ts'
import { assertDeviceUntouched } from '../canary.ts'
import { check, skip } from '../case.ts'

const STAT = 'stat -c "%F %t:%T %a %u:%g"'

check('K3', 'fileMode of a device may have the type as well, as Podman writes it', async (box) => {
  const device = { path: '/dev/mine', type: 'c', major: 1, minor: 3, fileMode: 0o20640 }
  assert.is(await box.sh('stat -c %f /dev/mine', { '/linux/devices': [device] }), '21a0')
})

check('K3', '/dev/ptmx among the devices is the link to the own terminals', async (box) => {
  const device = { path: '/dev/ptmx', type: 'c', major: 5, minor: 2, fileMode: 0o666 }
  assert.is(await box.sh('readlink /dev/ptmx', { '/linux/devices': [device] }), 'pts/ptmx')
})

check('F9', 'the default devices are there, with their numbers and modes', async (box) => {
  const said = await box.sh(`for name in null zero full random urandom tty; do ${STAT} /dev/$name; done`)
  const expected = ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0'].map(
    (number) => `character special file ${number} 666 0:0`,
  )
  assert.equal(said.split('\n'), expected)
})

check('F9', 'they work', async (box) => {
  assert.is(
    await box.sh('echo x >/dev/null; head -c 3 /dev/zero | od -An -tx1; head -c 9 /dev/urandom | wc -c'),
    '00 00 00\n9',
  )
})

check('F9', '/dev/ptmx is that of /dev/pts', async (box) => {
  assert.is(await box.sh('readlink /dev/ptmx || stat -c %t:%T /dev/ptmx'), 'pts/ptmx')
})

check('F10', 'links of /dev to the standard streams', async (box) => {
  const said = await box.sh('for name in fd stdin stdout stderr; do readlink /dev/$name; done')
  assert.equal(said.split('\n'), ['/proc/self/fd', '/proc/self/fd/0', '/proc/self/fd/1', '/proc/self/fd/2'])
})

check('F7', 'a character device with mode and owner', async (box) => {
  const device = { path: '/dev/mine', type: 'c', major: 1, minor: 3, fileMode: 0o640, uid: 5, gid: 6 }
  const said = await box.sh(`${STAT} /dev/mine`, { '/linux/devices': [device] })
  assert.is(said, 'character special file 1:3 640 5:6')
})

check('F7', "a device is everybody's, and of root, when nothing else is said", async (box) => {
  const device = { path: '/dev/mine', type: 'c', major: 1, minor: 3 }
  const said = await box.sh(`${STAT} /dev/mine`, { '/linux/devices': [device] })
  assert.is(said, 'character special file 1:3 666 0:0')
})

check('F7', 'a block device, a fifo, and a device anywhere', async (box) => {
  const devices = [
    { path: '/dev/block', type: 'b', major: 7, minor: 200, fileMode: 0o600 },
    { path: '/dev/fifo', type: 'p', fileMode: 0o622 },
    { path: '/some/where/else', type: 'u', major: 1, minor: 5, fileMode: 0o666 },
  ]
  const said = await box.sh('stat -c "%F %a" /dev/block /dev/fifo /some/where/else; stat -c %t:%T /dev/block', {
    '/linux/devices': devices,
  })
  assert.equal(said.split('\n'), ['block special file 600', 'fifo 622', 'character special file 666', '7:c8'])
})

check('0.4', 'a device whose path is another file is refused', async (box) => {
  writeFileSync(`${box.rootfs}/file`, 'x')
  await box.rejected({ '/linux/devices': [{ path: '/file', type: 'c', major: 1, minor: 3 }] })
})

check('F7', 'a device that is there as asked is left alone', async (box) => {
  makeNode(`${box.rootfs}/there`, 'c', 1, 3)
  const device = { path: '/there', type: 'c', major: 1, minor: 3, fileMode: 0o666 }
  assert.is(await box.sh('stat -c %t:%T /there', { '/linux/devices': [device] }), '1:3')
})

check('F8', 'two nodes of one device', async (box) => {
  const twice = ['/dev/one', '/dev/two'].map((path) => ({ path, type: 'c', major: 1, minor: 3, fileMode: 0o666 }))
  assert.is(await box.sh('echo x >/dev/one && echo x >/dev/two && echo both', { '/linux/devices': twice }), 'both')
})

check('F9', "what root of a user namespace does to a device doesn't change that of the host", async (box) => {
  const mappings = [{ containerID: 0, hostID: 0, size: 65_536 }]
  await assertDeviceUntouched('/dev/full', async () => {
    const script = 'chmod 606 /dev/full; chown 0:1 /dev/full; touch -t 200001010000 /dev/full'
    const said = await box.sh(`(${script}) 2>/dev/null; echo x >/dev/null && echo written`, {
      '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
      '/linux/uidMappings': mappings,
      '/linux/gidMappings': mappings,
    })
    assert.is(said, 'written')
  })
})

function makeNode(path: string, type: 'b' | 'c', major: number, minor: number): void {
  assert.is(spawnSync('mknod', ['-m', '666', path, type, `${major}`, `${minor}`]).status, 0, `mknod ${path}`)
}

for (const device of [
  { path: '/dev/x', type: 'z', major: 1, minor: 3 },
  { path: '/dev/x', type: 'c', major: 'one', minor: 3 },
  { type: 'c', major: 1, minor: 3 },
]) {
  check('F7', `the device ${JSON.stringify(device)} is refused`, async (box) => {
    await box.rejected({ '/linux/devices': [device] })
  })
}

/** A device that takes no capability to open, and that no runtime allows unasked. */
function findDevice(): { readonly type: 'c'; readonly major: number; readonly minor: number } {
  for (const path of ['/dev/fuse', '/dev/loop-control', '/dev/tty0']) {
    try {
      closeSync(openSync(path, 'r'))
      const { rdev } = statSync(path)
      return { type: 'c', major: (rdev >> 8) & 0xfff, minor: rdev & 0xff }
    } catch {
      // not on this machine
    }
  }
  return skip('this machine has no device to try it with')
}

const OPEN = '(: </dev/tried) 2>&1 && echo opened || true'
const deny = { allow: false, access: 'rwm' }

check('G4', 'a device that is not allowed can not be opened', async (box) => {
  const said = await box.sh(OPEN, { '/linux/devices': [{ path: '/dev/tried', ...findDevice() }] })
  assert.match(said, /Operation not permitted/)
})

check('G4', 'a device that is allowed can', async (box) => {
  const tried = { ...findDevice() }
  const said = await box.sh(OPEN, {
    '/linux/devices': [{ path: '/dev/tried', ...tried, fileMode: 0o666 }],
    '/linux/resources/devices': [deny, { allow: true, ...tried, access: 'r' }],
  })
  assert.is(said, 'opened')
})

check('G4', 'of two rules for a device the later one counts', async (box) => {
  const tried = { ...findDevice(), access: 'rwm' }
  const said = await box.sh(OPEN, {
    '/linux/devices': [{ path: '/dev/tried', type: 'c', major: tried.major, minor: tried.minor }],
    '/linux/resources/devices': [deny, { allow: true, ...tried }, { allow: false, ...tried }],
  })
  assert.match(said, /Operation not permitted/)
})

check('K2', 'devices may be made, but not opened, when nothing is allowed', async (box) => {
  const said = await box.sh('mknod /tmp/d c 1 11 && (: </tmp/d) 2>&1 || true', {
    '/process/capabilities/bounding/-': 'CAP_MKNOD',
    '/process/capabilities/effective/-': 'CAP_MKNOD',
    '/process/capabilities/permitted/-': 'CAP_MKNOD',
  })
  assert.match(said, /\/tmp\/d: Operation not permitted/)
})

check('F9', 'a bound /dev is taken as it is', async (box) => {
  const own = box.path('dev')
  mkdirSync(own)
  writeFileSync(`${own}/mine`, 'x')
  makeNode(`${own}/null`, 'c', 1, 3)
  const said = await box.sh('ls /dev', {
    '/mounts': [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'bind', source: own, options: ['bind'] },
    ],
  })
  assert.match(said, /^mine$/m)
})
