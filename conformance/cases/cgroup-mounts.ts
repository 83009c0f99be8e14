// Mounts of type cgroup, as the engines' users know them: on v1, beside a cgroup2 (hybrid), and on v2.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, succeeded } from '../box.ts'
import { type Edits, NAMESPACES } from '../bundle.ts'
import { check, skip } from '../case.ts'

const CGROUPS = '/sys/fs/cgroup'
const MOUNT = { destination: CGROUPS, type: 'cgroup', source: 'cgroup' }
const WITH_NAMESPACE = [...NAMESPACES, { type: 'cgroup' }]
const OPTIONS = ['nosuid', 'noexec', 'nodev', 'relatime']
const isV1 = existsSync(`${CGROUPS}/memory/cgroup.procs`)

function needV1(): void {
  if (!isV1) skip('cgroups of version 1 are not mounted here')
}

for (const [words, namespaces] of [
  ['with a cgroup namespace', WITH_NAMESPACE],
  ['without a cgroup namespace', NAMESPACES],
] as const) {
  check('K5', `v1 ${words}: each hierarchy shows the container's own cgroup`, async (box) => {
    needV1()
    const script = `grep -c . ${CGROUPS}/memory/cgroup.procs; cat ${CGROUPS}/pids/pids.max; ls ${CGROUPS}`
    const said = await box.sh(script, {
      '/mounts/-': { ...MOUNT, options: [...OPTIONS, 'ro'] },
      '/linux/namespaces': namespaces,
      '/linux/resources': { pids: { limit: 77 } },
    })
    const [processes, limit, ...names] = said.split('\n')
    assert.ok(Number(processes) <= 3, said)
    assert.is(limit, '77')
    for (const name of readdirSync(CGROUPS).filter((each) => existsSync(`${CGROUPS}/${each}/tasks`))) {
      assert.ok(names.includes(name), `${name} is not among ${names}`)
    }
  })

  for (const mode of ['ro', 'rw']) {
    check('K5', `v1 ${words}: a cgroup mount with ${mode}`, async (box) => {
      needV1()
      const folder = mode === 'ro' ? `${CGROUPS}/sub` : `${CGROUPS}/memory/sub/sub`
      const script = `mkdir -p ${CGROUPS}/memory/sub 2>/dev/null; mkdir ${folder} 2>/dev/null && echo made; rmdir ${folder} ${CGROUPS}/memory/sub 2>/dev/null; true`
      const said = await box.sh(script, {
        '/mounts/-': { ...MOUNT, options: [...OPTIONS, mode] },
        '/linux/namespaces': namespaces,
      })
      assert.is(said, mode === 'ro' ? '' : 'made')
    })
  }
}

check('K5', 'v1: nothing in a cgroup mount can be executed, whatever its options', async (box) => {
  needV1()
  const said = await box.sh('grep /sys/fs/cgroup /proc/self/mountinfo', {
    '/mounts/-': { ...MOUNT, options: ['rw'] },
    '/linux/namespaces': WITH_NAMESPACE,
  })
  for (const line of said.split('\n')) assert.match(line, /nosuid,nodev,noexec/, line)
})

check('K5', 'v1: in a user namespace', async (box) => {
  needV1()
  const list = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  const said = await box.sh(`cat ${CGROUPS}/pids/pids.max`, {
    '/mounts/-': { ...MOUNT, options: [...OPTIONS, 'ro'] },
    '/linux/namespaces': [...WITH_NAMESPACE, { type: 'user' }],
    '/linux/uidMappings': list,
    '/linux/gidMappings': list,
    '/linux/resources': { pids: { limit: 78 } },
  })
  assert.is(said, '78')
})

/** In a mount namespace in which the machine is one of cgroup v2. */
async function runOnV2(box: Box, edits: Edits): Promise<string> {
  const { command } = box.runtime
  if (command.length > 1 && box.runtime.name === 'crun') skip('it is run in a mount namespace of its own already')
  const isV2 = existsSync(`${CGROUPS}/cgroup.procs`)
  const result = await box.runPrepared(isV2 ? 'true' : `mount -t cgroup2 none ${CGROUPS}`, {
    ...edits,
    '/linux/resources': {},
  })
  return succeeded(result).stdout.trim()
}

/** Names of what the container's user owns of its cgroup; "." is the folder. */
async function ownedOnV2(box: Box, mode: string, edits: Edits): Promise<string[]> {
  const script = `cd ${CGROUPS} && for f in . *; do [ $(stat -c %u $f) = $(id -u) ] && echo $f; done; true`
  const said = await runOnV2(box, {
    '/mounts/-': { ...MOUNT, options: [...OPTIONS, mode] },
    '/linux/namespaces': WITH_NAMESPACE,
    '/process/args': ['sh', '-c', script],
    ...edits,
  })
  return said.split('\n').filter(Boolean).sort()
}

const DELEGATE = '/sys/kernel/cgroup/delegate'
const MAPS = [
  { containerID: 0, hostID: 100_000, size: 1000 },
  { containerID: 1000, hostID: 300_000, size: 1000 },
]
const IN_USER_NAMESPACE: Edits = {
  '/linux/namespaces': [...WITH_NAMESPACE, { type: 'user' }],
  '/linux/uidMappings': MAPS,
  '/linux/gidMappings': MAPS,
}

for (const [user, uid] of [
  ['root', 0],
  ['another user', 1007],
] as const) {
  check('G3', `v2: ${user} of a user namespace owns the cgroup, and the files that may be delegated`, async (box) => {
    if (!existsSync(DELEGATE)) skip('the kernel does not list them')
    const owned = await ownedOnV2(box, 'rw', { ...IN_USER_NAMESPACE, '/process/user': { uid, gid: uid } })
    const listed = readFileSync(DELEGATE, 'utf8').split('\n')
    for (const name of ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) {
      assert.ok(owned.includes(name), `${name} is not owned`)
    }
    for (const name of owned) assert.ok(name === '.' || listed.includes(name), `${name} is owned`)
  })
}

check('G3', 'v2: who owns its cgroup can divide it', async (box) => {
  const script = `cd ${CGROUPS} && mkdir sub && echo $$ >sub/cgroup.procs && cat /proc/self/cgroup`
  const said = await runOnV2(box, {
    ...IN_USER_NAMESPACE,
    '/mounts/-': { ...MOUNT, options: [...OPTIONS, 'rw'] },
    '/process/args': ['sh', '-c', script],
  })
  assert.match(said, /^0::\/sub$/m)
})

check('G3', 'v2: without a user namespace the user owns it, too', async (box) => {
  const owned = await ownedOnV2(box, 'rw', { '/process/user': { uid: 1007, gid: 1007 } })
  assert.ok(owned.includes('.') && owned.includes('cgroup.procs') && !owned.includes('cgroup.events'), `${owned}`)
})

check('G3', "v2: a cgroup that is mounted read-only, or without a namespace, is nobody else's", async (box) => {
  assert.equal(await ownedOnV2(box, 'ro', IN_USER_NAMESPACE), [])
  assert.equal(await ownedOnV2(box, 'ro', { '/process/user': { uid: 1007, gid: 1007 } }), [])
  const namespaces = { '/linux/namespaces': [...NAMESPACES, { type: 'user' }] }
  assert.equal(await ownedOnV2(box, 'rw', { ...IN_USER_NAMESPACE, ...namespaces }), [])
})

check('G3', 'v1: the cgroups stay as they are', async (box) => {
  needV1()
  const said = await box.sh(`stat -c %u ${CGROUPS}/pids ${CGROUPS}/pids/cgroup.procs`, {
    ...IN_USER_NAMESPACE,
    '/mounts/-': { ...MOUNT, options: [...OPTIONS, 'rw'] },
  })
  assert.is(said, '65534\n65534')
})

check('K5', "v2 with a cgroup namespace: the mount shows the container's own cgroup", async (box) => {
  const said = await runOnV2(box, {
    '/mounts/-': { ...MOUNT, options: [...OPTIONS, 'ro'] },
    '/linux/namespaces': WITH_NAMESPACE,
    '/process/args': [
      'sh',
      '-c',
      `grep -c . ${CGROUPS}/cgroup.procs; cat /proc/self/cgroup; cat ${CGROUPS}/cgroup.type`,
    ],
  })
  assert.match(said, /^[123]\n/)
  assert.match(said, /^0::\/$/m)
  assert.match(said, /domain$/) // a file that the root of the machine's tree has not
})

check('K5', 'v2 without a cgroup namespace: the path of /proc/self/cgroup is there', async (box) => {
  const script = `own=${CGROUPS}$(sed -n s/^0:://p /proc/self/cgroup); grep -c . $own/cgroup.procs; mkdir $own/x 2>/dev/null || echo ro`
  const said = await runOnV2(box, {
    '/mounts/-': { ...MOUNT, options: [...OPTIONS, 'ro'] },
    '/linux/namespaces': NAMESPACES,
    '/process/args': ['sh', '-c', script],
  })
  assert.match(said, /^[123]\nro$/)
})

check('K5', 'v2 with rw: the container makes cgroups below its own', async (box) => {
  const said = await runOnV2(box, {
    '/mounts/-': { ...MOUNT, options: [...OPTIONS, 'rw'] },
    '/linux/namespaces': WITH_NAMESPACE,
    '/process/args': ['sh', '-c', `mkdir ${CGROUPS}/sub && ls -d ${CGROUPS}/sub; rmdir ${CGROUPS}/sub`],
  })
  assert.is(said, `${CGROUPS}/sub`)
})
