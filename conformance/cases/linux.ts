// config-linux.md: sysctl, masked and read-only paths, propagation of the root, personality.

import * as assert from 'uvu/assert'
import { NAMESPACES } from '../bundle.ts'
import { check } from '../case.ts'

check('H6', 'sysctl', async (box) => {
  const said = await box.sh('cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax', {
    '/linux/sysctl': { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '4242' },
  })
  assert.is(said, '1\n4242')
})

for (const [name, why] of [
  ['vm.swappiness', 'is not of a namespace'],
  ['kernel.hostname', 'has a property of its own'],
  ['net.ipv4.no_such_thing', 'does not exist'],
] as const) {
  check('H6', `sysctl ${name} is refused: it ${why}`, async (box) => {
    await box.rejected({ '/linux/sysctl': { [name]: '1' } })
  })
}

check('H6', 'sysctl of a namespace that the container does not have is refused', async (box) => {
  await box.rejected({
    '/linux/namespaces': NAMESPACES.filter(({ type }) => type !== 'ipc'),
    '/linux/sysctl': { 'kernel.msgmax': '4242' },
  })
})

check('H10', 'masked files and folders can be read, and are empty', async (box) => {
  const script = 'echo secret >/data/x; wc -c </etc/passwd; ls /mnt; wc -c </proc/version; ls /sys/firmware'
  const said = await box.sh(script, {
    '/linux/maskedPaths': ['/etc/passwd', '/mnt', '/proc/version', '/sys/firmware'],
  })
  assert.match(said, /^0\n0$/)
})

check('H10', 'a masked folder can not be written to', async (box) => {
  const said = await box.sh('touch /mnt/x 2>&1 || true', { '/linux/maskedPaths': ['/mnt'] })
  assert.match(said, /Read-only file system/)
})

check('H10', 'masked and read-only paths that do not exist are passed over', async (box) => {
  const said = await box.sh('echo on', { '/linux/maskedPaths': ['/nowhere/x'], '/linux/readonlyPaths': ['/nowhere/y'] })
  assert.is(said, 'on')
})

check('H10', 'read-only paths can not be written to', async (box) => {
  const said = await box.sh('touch /data/x 2>&1; touch /tmp/x && echo fine', {
    '/linux/readonlyPaths': ['/data'],
  })
  assert.match(said, /^touch: .*Read-only file system\nfine$/)
})

check('K2', 'kernel settings can not be written through /proc/sys', async (box) => {
  const said = await box.sh('echo 1 2>&1 >/proc/sys/kernel/panic || true')
  assert.match(said, /Read-only file system/)
})

const TAGS: Readonly<Record<string, RegExp>> = {
  shared: / shared:\d+ /,
  slave: /^((?!shared:).)*$/,
  private: /^((?!shared:|master:).)*$/,
  unbindable: / unbindable /,
}
for (const [propagation, pattern] of Object.entries(TAGS)) {
  check('H9', `rootfsPropagation ${propagation}`, async (box) => {
    const mounts = await box.sh('cat /proc/self/mountinfo', { '/linux/rootfsPropagation': propagation })
    const root = mounts.split('\n').find((line) => line.split(' ')[4] === '/')
    assert.match(root ?? '', pattern)
  })
}

check('H12', 'personality LINUX32', async (box) => {
  assert.match(await box.sh('uname -m', { '/linux/personality': { domain: 'LINUX32' } }), /^(i686|armv\w+)$/)
})

check('0.27', 'an unknown personality is refused', async (box) => {
  await box.rejected({ '/linux/personality': { domain: 'HURD' } })
})

check('0.28', 'uidMappings of a mount without gidMappings are refused', async (box) => {
  await box.rejected({
    '/mounts/-': {
      destination: '/data',
      type: 'bind',
      source: box.folder,
      options: ['bind'],
      uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    },
  })
})
