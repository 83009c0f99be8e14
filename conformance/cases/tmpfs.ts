// config.md, Mounts: what a new tmpfs has in it, and who may write to it.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import * as assert from 'uvu/assert'
import { syscall } from '../../src/native/syscall.ts'
import { NAMESPACES } from '../bundle.ts'
import { check } from '../case.ts'

function setXattr(path: string, name: string, value: Uint8Array): void {
  syscall('setxattr', path, name, value, value.length, 0)
}

/** In hexadecimal digits. */
function getXattr(path: string, name: string): string {
  const room = new Uint8Array(256)
  return Buffer.from(room.subarray(0, syscall('getxattr', path, name, room, room.length))).toString('hex')
}

const TMPFS = { type: 'tmpfs', source: 'tmpfs' }
const COPY_UP = { destination: '/data', ...TMPFS, options: ['tmpcopyup'] }

check('C6', 'tmpcopyup takes over what is covered', async (box) => {
  writeFileSync(`${box.rootfs}/data/file`, 'covered', { mode: 0o640 })
  symlinkSync('file', `${box.rootfs}/data/link`)
  const mount = COPY_UP
  const said = await box.sh('cat /data/link; echo; stat -c %a /data/file; echo new >/data/file', { '/mounts/-': mount })
  assert.is(said, 'covered\n640')
  assert.is(readFileSync(`${box.rootfs}/data/file`, 'utf8'), 'covered')
})

check('C6', 'tmpcopyup copies folders in folders, empty files and long names', async (box) => {
  const deep = `${box.rootfs}/data/${'folder/'.repeat(30)}`
  mkdirSync(deep, { recursive: true })
  writeFileSync(`${deep}/file`, 'deep')
  for (let index = 0; index < 300; index++) writeFileSync(`${box.rootfs}/data/${index}-${'n'.repeat(200)}`, '')
  writeFileSync(`${box.rootfs}/data/.hidden`, '.')
  writeFileSync(`${box.rootfs}/data/..two`, '..')
  writeFileSync(`${box.rootfs}/data/large`, Buffer.alloc(3_000_000, 'x'))
  const script = `cat /data/${'folder/'.repeat(30)}file /data/.hidden /data/..two; ls /data | wc -l; wc -c < /data/large; grep -c . /data/large`
  assert.is(await box.sh(script, { '/mounts/-': COPY_UP }), 'deep...302\n3000000\n1')
})

check('C6', 'tmpcopyup copies owners, modes and times', async (box) => {
  const data = `${box.rootfs}/data`
  mkdirSync(`${data}/folder`)
  writeFileSync(`${data}/folder/file`, '')
  symlinkSync('/nowhere', `${data}/link`)
  spawnSync('chown', ['-h', '11:12', `${data}/link`])
  chownSync(`${data}/folder/file`, 7, 8)
  chmodSync(`${data}/folder/file`, 0o4751)
  chownSync(`${data}/folder`, 9, 10)
  chmodSync(`${data}/folder`, 0o1771)
  for (const name of ['folder/file', 'folder']) utimesSync(`${data}/${name}`, 1_000_000, 1_234_567)
  const script = "stat -c '%n %u:%g %a %Y' /data/folder /data/folder/file; stat -c '%u:%g %N' /data/link"
  const said = await box.sh(script, { '/mounts/-': COPY_UP })
  const [folder, file, link] = said.split('\n')
  assert.is(folder, '/data/folder 9:10 1771 1234567')
  assert.is(file, '/data/folder/file 7:8 4751 1234567')
  assert.match(link ?? '', /^11:12 .*\/data\/link.* -> .*\/nowhere/)
})

check('C6', 'tmpcopyup copies what is no file, folder or link', async (box) => {
  const made = [
    ['fifo', 'p'],
    ['device', 'c', '1', '3'],
    ['large', 'b', '300', '70000'],
  ]
  for (const [name = '', ...words] of made) spawnSync('mknod', [`${box.rootfs}/data/${name}`, ...words])
  const said = await box.sh("cd /data; stat -c '%n %F %t:%T' fifo device large", { '/mounts/-': COPY_UP })
  assert.is(said, 'fifo fifo 0:0\ndevice character special file 1:3\nlarge block special file 12c:11170')
})

check('C6', 'tmpcopyup copies extended attributes', async (box) => {
  // A set of capabilities: what of extended attributes matters to programs.
  const file = `${box.rootfs}/data/program`
  writeFileSync(file, '')
  const value = Buffer.from('0100000200040000000000000000000000000000', 'hex')
  setXattr(file, 'security.capability', value)
  setXattr(file, 'trusted.runt', Buffer.from('trusted'))
  await box.launch('exec sleep 100', { '/mounts/-': COPY_UP })
  const { pid } = await box.state()
  const copy = `/proc/${pid}/root/data/program`
  assert.is(getXattr(copy, 'security.capability'), value.toString('hex'))
  assert.is(getXattr(copy, 'trusted.runt'), Buffer.from('trusted').toString('hex'))
})

check('C6', 'tmpcopyup with ro is read-only once it is filled', async (box) => {
  writeFileSync(`${box.rootfs}/data/file`, 'covered')
  const mount = { ...COPY_UP, options: ['tmpcopyup', 'ro', 'mode=711'] }
  const said = await box.sh('cat /data/file; touch /data/x 2>&1; stat -c " %a" /data', { '/mounts/-': mount })
  assert.match(said, /^covered.*Read-only file system\n 711$/)
})

check('C6', 'tmpcopyup in a user namespace', async (box) => {
  const data = `${box.rootfs}/data`
  writeFileSync(`${data}/file`, 'covered')
  chownSync(`${data}/file`, 100_005, 100_006)
  chownSync(data, 100_000, 100_000)
  linkSync(`${data}/file`, `${data}/second`)
  const list = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  const said = await box.sh('cat /data/second; stat -c " %u:%g" /data/file; echo x >/data/x', {
    '/mounts/-': COPY_UP,
    '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
    '/linux/uidMappings': list,
    '/linux/gidMappings': list,
  })
  assert.is(said, 'covered 5:6')
})

check('C6', 'tmpcopyup of a folder that an earlier mount has covered', async (box) => {
  mkdirSync(box.path('volume'))
  writeFileSync(box.path('volume/file'), 'volume')
  writeFileSync(`${box.rootfs}/data/file`, 'image')
  const bind = { destination: '/data', type: 'bind', source: box.path('volume'), options: ['bind', 'ro'] }
  const proc = { destination: '/proc', type: 'proc', source: 'proc' }
  assert.is(await box.sh('cat /data/file; touch /data/new', { '/mounts': [proc, bind, COPY_UP] }), 'volume')
  assert.is(readFileSync(box.path('volume/file'), 'utf8'), 'volume')
})

check('C6', 'tmpcopyup that does not fit is refused', async (box) => {
  writeFileSync(`${box.rootfs}/data/large`, Buffer.alloc(3_000_000, 'x'))
  const said = await box.rejected({ '/mounts/-': { ...COPY_UP, options: ['tmpcopyup', 'size=1m'] } })
  assert.match(said, /ENOSPC|no space left on device/i)
})

for (const mode of [0o700, 0o1777, 0o755]) {
  check('K5', `a tmpfs without a mode has that of the folder it covers: ${mode.toString(8)}`, async (box) => {
    chmodSync(`${box.rootfs}/data`, mode)
    for (const options of [[], ['ro', 'nosuid']]) {
      const edits = { '/mounts/-': { destination: '/data', ...TMPFS, options } }
      const [found, mounted] = (await box.sh('stat -c %a /data; grep " /data " /proc/mounts', edits)).split('\n')
      assert.is(found, mode.toString(8), `${options}`)
      // 1777 is what a tmpfs has by itself: the kernel doesn't show it.
      if (mode !== 0o1777) assert.match(mounted ?? '', new RegExp(`\\bmode=${found}\\b`))
    }
    assert.is(statSync(`${box.rootfs}/data`).mode & 0o7777, mode)
  })
}

check('K5', 'a tmpfs on a folder that is made for it may be written to by everybody', async (box) => {
  const mount = { destination: '/new/folder', ...TMPFS }
  assert.is(await box.sh('stat -c %a /new/folder', { '/mounts/-': mount }), '1777')
})

check('K5', 'a tmpfs with a mode has that', async (box) => {
  const mount = { destination: '/data', ...TMPFS, options: ['mode=710'] }
  assert.is(await box.sh('stat -c %a /data', { '/mounts/-': mount }), '710')
})
