// Containers of an ordinary user, whom nobody prepared anything for.

import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { succeeded } from '../box.ts'
import { missingForUsers, missingRunc, UID, User } from './user.ts'

const missing = missingForUsers()
if (missing === undefined) {
  test('what spec --rootless writes is run as it is', async () => {
    await using user = new User()
    const said = await user.sh(
      'id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; echo $HOME',
    )
    const lines = said.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '))
    assert.equal(lines, ['0', '0', `0 ${UID} 1`, `0 ${UID} 1`, 'deny', '/root'])
  })

  const unlike = missingRunc()
  const compare = unlike === undefined ? test : test.skip
  if (unlike !== undefined) console.log(`skipped: comparison with runc: ${unlike}`)
  compare('a container looks as runc makes it', async () => {
    await using user = new User()
    const script = `
      cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
      grep -E '^(Cap|NoNewPrivs|Groups|Uid|Gid)' /proc/self/status
      for name in /dev/* /dev/pts/ptmx; do echo $name $(stat -c '%F %t:%T %A' $name) $(readlink $name); done
      while read -r _ _ _ _ point _; do echo $point; done </proc/self/mountinfo
      touch /sys/x /proc/sys/x 2>&1; mknod /x c 1 3 2>&1; hostname; echo $HOME $PWD; umask
      cat /proc/keys /proc/timer_list; ls /proc/acpi`
    const points = (text: string): string[] => text.split('\n').toSorted()
    const config = { '/hostname': 'alike' }
    assert.equal(points(await user.sh(script, config)), points(await user.byRunc(script, config)))
  })

  test('all commands work on it', async () => {
    await using user = new User()
    await user.create('trap "exit 3" TERM; echo started; while :; do sleep 0.05; done')
    assert.is(await user.status(), 'created')
    assert.is(await user.said('exec', user.id, 'sh', '-c', 'echo $(id -u) $HOME'), '0 /root')
    await user.said('start', user.id)
    assert.is(await user.status(), 'running')
    assert.is(await user.said('exec', user.id, 'sh', '-c', 'echo $(id -u) $HOME; exit 0'), '0 /root')
    const listed = JSON.parse(await user.said('list', '--format', 'json')) as { id: string; owner: string }[]
    assert.equal(
      listed.map(({ id, owner }) => [id, owner]),
      [[user.id, `${UID}`]],
    )
    const { status } = await user.command([user.runt, 'exec', user.id, 'sh', '-c', 'exit 7'])
    assert.is(status, 7)
    await user.said('kill', user.id, 'TERM')
    while ((await user.status()) !== 'stopped');
    await user.said('delete', user.id)
    assert.is(await user.said('list', '--quiet'), '')
  })

  test("a hook sees the container's namespaces before the program runs", async () => {
    await using user = new User()
    const hook = {
      path: '/bin/sh',
      args: [
        'sh',
        '-c',
        `pid=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/'); nsenter -t $pid -U -u --preserve-credentials hostname >${user.bundle}/seen`,
      ],
    }
    await user.sh('true', { '/hostname': 'inside', '/hooks': { createRuntime: [hook] } })
    assert.is(readFileSync(`${user.bundle}/seen`, 'utf8'), 'inside\n')
  })

  test('another user can neither see nor touch it', async () => {
    await using user = new User()
    await user.launch('sleep 100')
    const uid = UID + 1
    const { pid } = JSON.parse(await user.said('state', user.id)) as { pid: number } // runt's own words
    const root = `${user.runtimeDirectory}/runt`
    for (const words of [
      ['state', user.id],
      ['kill', user.id],
      ['delete', '--force', user.id],
      ['exec', user.id, 'true'],
    ]) {
      const { status } = await user.command([user.runt, '--root', root, ...words], { uid })
      // A forced delete of what can't be seen finds nothing to do.
      if (!words.includes('--force')) assert.is.not(status, 0, words.join(' '))
    }
    assert.is.not((await user.command(['nsenter', '-t', `${pid}`, '-U', 'true'], { uid })).status, 0)
    assert.is(await user.status(), 'running')
  })

  test('a network namespace of its own has its loopback', async () => {
    await using user = new User()
    const said = await user.sh('ip -o link; ip -o addr show lo', { '/linux/namespaces/-': { type: 'network' } })
    assert.match(said, /127\.0\.0\.1/)
    assert.is(said.split('\n').filter((line) => /^\d+: \w/.test(line) && !line.includes(' lo')).length, 0, said)
  })

  test('joined namespaces of another container of the user', async () => {
    await using user = new User()
    await user.launch('sleep 100', { '/hostname': 'first' })
    const { pid } = JSON.parse(await user.said('state', user.id)) as { pid: number } // runt's own words
    const given = ['user', 'uts', 'ipc'].map((type) => ({ type, path: `/proc/${pid}/ns/${type}` }))
    await user.configure({
      '/hostname': undefined,
      '/process/args': ['sh', '-c', 'hostname; id -u; echo $HOME'],
      '/linux/namespaces': [...given, { type: 'pid' }, { type: 'mount' }],
      '/linux/uidMappings': undefined,
      '/linux/gidMappings': undefined,
    })
    const { stdout } = succeeded(await user.command([user.runt, 'run', `${user.id}-2`]))
    assert.is(stdout, 'first\n0\n/root\n')
  })
} else {
  console.log(`skipped: all of ordinary users: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
