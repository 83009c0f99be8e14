// config-linux.md, Namespaces and mappings.

import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { failed } from '../box.ts'
import { type Edits, NAMESPACES } from '../bundle.ts'
import { check } from '../case.ts'

const LINKS: Readonly<Record<string, string>> = {
  pid: 'pid',
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  mount: 'mnt',
  cgroup: 'cgroup',
  time: 'time',
}
const linkOf = (pid: number | string | undefined, type: string) => readlinkSync(`/proc/${pid}/ns/${LINKS[type]}`)

for (const type of Object.keys(LINKS)) {
  check('F2', `a new ${type} namespace`, async (box) => {
    const others = NAMESPACES.filter((each) => each.type !== type)
    await box.launch('exec sleep 100', { '/linux/namespaces': [...others, { type }] })
    const { pid } = await box.state()
    assert.is.not(linkOf(pid, type), linkOf('self', type))
  })
}

for (const type of ['pid', 'network', 'ipc']) {
  check('F2', `a ${type} namespace that is not listed stays that of the runtime`, async (box) => {
    const namespaces = NAMESPACES.filter((each) => each.type !== type)
    // sysfs belongs to the network namespace, mqueue to ipc: leave out what this config doesn't need.
    await box.launch('exec sleep 100', { '/linux/namespaces': namespaces })
    const { pid } = await box.state()
    assert.is(linkOf(pid, type), linkOf('self', type))
  })
}

/** A process in new namespaces, as one that a container may join. */
async function withNamespaces(flags: string, body: (pid: number) => Promise<void>): Promise<void> {
  const holder = spawn('unshare', [flags, 'sh', '-c', 'echo ready; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    await ready(holder)
    await body(holder.pid ?? 0)
  } finally {
    holder.kill('SIGKILL')
  }
}

const ready = (child: ChildProcess) => new Promise<unknown>((resolve) => child.stdout?.once('data', resolve))

const JOINS = { network: '-n', ipc: '-i', uts: '-u' } as const
for (const [type, flag] of Object.entries(JOINS)) {
  check('F2', `a ${type} namespace that is joined by path`, async (box) => {
    await withNamespaces(flag, async (holder) => {
      const path = `/proc/${holder}/ns/${LINKS[type]}`
      const others = NAMESPACES.filter((each) => each.type !== type)
      await box.launch('exec sleep 100', {
        '/linux/namespaces': [...others, { type, path }],
        ...(type === 'uts' ? { '/hostname': undefined } : {}),
      })
      const { pid } = await box.state()
      assert.is(linkOf(pid, type), linkOf(holder, type))
    })
  })
}

check('F2', 'a pid namespace that is joined by path', async (box) => {
  const { runtime } = box
  await box.launch('exec sleep 100')
  const { pid } = await box.state()
  const second = `${box.id}-second`
  box.configure({
    '/process/args': ['sleep', '100'],
    '/linux/cgroupsPath': `${box.cgroupsPath}-second`,
    '/linux/namespaces': [
      ...NAMESPACES.filter(({ type }) => type !== 'pid'),
      { type: 'pid', path: `/proc/${pid}/ns/pid` },
    ],
  })
  const result = await box.command(['run', '--detach', '--bundle', box.bundle, second])
  assert.is(result.status, 0, `${runtime.name}: ${result.stderr}`)
  const state = JSON.parse((await box.command(['state', second])).stdout)
  assert.is(linkOf(state.pid, 'pid'), linkOf(pid, 'pid'))
  await box.command(['delete', '--force', second])
})

const withNetwork = (path: string): Edits => ({
  '/linux/namespaces': [...NAMESPACES.filter(({ type }) => type !== 'network'), { type: 'network', path }],
})

check('F3', 'the path of a namespace of another type is refused', async (box) => {
  await box.rejected(withNetwork('/proc/self/ns/uts'))
})

check('F3', 'a path that is no namespace is refused', async (box) => {
  writeFileSync(box.path('file'), '')
  await box.rejected(withNetwork(box.path('file')))
})

check('F3', 'a path that does not exist is refused', async (box) => {
  await box.rejected(withNetwork(box.path('nowhere')))
})

check('F3', 'a relative path is refused', async (box) => {
  await box.rejected(withNetwork('proc/self/ns/net'))
})

check('F4', 'a type that is listed twice is refused', async (box) => {
  await box.rejected({ '/linux/namespaces/-': { type: 'pid' } })
})

check('A10', 'hostname', async (box) => {
  assert.is(await box.sh('hostname', { '/hostname': 'some-name' }), 'some-name')
})

check('A10', 'domainname', async (box) => {
  assert.is(await box.sh('cat /proc/sys/kernel/domainname', { '/domainname': 'example.org' }), 'example.org')
})

check('A10', 'a hostname without a UTS namespace is refused', async (box) => {
  await box.rejected({ '/linux/namespaces': NAMESPACES.filter(({ type }) => type !== 'uts') })
})

check('K2', 'the loopback interface of a new network namespace is up', async (box) => {
  assert.match(await box.sh('ip link show lo'), /LOOPBACK,UP/)
})

const USER_NAMESPACE: Edits = {
  '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
  '/linux/uidMappings': [{ containerID: 0, hostID: 100000, size: 65536 }],
  '/linux/gidMappings': [{ containerID: 0, hostID: 200000, size: 65536 }],
}

check('F5', 'a user namespace has the maps given', async (box) => {
  chownSync(box.rootfs, 100000, 200000)
  const said = await box.sh('cat /proc/self/uid_map /proc/self/gid_map; id -u', USER_NAMESPACE)
  assert.is(said.replace(/ +/g, ' ').replace(/^ /gm, ''), '0 100000 65536\n0 200000 65536\n0')
})

check('F5', "a new user namespace without maps has the caller's ids", async (box) => {
  const namespaces = [...NAMESPACES, { type: 'user' }]
  const look = 'cat /proc/self/uid_map /proc/self/gid_map'
  const said = await box.sh(look, { '/linux/namespaces': namespaces })
  const own = ['uid_map', 'gid_map'].map((file) => readFileSync(`/proc/self/${file}`, 'utf8')).join('')
  const fields = (text: string) => text.trim().split(/\s+/)
  assert.equal(fields(said), fields(own))
})

check('F5', 'it does not change the owner of the root file system', async (box) => {
  chownSync(box.rootfs, 100000, 200000)
  await box.launch('exec sleep 100', USER_NAMESPACE)
  const { pid } = await box.state()
  assert.is(statSync(`${box.rootfs}/etc/passwd`).uid, 0)
  assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t100000\t/m)
})

check('F5', 'a user without a mapping is refused', async (box) => {
  chownSync(box.rootfs, 100000, 200000)
  await box.rejected({ ...USER_NAMESPACE, '/process/user/uid': 70000 })
})

check('K5', 'mappings without a user namespace are refused', async (box) => {
  await box.rejected({ '/linux/uidMappings': [{ containerID: 0, hostID: 0, size: 10 }] })
})

check('F6', 'timeOffsets', async (box) => {
  const said = await box.sh('cat /proc/1/timens_offsets', {
    '/linux/namespaces': [...NAMESPACES, { type: 'time' }],
    '/linux/timeOffsets': { monotonic: { secs: 100, nanosecs: 5 }, boottime: { secs: 2000 } },
  })
  const offsets = said.split('\n').map((line) => line.trim().split(/\s+/))
  assert.equal(offsets, [
    ['monotonic', '100', '5'],
    ['boottime', '2000', '0'],
  ])
})

check('F6', 'timeOffsets without a time namespace are refused', async (box) => {
  await box.rejected({ '/linux/timeOffsets': { boottime: { secs: 5 } } })
})

check('F2', 'what keeps a program from starting is told in joined namespaces, too', async (box) => {
  await withNamespaces('-niu', async (holder) => {
    const joined = NAMESPACES.map(({ type }) =>
      type in JOINS ? { type, path: `/proc/${holder}/ns/${LINKS[type]}` } : { type },
    )
    const said = await box.rejected({
      '/linux/namespaces': joined,
      '/linux/sysctl': { 'net.core.somaxconn': '77', 'kernel.msgmax': '777' },
      '/process/args': ['no-such-program'],
    })
    assert.match(said, /executable file not found in \$PATH/)
  })
})

/** What is to be made in a joined namespace, by rule; the namespace is the runtime's own. */
const WRITTEN = [
  ['H6', 'network', 'a sysctl', { '/linux/sysctl': { 'net.core.somaxconn': '77' }, '/hostname': undefined }],
  ['H6', 'ipc', 'a sysctl', { '/linux/sysctl': { 'kernel.msgmax': '777' }, '/hostname': undefined }],
  ['F2', 'uts', 'a host name', { '/hostname': 'changed' }],
  ['F2', 'uts', 'a domain name', { '/hostname': undefined, '/domainname': 'changed' }],
  ['F2', 'mount', 'a root', { '/hostname': undefined }],
] as const

for (const [rule, type, what, edits] of WRITTEN) {
  check(rule, `${what} is not made in a ${type} namespace that is joined and the runtime's own`, async (box) => {
    // A host of its own, which may come to harm.
    const look = 'hostname; cat /proc/sys/kernel/domainname /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax; pwd'
    const around = ['unshare', '-niu', 'sh', '-c', `(${look}) >$0.1; "$@"; status=$?; (${look}) >$0.2; exit $status`]
    const path = `/proc/self/ns/${LINKS[type]}`
    const namespaces = [...NAMESPACES.filter((each) => each.type !== type), { type, path }]
    const words = [...around, box.path('host')]
    const result = await box.runPrepared('true', { ...edits, '/linux/namespaces': namespaces }, words)
    assert.is(readFileSync(box.path('host.2'), 'utf8'), readFileSync(box.path('host.1'), 'utf8'))
    assert.match(failed(result).stderr, /host/)
  })
}
