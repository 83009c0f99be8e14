// What else an ordinary user's container can have, and what is root's.

import { chmodSync, closeSync, existsSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ERRNO } from '../../src/linux/errno.ts'
import { answerCall } from '../agent.ts'
import { succeeded } from '../box.ts'
import type { Edits } from '../bundle.ts'
import { Pty } from '../pty.ts'
import { listenForConsole } from '../terminal.ts'
import { missingForUsers, UID, User } from './user.ts'

const NETWORK = { '/linux/namespaces/-': { type: 'network' } }

/** [what, what is asked for, a script, what it says] */
const POSSIBLE: readonly (readonly [string, Edits, string, RegExp])[] = [
  [
    'clocks of its own',
    {
      '/linux/namespaces/-': { type: 'time' },
      '/linux/timeOffsets': { boottime: { secs: 100_000_000, nanosecs: 0 } },
    },
    'cut -d. -f1 /proc/uptime',
    /^1\d{8}$/,
  ],
  [
    'kernel parameters of its namespaces',
    { '/linux/sysctl': { 'kernel.shmmax': '12345', 'fs.mqueue.msg_max': '7' } },
    'cat /proc/sys/kernel/shmmax /proc/sys/fs/mqueue/msg_max',
    /^12345\n7$/,
  ],
  [
    'kernel parameters of its network',
    { ...NETWORK, '/linux/sysctl': { 'net.ipv4.ip_forward': '1' } },
    'cat /proc/sys/net/ipv4/ip_forward',
    /^1$/,
  ],
  ['a higher oom_score_adj', { '/process/oomScoreAdj': 500 }, 'cat /proc/self/oom_score_adj', /^500$/],
  [
    'a filter without noNewPrivileges',
    {
      '/process/noNewPrivileges': false,
      '/linux/seccomp': {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['chmod', 'fchmodat', 'fchmodat2'], action: 'SCMP_ACT_ERRNO' }],
      },
    },
    'chmod 700 /dev/shm 2>&1; grep Seccomp: /proc/self/status',
    /not permitted\nSeccomp:\t2$/,
  ],
  [
    'a tmpfs with what it covers',
    { '/mounts/-': { destination: '/etc', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup'] } },
    'touch /etc/new; ls /etc',
    /^group\nnew\npasswd$/,
  ],
  [
    'an overlay',
    {
      '/mounts/-': {
        destination: '/mnt',
        type: 'overlay',
        source: 'o',
        options: ['lowerdir=/usr/bin:/etc', 'userxattr'],
      },
    },
    'ls /mnt | wc -l',
    /^[1-9]/,
  ],
  ['a root that is read-only', { '/root/readonly': true }, 'touch /x 2>&1; true', /Read-only/],
]

/** [what, what is asked for, the sentence and its cure] */
const REFUSED: readonly (readonly [string, Edits, RegExp])[] = [
  ['a lower oom_score_adj', { '/process/oomScoreAdj': -500 }, /process\.oomScoreAdj: .*EACCES.*\n.*only root/],
  [
    "a hard limit above the caller's",
    { '/process/rlimits': [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1 << 30 }] },
    /process\.rlimits\[0\] \(.*\): .*EPERM.*\n.*CAP_SYS_RESOURCE/,
  ],
  [
    'a network device of the host',
    { ...NETWORK, '/linux/netDevices': { lo: {} } },
    /linux\.netDevices: only root of the machine/,
  ],
  [
    'a container without a user namespace',
    {
      '/linux/namespaces': ['mount', 'pid', 'ipc', 'uts'].map((type) => ({ type })),
      '/linux/uidMappings': undefined,
      '/linux/gidMappings': undefined,
    },
    /clone3: EPERM.*\n.*needs a user namespace \(runt spec --rootless/,
  ],
  [
    'a real-time policy',
    { '/process/scheduler': { policy: 'SCHED_FIFO', priority: 5 } },
    /process\.scheduler: SCHED_FIFO: .*EPERM.*\n.*CAP_SYS_NICE/,
  ],
]

const missing = missingForUsers()
if (missing !== undefined) {
  console.log(`skipped: all features for ordinary users: ${missing}`)
  test.skip(missing, () => {})
} else {
  for (const [what, edits, script, expected] of POSSIBLE) {
    test(`he can have ${what}`, async () => {
      await using user = new User()
      assert.match(await user.sh(script, edits), expected)
    })
  }

  for (const [what, edits, sentence] of REFUSED) {
    test(`${what} is refused, with the reason`, async () => {
      await using user = new User()
      assert.match(await user.refused(edits), sentence)
    })
  }

  test('he has a terminal, in run and in exec', async () => {
    await using user = new User()
    await user.configure({ '/process/terminal': true, '/process/args': ['sh'], '/process/env/-': 'PS1=READY> ' })
    using pty = new Pty(24, 80)
    const { status } = pty.start(user.words([user.runt, 'run', user.id]), user.bundle)
    await pty.terminal.until(/READY> /)
    pty.terminal.write('tty; stty size; ls -l /dev/console\n')
    await pty.terminal.until(/\/dev\/pts\/0\r\n24 80\r\ncrw.*\/dev\/console\r\n/)
    using other = new Pty(30, 90)
    const exec = other.start(user.words([user.runt, 'exec', '--tty', user.id, 'sh', '-c', 'tty; stty size; exit 4']))
    await other.terminal.until(/\/dev\/pts\/1\r\n30 90\r\n/)
    assert.is(await exec.status, 4)
    pty.terminal.write('exit 3\n')
    assert.is(await status, 3)
  })

  test('hooks run where they should, as he', async () => {
    await using user = new User()
    const hook = (file: string): object[] => [{ path: '/bin/sh', args: ['sh', '-c', `id -u >${file}`] }]
    const names = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop']
    const hooks = Object.fromEntries(names.map((name) => [name, hook(`${user.bundle}/${name}`)]))
    const edits = { '/hooks': { ...hooks, startContainer: hook('/inside') } }
    await user.sh('cat /inside', edits)
    const said = names.map((name) => readFileSync(`${user.bundle}/${name}`, 'utf8').trim())
    assert.equal(said, [`${UID}`, `${UID}`, '0', `${UID}`, `${UID}`])
    assert.ok(existsSync(`${user.rootfs}/inside`))
  })

  test('an agent of his is asked about system calls', async () => {
    await using user = new User()
    using agent = listenForConsole(`${user.runtimeDirectory}/agent`)
    const seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      listenerPath: `${user.runtimeDirectory}/agent`,
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_NOTIFY' }],
    }
    chmodSync(`${user.runtimeDirectory}/agent`, 0o777)
    const run = user.run('mkdir /x 2>&1; true', { '/linux/seccomp': seccomp })
    const { descriptor } = await agent.untilAccepted()
    await answerCall(descriptor, ERRNO.EXDEV)
    closeSync(descriptor)
    assert.match(succeeded(await run).stdout, /Invalid cross-device link/)
    const waiting = user.launch('sleep 100', { '/linux/seccomp': seccomp })
    closeSync((await agent.untilAccepted()).descriptor)
    await waiting
    const exec = await user.command([user.runt, 'exec', user.id, 'true'])
    assert.is(exec.status, 255)
    assert.match(exec.stderr, /listenerPath: .*pidfd_getfd: EPERM.*\n.*only root/)
  })
}

test.run()
