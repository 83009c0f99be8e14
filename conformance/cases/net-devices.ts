// config-linux.md, Network Devices. The runtime runs in a network namespace of the case's own, with devices made for it: the
// machine's are never touched.

import { spawnSync } from 'node:child_process'
import * as assert from 'uvu/assert'
import { type Box, failed, succeeded } from '../box.ts'
import type { Edits } from '../bundle.ts'
import { check, skip } from '../case.ts'
import { execute, type Result } from '../runtime.ts'

const PAIR = 'ip link add dev0 mtu 1400 address 02:00:00:00:00:07 type veth peer name peer0'
const ADDRESSES =
  'ip addr add 192.0.2.5/24 broadcast 192.0.2.255 dev dev0; ip addr add 192.0.2.6/24 dev dev0 label dev0:web; ' +
  'ip addr add 198.51.100.1 peer 198.51.100.2 dev dev0; ip -6 addr add 2001:db8::5/64 nodad dev dev0'

/**
 * In a new network namespace: make devices, run the runtime's command line, and tell what is there then.
 * @param after a shell script; $status is the runtime's
 */
async function inNetwork(
  box: Box,
  setup: string,
  edits: Edits,
  after = 'true',
  words = ['run', '--bundle', box.bundle, box.id],
): Promise<Result> {
  if (spawnSync('ip', ['-V']).error !== undefined) skip('there is no ip(8) here')
  box.configure(edits)
  const script = `set -e; ip link set lo up; ${setup}; set +e; "$@"; status=$?; ${after}; exit $status`
  const call = [...box.runtime.command, '--root', box.stateRoot, ...words]
  return await execute(['unshare', '-n', 'sh', '-c', script, 'sh', ...call], box.path('output'))
}

const show = (device: string) => `ip link show ${device}; ip addr show ${device}`

check('F11', 'a network device is moved with its attributes and its addresses of every family', async (box) => {
  const { stdout } = succeeded(
    await inNetwork(box, `${PAIR}; ${ADDRESSES}`, {
      '/process/args': ['sh', '-c', show('dev0')],
      '/linux/netDevices': { dev0: {} },
    }),
  )
  assert.match(stdout, /mtu 1400/)
  assert.match(stdout, /link\/ether 02:00:00:00:00:07/)
  assert.match(stdout, /inet 192\.0\.2\.5\/24 brd 192\.0\.2\.255 scope global dev0/)
  assert.match(stdout, /inet 192\.0\.2\.6\/24 .*dev0:web/)
  assert.match(stdout, /inet 198\.51\.100\.1 peer 198\.51\.100\.2/)
  assert.match(stdout, /inet6 2001:db8::5\/64 scope global/)
})

check('F11', 'a network device is switched on', async (box) => {
  const { stdout } = succeeded(
    await inNetwork(box, PAIR, {
      '/process/args': ['cat', '/sys/class/net/dev0/flags'],
      '/linux/netDevices': { dev0: {} },
    }),
  )
  assert.is(Number(stdout) & 1, 1)
})

check('F11', 'a network device gets its new name, and a label of an address follows', async (box) => {
  const { stdout } = succeeded(
    await inNetwork(box, `${PAIR}; ${ADDRESSES}`, {
      '/process/args': ['sh', '-c', 'ls /sys/class/net; ip addr show net7'],
      '/linux/netDevices': { dev0: { name: 'net7' } },
    }),
  )
  assert.match(stdout, /^net7$/m)
  assert.not.match(stdout, /dev0/)
  assert.match(stdout, /inet 192\.0\.2\.6\/24 .*net7:web/)
})

check('F11', 'a template of a name gets the lowest number', async (box) => {
  const { stdout } = succeeded(
    await inNetwork(box, `${PAIR}; ip link add dev1 type veth peer name peer1`, {
      '/process/args': ['ls', '/sys/class/net'],
      '/linux/netDevices': { dev0: { name: 'eth%d' }, dev1: { name: 'eth%d' } },
    }),
  )
  assert.equal(stdout.trim().split(/\s+/).sort(), ['eth0', 'eth1', 'lo'])
})

check('F11', 'a network device may swap names with another', async (box) => {
  const { stdout } = succeeded(
    await inNetwork(box, `${PAIR}; ip link add dev1 address 02:00:00:00:00:08 type veth peer name peer1`, {
      '/process/args': ['sh', '-c', 'cat /sys/class/net/dev0/address /sys/class/net/dev1/address'],
      '/linux/netDevices': { dev0: { name: 'dev1' }, dev1: { name: 'dev0' } },
    }),
  )
  assert.is(stdout, '02:00:00:00:00:08\n02:00:00:00:00:07\n')
})

check('F11', 'a sysctl of a network device that is moved is set', async (box) => {
  const { stdout } = succeeded(
    await inNetwork(box, PAIR, {
      '/process/args': ['cat', '/proc/sys/net/ipv4/conf/net7/forwarding'],
      '/linux/sysctl': { 'net/ipv4/conf/net7/forwarding': '1' },
      '/linux/netDevices': { dev0: { name: 'net7' } },
    }),
  )
  assert.is(stdout, '1\n')
})

check('F11', 'network devices of a container in a user namespace', async (box) => {
  const mappings = [{ containerID: 0, hostID: 100000, size: 65536 }]
  const { stdout } = succeeded(
    await inNetwork(box, `${PAIR}; ${ADDRESSES}`, {
      '/process/args': ['sh', '-c', show('net7')],
      '/linux/namespaces': ['pid', 'network', 'ipc', 'uts', 'mount', 'user'].map((type) => ({ type })),
      '/linux/uidMappings': mappings,
      '/linux/gidMappings': mappings,
      '/linux/netDevices': { dev0: { name: 'net7' } },
    }),
  )
  assert.match(stdout, /inet6 2001:db8::5\/64 scope global/)
})

check('F11', 'the devices are there when the runtime hooks run', async (box) => {
  const hook = { path: '/bin/sh', args: ['sh', '-c', `cat >/dev/null; ip link show dev0 >${box.path('seen')} 2>&1`] }
  await inNetwork(box, PAIR, { '/hooks': { createRuntime: [hook] }, '/linux/netDevices': { dev0: {} } })
  assert.match(await box.waitForFile(box.path('seen')), /does not exist/)
})

check('F11', 'a network device is not taken back while there is a container, and goes with it', async (box) => {
  const command = [...box.runtime.command, '--root', box.stateRoot].join(' ')
  const { stdout } = succeeded(
    await inNetwork(
      box,
      PAIR,
      { '/process/args': ['sleep', '100'], '/linux/netDevices': { dev0: {} } },
      `ip link show dev0 2>&1 | sed "s/^/created: /"; ${command} start ${box.id}; ` +
        `${command} delete --force ${box.id}; for i in $(seq 100); do ip link show peer0 >/dev/null 2>&1 || break; sleep 0.05; done; ` +
        'ip link show dev0 2>&1 | sed "s/^/deleted: /"',
      ['create', '--bundle', box.bundle, box.id],
    ),
  )
  assert.match(stdout, /^created: .*does not exist/m)
  assert.match(stdout, /^deleted: .*does not exist/m)
})

const REFUSALS: readonly (readonly [why: string, setup: string, edits: Edits])[] = [
  ['does not exist', PAIR, { '/linux/netDevices': { dev0: {}, nowhere: {} } }],
  ['has a name that is taken', PAIR, { '/linux/netDevices': { dev0: { name: 'net7' }, peer0: { name: 'lo' } } }],
  ['has a name with a slash', PAIR, { '/linux/netDevices': { dev0: { name: 'a/b' } } }],
  ['has a name with two numbers', PAIR, { '/linux/netDevices': { dev0: { name: 'a%d%d' } } }],
  ['has a name that is too long', PAIR, { '/linux/netDevices': { dev0: { name: 'a-name-too-long-for-it' } } }],
]
for (const [why, setup, edits] of REFUSALS) {
  check('F11', `a network device that ${why} is refused, and all are as before`, async (box) => {
    const before = 'ip -o addr show dev0 | sed "s/^[0-9]*: //; s/^/before: /"'
    const after = 'ip -o addr show dev0 | sed "s/^[0-9]*: //; s/^/after: /"; ip -o link show dev0'
    const script = `${setup}; ${ADDRESSES}; ip link set dev0 up; ip link set peer0 up; ${before}`
    const { stdout } = failed(await inNetwork(box, script, edits, after))
    const lines = (word: string) => {
      const own = stdout.split('\n').filter((line) => line.startsWith(`${word}: `) && !line.includes('scope link'))
      return own.map((line) => line.slice(word.length + 2)).sort()
    }
    assert.is(lines('before').length, 4, stdout)
    assert.equal(lines('after'), lines('before'))
    assert.match(stdout.trim().split('\n').at(-1) ?? '', /[<,]UP[,>]/, 'it is switched off')
    box.assertNothingLeft()
  })
}

check('F11', 'a network device comes back, as it was, from a container that could not be created', async (box) => {
  const after = 'ip -o addr show dev0; ip -o link show dev0'
  const { stdout } = failed(
    await inNetwork(
      box,
      `${PAIR}; ${ADDRESSES}`,
      { '/process/cwd': '/etc/passwd', '/linux/netDevices': { dev0: { name: 'net7' } } },
      after,
    ),
  )
  assert.match(stdout, /inet 192\.0\.2\.6\/24 .*dev0:web/)
  assert.match(stdout, /inet6 2001:db8::5\/64/)
  assert.match(stdout, /dev0@.* state DOWN/)
  box.assertNothingLeft()
})

check('F11', 'network devices without a network namespace are refused', async (box) => {
  const namespaces = ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type }))
  await box.rejected({ '/linux/namespaces': namespaces, '/linux/netDevices': { dev0: {} } })
})
