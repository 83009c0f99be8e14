// Where a mount ends up when the image, or a volume that was mounted before, has links on the way.

import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, succeeded } from '../box.ts'
import { check } from '../case.ts'

const TMPFS = { type: 'tmpfs', source: 'trap' }
const PROC = { destination: '/proc', type: 'proc', source: 'proc' }
const INFO = 'cat /proc/self/mountinfo'

for (const target of ['/proc/sys', '/proc/self/attr', '../proc/sysrq-trigger', '/proc']) {
  check('K5', `a mount on a link of the image to ${target} is refused`, async (box) => {
    symlinkSync(target, `${box.rootfs}/data/link`)
    const isFile = target.endsWith('trigger')
    writeFileSync(box.path('file'), '')
    const bind = { destination: '/data/link', type: 'bind', source: box.path('file'), options: ['bind'] }
    await box.rejected({ '/mounts/-': isFile ? bind : { destination: '/data/link', ...TMPFS } })
  })
}

check('K5', 'a mount below a link of the image to /proc is refused', async (box) => {
  symlinkSync('/proc', `${box.rootfs}/data/link`)
  await box.rejected({ '/mounts/-': { destination: '/data/link/sys/kernel', ...TMPFS } })
})

check('K5', 'a link of the image to a file of /proc that only describes may be mounted on', async (box) => {
  symlinkSync('/proc/uptime', `${box.rootfs}/data/link`)
  writeFileSync(box.path('uptime'), '1 2\n')
  const bind = { destination: '/data/link', type: 'bind', source: box.path('uptime'), options: ['bind'] }
  assert.is(await box.sh('cat /proc/uptime', { '/mounts/-': bind }), '1 2')
})

for (const target of ['/proc/sys', '/proc/self']) {
  check('K5', `a mount on a link of a volume to ${target} is refused`, async (box) => {
    const volume = box.path('volume')
    mkdirSync(volume)
    symlinkSync(target, `${volume}/link`)
    const bind = { destination: '/mnt', type: 'bind', source: volume, options: ['bind'] }
    await box.rejected({ '/mounts': [PROC, bind, { destination: '/mnt/link', ...TMPFS }] })
  })
}

check('K5', 'a mount on a link of a volume is made where it leads in the container', async (box) => {
  const volume = box.path('volume')
  mkdirSync(volume)
  symlinkSync('/data', `${volume}/link`)
  const bind = { destination: '/mnt', type: 'bind', source: volume, options: ['bind'] }
  const mounts = [
    PROC,
    bind,
    { destination: '/mnt/link', ...TMPFS },
    { destination: '/mnt/link/new/folder', ...TMPFS, options: ['size=44k'] },
  ]
  const said = await box.sh(INFO, { '/mounts': mounts })
  assert.match(said, / \/data .* tmpfs trap /)
  assert.match(said, / \/data\/new\/folder .*size=44k/)
})

const bind = (source: string, destination: string, ...options: string[]) => ({
  destination,
  type: 'bind',
  source,
  options: ['bind', ...options],
})

/** A folder of the host with files in it: path → contents. */
function volume(box: Box, files: Readonly<Record<string, string>>): string {
  const folder = box.path('volume')
  for (const [path, contents] of Object.entries(files)) {
    const place = `${folder}/${path}`
    mkdirSync(place.slice(0, place.lastIndexOf('/')), { recursive: true })
    writeFileSync(place, contents)
  }
  return folder
}

check('K5', 'a link of the image does not lead a mount past the volume that covers the link', async (box) => {
  const project = volume(box, { '.git/config': 'safe' })
  mkdirSync(`${box.rootfs}/app`)
  mkdirSync(`${box.rootfs}/decoy`)
  symlinkSync('/decoy', `${box.rootfs}/app/.git`)
  const said = await box.sh('echo attacked >/app/.git/config; cat /app/.git/config; ls -A /decoy', {
    '/mounts': [PROC, bind(project, '/app'), bind(`${project}/.git`, '/app/.git', 'ro')],
  })
  assert.is(said, 'safe')
  assert.is(readFileSync(`${project}/.git/config`, 'utf8'), 'safe')
})

check('K5', 'a tmpfs hides a folder of a volume, whatever link the image has there', async (box) => {
  const app = volume(box, { 'secret/key': 'secret' })
  mkdirSync(`${box.rootfs}/app`)
  symlinkSync('/tmp', `${box.rootfs}/app/secret`)
  const mounts = [PROC, bind(app, '/app'), { destination: '/app/secret', ...TMPFS }]
  assert.is(await box.sh('ls -A /app/secret', { '/mounts': mounts }), '')
})

check('K5', 'mounts by a link to a tmpfs and by its name are all there', async (box) => {
  const folder = volume(box, { file: 'bound', secret: 'secret' })
  mkdirSync(`${box.rootfs}/var`)
  symlinkSync('/run', `${box.rootfs}/var/run`)
  const mounts = [
    PROC,
    { destination: '/run', ...TMPFS },
    bind(folder, '/var/run/x'),
    bind(`${folder}/secret`, '/run/secrets'),
    bind(folder, '/var/run'),
    bind(`${folder}/file`, '/run/again'),
  ]
  assert.is(await box.sh('cat /run/again', { '/mounts': mounts }), 'bound')
  assert.is(await box.sh('cat /run/x/file /run/secrets', { '/mounts': mounts.slice(0, 4) }), 'boundsecret')
})

check('K5', 'devices are in /dev, also when a link leads a bind over it', async (box) => {
  const folder = volume(box, { file: '' })
  symlinkSync('/dev', `${box.rootfs}/d`)
  const mounts = [PROC, { destination: '/dev', ...TMPFS }, bind(folder, '/d')]
  assert.is(
    await box.sh('ls /dev/file; stat -c %t:%T /dev/null /dev/zero', { '/mounts': mounts }),
    '/dev/file\n1:3\n1:5',
  )
})

check('K5', 'a link to a name that is no text leads there', async (box) => {
  const name = Buffer.from([0x2f, 0x74, 0x6d, 0x70, 0x2f, 0xff, 0xfe, 0x7a])
  symlinkSync(name, `${box.rootfs}/data/link`)
  mkdirSync(`${box.rootfs}/tmp/aside`)
  const mounts = [PROC, { destination: '/data/link', ...TMPFS }]
  await box.sh('cd /tmp/$(printf "\\377\\376z") && touch here', { '/mounts': mounts })
  assert.not.ok(existsSync(Buffer.concat([Buffer.from(`${box.rootfs}`), name, Buffer.from('/here')])))
})

check('K5', 'a missing place behind links that lead to nothing is made where they lead', async (box) => {
  const folder = volume(box, { file: 'bound' })
  symlinkSync('/tmp/foo/bar', `${box.rootfs}/jump`)
  symlinkSync('/jump/baz/./hosts', `${box.rootfs}/etc/hosts`)
  symlinkSync('../run/systemd//resolve/stub', `${box.rootfs}/etc/resolv.conf`)
  symlinkSync('/tmp/made/', `${box.rootfs}/data/folder`)
  const mounts = [
    PROC,
    bind(`${folder}/file`, '/etc/hosts'),
    bind(`${folder}/file`, '/etc/resolv.conf'),
    bind(folder, '/data/folder'),
  ]
  assert.is(
    await box.sh('cat /tmp/foo/bar/baz/hosts /run/systemd/resolve/stub /tmp/made/file', { '/mounts': mounts }),
    'boundboundbound',
  )
})

check('K5', 'links that lead to each other are refused', async (box) => {
  symlinkSync('/data/two/x', `${box.rootfs}/data/one`)
  symlinkSync('/data/one/x', `${box.rootfs}/data/two`)
  await box.rejected({ '/mounts': [PROC, { destination: '/data/one/new', ...TMPFS }] })
})

for (const target of ['/', '..', '/data/../..']) {
  check('K5', `a mount on a link of the image to ${target}, which is the root, is refused`, async (box) => {
    symlinkSync(target, `${box.rootfs}/data/link`)
    await box.rejected({ '/mounts/-': { destination: '/data/link', ...TMPFS } })
  })
}

check('C1', 'a source that lies on an earlier mount is what was mounted there', async (box) => {
  for (const name of ['a', 'b']) {
    mkdirSync(box.path(`${name}/x`), { recursive: true })
    writeFileSync(box.path(`${name}/${name}`), name)
  }
  mkdirSync(`${box.rootfs}/final`)
  const mounts = [
    PROC,
    bind(box.path('a'), '/mnt'),
    bind(box.path('b'), '/mnt/x'),
    { ...bind(`${box.rootfs}/mnt`, '/final'), options: ['rbind'] },
    bind(`${box.rootfs}/mnt/x`, '/data'),
  ]
  assert.is(await box.sh('cat /final/a /final/x/b /data/b', { '/mounts': mounts }), 'abb')
})

check('K5', 'a destination below the path of the root is one in the container', async (box) => {
  const folder = volume(box, { file: 'bound' })
  mkdirSync(`${box.rootfs}/final/x`, { recursive: true })
  const mounts = [PROC, bind(folder, `${box.rootfs}/mnt`), bind(`${box.rootfs}/mnt`, `${box.rootfs}/final/x`)]
  assert.is(await box.sh('cat /mnt/file /final/x/file', { '/mounts': mounts }), 'boundbound')
})

check('C1', 'of two mounts in one place the later is the last in mountinfo', async (box) => {
  const folder = volume(box, { file: '' })
  const mounts = [PROC, { destination: '/mnt', ...TMPFS }, bind(folder, '/mnt')]
  const lines = (await box.sh(INFO, { '/mounts': mounts })).split('\n').filter((line) => / \/mnt /.test(line))
  assert.is(lines.length, 2)
  assert.not.match(lines[1] ?? '', /tmpfs trap/)
})

check('C4', 'rbind with bind beside it takes along what is mounted below', async (box) => {
  const folder = volume(box, { 'below/file': '' })
  const script = `mount -t tmpfs -o size=40k below ${folder}/below`
  const mount = { destination: '/mnt', type: 'bind', source: folder, options: ['rbind', 'bind'] }
  const edits = { '/mounts/-': mount, '/process/args': ['cat', '/proc/self/mountinfo'] }
  assert.match(succeeded(await box.runPrepared(script, edits)).stdout, / \/mnt\/below /)
})
