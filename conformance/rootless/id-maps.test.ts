// Ranges of ids for an ordinary user: by newuidmap and newgidmap, from what /etc/subuid and /etc/subgid grant him.

import { existsSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Edits } from '../bundle.ts'
import { GRANTED, missingForUsers, UID, User } from './user.ts'

const missing =
  missingForUsers() ?? (existsSync('/usr/bin/newuidmap') ? undefined : 'needs newuidmap: Debian package uidmap')

const mapped = (first: number, size: number): Edits => {
  const mappings = [
    { containerID: 0, hostID: UID, size: 1 },
    { containerID: 1, hostID: first, size },
  ]
  return { '/linux/uidMappings': mappings, '/linux/gidMappings': mappings }
}
const RANGE = mapped(GRANTED.first, 1000)
const SOMEBODY = { ...RANGE, '/process/user': { uid: 7, gid: 8, additionalGids: [9] } }

if (missing === undefined) {
  test('a range that is granted is mapped, and groups may be had', async () => {
    await using user = new User()
    const said = await user.sh('id; cat /proc/self/uid_map /proc/self/gid_map; echo $HOME', SOMEBODY, { granted: true })
    const [who, ...maps] = said.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '))
    assert.is(who, 'uid=7 gid=8 groups=9')
    const both = [`0 ${UID} 1`, `1 ${GRANTED.first} 1000`]
    assert.equal(maps, [...both, ...both, '/'])
  })

  test('a process of another id than the user is created, entered, signalled and deleted', async () => {
    await using user = new User()
    await user.create('sleep 100', SOMEBODY, { granted: true })
    assert.is(await user.said('exec', user.id, 'id', '-u'), '7')
    await user.said('start', user.id)
    assert.is(await user.said('exec', '--user', '9:9', user.id, 'id', '-u'), '9')
    await user.said('kill', user.id, 'KILL')
    while ((await user.status()) !== 'stopped');
    await user.said('delete', user.id)
  })

  test('what is not granted is refused by its name, and by what would grant it', async () => {
    await using user = new User()
    const said = await user.refused(mapped(GRANTED.first - 1000, 1000), { granted: true })
    assert.match(said, /linux\.uidMappings: newuidmap: uid range .* not allowed\n.*\/etc\/subuid/)
    assert.match(await user.refused(RANGE), /linux\.uidMappings: newuidmap: .*\n.*\/etc\/subuid/)
  })

  test('without newuidmap its package is named', async () => {
    await using user = new User()
    const said = await user.refused(RANGE, { granted: true, env: { PATH: '/nowhere' } })
    assert.match(said, /linux\.uidMappings: newuidmap: executable file not found in \$PATH\n.*package uidmap/)
  })

  test('an id of one alone that is not the own one is for newuidmap, too', async () => {
    await using user = new User()
    const one = [{ containerID: 0, hostID: GRANTED.first, size: 1 }]
    const edits = { '/linux/uidMappings': one, '/linux/gidMappings': one }
    const said = await user.run('cat /proc/self/uid_map', edits, {
      granted: true,
      prepare: `chmod 711 ${user.bundle}\n`,
    })
    assert.match(said.stdout, new RegExp(`^ +0 +${GRANTED.first} +1$`, 'm'), said.stderr)
  })

  test('an id without a mapping is refused by its name', async () => {
    await using user = new User()
    const uid = await user.refused({ '/process/user/uid': 5 })
    assert.match(uid, /process\.user\.uid.*linux\.uidMappings doesn't map it/)
    await user.launch('sleep 100')
    for (const flag of ['5', '0:5']) {
      const { status, stderr } = await user.command([user.runt, 'exec', '--user', flag, user.id, 'true'])
      assert.is(status, 255)
      assert.match(stderr, /process\.user\.[ug]id: [ug]id 5: setres[ug]id: EINVAL.*\n.*not mapped/)
    }
  })

  test('groups that can not be had are refused, with the reason', async () => {
    await using user = new User()
    const said = await user.refused({ '/process/user/additionalGids': [0] })
    assert.match(said, /process\.user\.additionalGids: 0: setgroups: EPERM.*\n.*own group alone is mapped/)
  })
} else {
  console.log(`skipped: all of id maps: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
