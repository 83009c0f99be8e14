// Where a mount ends up when the image, or a volume that was mounted before, has links on the way.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
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
