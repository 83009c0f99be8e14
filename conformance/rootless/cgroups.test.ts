// Cgroups of an ordinary user: none, or those in folders that root gave him.

import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hierarchies, removeCgroup, succeeded } from '../box.ts'
import type { Edits } from '../bundle.ts'
import { waitForPrograms } from '../programs.ts'
import { missingForUsers, UID, User } from './user.ts'

const CGROUPS = '/sys/fs/cgroup'
const missing = missingForUsers()

const WITHOUT_CGROUP_NAMESPACE: Edits = {
  '/linux/namespaces': ['user', 'mount', 'pid', 'ipc', 'uts'].map((type) => ({ type })),
}

/** Folders of root's making that belong to the user, with the files in them. */
function delegate(name: string, controllers: readonly string[]): Disposable & { readonly path: string } {
  const folders = controllers.map((controller) => `${CGROUPS}/${controller}/${name}`)
  for (const folder of folders) {
    mkdirSync(folder)
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (existsSync(`${folder}/${file}`)) writeFileSync(`${folder}/${file}`, readFileSync(`${folder}/../${file}`))
    }
    for (const file of ['', ...readdirSync(folder)]) chownSync(`${folder}/${file}`, UID, UID)
  }
  return { path: `/${name}`, [Symbol.dispose]: () => folders.forEach(removeCgroup) }
}

if (missing !== undefined) {
  console.log(`skipped: all cgroups of ordinary users: ${missing}`)
  test.skip(missing, () => {})
} else {
  test('who may make none goes without, and is told so', async () => {
    await using user = new User()
    const result = succeeded(await user.run('true'))
    assert.match(result.stderr, /level=warning msg="container \S+: no cgroup: this user may not make one \(.*EACCES/)
  })

  test('a limit that can not be had is refused, and so is a place that is not his', async () => {
    await using user = new User()
    const limit = await user.refused({ '/linux/resources': { pids: { limit: 5 } } })
    assert.match(limit, /linux\.resources\.pids\.limit: no cgroup hierarchy has the pids controller\n.*given to him/)
    const place = await user.refused({ '/linux/cgroupsPath': '/runt-nobodys/box' })
    assert.match(place, /linux\.cgroupsPath: "\/runt-nobodys\/box": .*EACCES.*\n.*leave it out/)
  })

  test('commands that take a cgroup say that there is none; the others do without', async () => {
    await using user = new User()
    await user.launch('sleep 101 & exec sleep 102')
    await waitForPrograms(await user.pid(), 'sleep 101', 'sleep 102')
    for (const words of [
      ['pause', user.id],
      ['update', '--pids-limit', '5', user.id],
    ]) {
      const { status, stderr } = await user.command([user.runt, ...words])
      assert.is(status, 1)
      assert.match(stderr, /container \S+ has no cgroup/)
    }
    const pids = JSON.parse(await user.said('ps', '--format', 'json', user.id)) as number[] // runt's own words
    assert.is(pids.length, 2)
    assert.match(await user.said('ps', user.id), /sleep 101/)
    const stats = JSON.parse(await user.said('events', '--stats', user.id)) as { type: string } // runt's own words
    assert.is(stats.type, 'stats')
    await user.said('kill', '--all', user.id, 'KILL')
    while ((await user.status()) !== 'stopped');
    assert.equal(JSON.parse(await user.said('ps', '--format', 'json', user.id)), [])
  })

  test('without a pid namespace of its own as well, its processes are not known', async () => {
    await using user = new User()
    const edits = {
      '/linux/namespaces': ['user', 'mount', 'ipc', 'uts'].map((type) => ({ type })),
      '/mounts/0': { destination: '/proc', source: '/proc', options: ['rbind'] },
      '/linux/maskedPaths': [],
      '/linux/readonlyPaths': [],
    }
    assert.match((await user.run('true', edits)).stderr, /no cgroup: .*only its first process is ended with it/)
    await user.launch('sleep 100', edits)
    const { status, stderr } = await user.command([user.runt, 'ps', user.id])
    assert.is(status, 1)
    assert.match(stderr, /has neither a cgroup nor a pid namespace of its own/)
    await user.said('kill', user.id, 'KILL')
    while ((await user.status()) !== 'stopped');
  })

  const v1 = (name: string): boolean => existsSync(`${CGROUPS}/${name}/tasks`)
  const onV1 = ['pids', 'memory', 'freezer', 'cpuset', 'devices'].every(v1) ? test : test.skip
  if (onV1 !== test) console.log('skipped: folders of v1: not all of its hierarchies are here')
  onV1('folders that he was given are used: limits, pause, kill', async () => {
    await using user = new User()
    using given = delegate(user.id, ['pids', 'memory', 'freezer', 'cpuset', 'devices'])
    await user.launch('sleep 100', {
      '/linux/cgroupsPath': `${given.path}/box`,
      '/linux/resources': { pids: { limit: 50 }, devices: [{ allow: false, access: 'rwm' }] },
    })
    assert.is(readFileSync(`${CGROUPS}/pids${given.path}/box/pids.max`, 'utf8'), '50\n')
    assert.is(JSON.parse(await user.said('ps', '--format', 'json', user.id)).length, 1)
    await user.said('update', '--pids-limit', '40', user.id)
    assert.is(readFileSync(`${CGROUPS}/pids${given.path}/box/pids.max`, 'utf8'), '40\n')
    await user.said('pause', user.id)
    assert.is(await user.status(), 'paused')
    await user.said('resume', user.id)
    await user.said('exec', user.id, 'true')
    await user.said('delete', '--force', user.id)
    for (const hierarchy of hierarchies()) assert.not(existsSync(`${hierarchy}${given.path}/box`), hierarchy)
  })

  onV1('who is in a folder of his own gets one below it, without a word of it', async () => {
    await using user = new User()
    using given = delegate(user.id, ['pids', 'freezer'])
    const enter = ['pids', 'freezer'].map((name) => `echo $$ >${CGROUPS}/${name}${given.path}/tasks\n`).join('')
    const cgroups = await user.sh('cat /proc/self/cgroup', WITHOUT_CGROUP_NAMESPACE, { prepare: enter })
    assert.match(cgroups, new RegExp(`:pids:.*${given.path}/${user.id}$`, 'm'))
  })

  onV1('a folder of a cpuset that nobody filled is left alone', async () => {
    await using user = new User()
    using given = delegate(user.id, ['pids', 'cpuset'])
    writeFileSync(`${CGROUPS}/cpuset${given.path}/cpuset.cpus`, '\n')
    chownSync(`${CGROUPS}/cpuset${given.path}/cpuset.cpus`, 0, 0)
    const result = succeeded(await user.run('true', { '/linux/cgroupsPath': `${given.path}/box` }))
    assert.match(result.stderr, /no cgroup in cpu, .*cpuset/)
    assert.not.match(result.stderr, /pids/)
  })

  const unified = existsSync(`${CGROUPS}/unified/cgroup.procs`) ? `${CGROUPS}/unified` : CGROUPS
  const onV2 = existsSync(`${unified}/cgroup.procs`) ? test : test.skip
  if (onV2 !== test) console.log('skipped: folders of v2: no cgroup2 here')
  /** Only cgroup2, where the machine has both: all that the user sees then. */
  const alone = unified === CGROUPS ? '' : `mount -t cgroup2 cgroup2 ${CGROUPS}\n`

  onV2('v2: a folder that was given to one who is in it is used', async () => {
    await using user = new User()
    const folder = `${unified}/${user.id}`
    try {
      mkdirSync(`${folder}/session`, { recursive: true })
      for (const each of [folder, `${folder}/session`]) {
        for (const file of ['', 'cgroup.procs', 'cgroup.subtree_control']) chownSync(`${each}/${file}`, UID, UID)
      }
      const prepare = `echo $$ >${folder}/session/cgroup.procs\n${alone}`
      const said = await user.run('cat /proc/self/cgroup', WITHOUT_CGROUP_NAMESPACE, { prepare })
      assert.match(succeeded(said).stdout, new RegExp(`^0::/.*${user.id}/${user.id}$`, 'm'))
      assert.is(said.stderr, '')
    } finally {
      removeCgroup(folder)
    }
  })

  onV2('v2: … and by who is outside of it, it is not, since the kernel would not let him in', async () => {
    await using user = new User()
    const folder = `${unified}/${user.id}`
    try {
      mkdirSync(folder)
      for (const file of ['', 'cgroup.procs', 'cgroup.subtree_control']) chownSync(`${folder}/${file}`, UID, UID)
      const path = { '/linux/cgroupsPath': `/${user.id}/box` }
      assert.match(await user.refused(path, { prepare: alone }), /linux\.cgroupsPath: .*cgroup\.procs: EACCES/)
      assert.match((await user.run('true', {}, { prepare: alone })).stderr, /no cgroup: this user may not/)
    } finally {
      removeCgroup(folder)
    }
  })

  test('a cgroup mount shows where the container is, with and without a cgroup namespace', async () => {
    await using user = new User()
    const mount = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'ro'] }
    for (const edits of [{}, WITHOUT_CGROUP_NAMESPACE]) {
      const said = await user.sh(
        'ls /sys/fs/cgroup; grep " /sys/fs/cgroup" /proc/mounts; touch /sys/fs/cgroup/x 2>&1; true',
        {
          '/mounts/-': mount,
          ...edits,
        },
      )
      assert.match(said, unified === CGROUPS ? /cgroup\.procs/ : /^memory$/m)
      assert.match(said, /Read-only file system/)
    }
  })
}

test.run()
