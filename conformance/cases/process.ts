// config.md, Process: who the program is, and what it finds.

import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, succeeded } from '../box.ts'
import type { Edits } from '../bundle.ts'
import { assertDeviceUntouched } from '../canary.ts'
import { check, skip } from '../case.ts'
import { execute } from '../runtime.ts'

check('D1', 'cwd is the working directory', async (box) => {
  assert.is(await box.sh('pwd', { '/process/cwd': '/tmp' }), '/tmp')
})

check('D1', 'a cwd that is missing is made', async (box) => {
  assert.is(await box.sh('pwd', { '/process/cwd': '/made/for/it' }), '/made/for/it')
})

for (const cwd of ['relative', '', undefined, '/etc/passwd']) {
  check('D1', `the cwd ${JSON.stringify(cwd) ?? 'left out'} is refused`, async (box) => {
    await box.rejected({ '/process/cwd': cwd })
  })
}

check('D1', 'a cwd through a descriptor of the runtime is refused', async (box) => {
  for (let fd = 3; fd < 12; fd++) {
    const { stdout } = await box.run({ '/process/args': ['ls', '../../..'], '/process/cwd': `/proc/self/fd/${fd}` })
    assert.not.match(stdout, /sbin|usr/, `descriptor ${fd} leads to the host`)
  }
})

check('D2', 'the program is looked for in the PATH of process.env', async (box) => {
  writeFileSync(`${box.rootfs}/tmp/mine`, '#!/bin/sh\necho mine\n', { mode: 0o755 })
  const { stdout, stderr } = await box.run({
    '/process/args': ['mine'],
    '/process/env': ['PATH=/nowhere:/tmp:/bin'],
  })
  assert.is(stdout, 'mine\n', stderr)
})

check('D2', 'a path with a slash is relative to cwd', async (box) => {
  writeFileSync(`${box.rootfs}/tmp/mine`, '#!/bin/sh\necho mine\n', { mode: 0o755 })
  const { stdout, stderr } = await box.run({ '/process/args': ['./mine'], '/process/cwd': '/tmp' })
  assert.is(stdout, 'mine\n', stderr)
})

check('D2', 'arguments arrive as they are', async (box) => {
  const args = ['sh', '-c', 'for arg; do printf "<%s>" "$arg"; done', 'sh', '', ' a  b ', '$HOME', 'ü\n', '-x', '"']
  const { stdout } = await box.run({ '/process/args': args })
  assert.is(stdout, '<>< a  b ><$HOME><ü\n><-x><">')
})

check('D3', 'the environment is the one given', async (box) => {
  const env = ['PATH=/bin', 'HOME=/h', 'A=1', 'B=a=b', 'EMPTY=', 'SPACE= x ']
  const { stdout } = await box.run({ '/process/args': ['env'], '/process/env': env })
  assert.equal(stdout.replace(/\n$/, '').split('\n').sort(), [...env].sort())
})

check('D3', 'of a variable that is given twice the last counts', async (box) => {
  const { stdout } = await box.run({ '/process/args': ['env'], '/process/env': ['PATH=/bin', 'A=1', 'A=2'] })
  assert.match(stdout, /^A=2$/m)
  assert.not.match(stdout, /^A=1$/m)
})

check('K2', 'HOME comes from the passwd of the container when it is not given', async (box) => {
  assert.is(await box.sh('echo $HOME', { '/process/user/uid': 1000 }), '/home/user')
  assert.is(await box.sh('echo $HOME', { '/process/user/uid': 4242 }), '/')
})

check('D5', 'resource limits are as given', async (box) => {
  const limits = await box.sh('cat /proc/self/limits', {
    '/process/rlimits': [
      { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
      { type: 'RLIMIT_CORE', soft: 0, hard: 4096 },
      { type: 'RLIMIT_NPROC', soft: 50, hard: 51 },
      { type: 'RLIMIT_FSIZE', soft: 1048576, hard: 2097152 },
    ],
  })
  assert.match(limits, /^Max open files +100 +200 /m)
  assert.match(limits, /^Max core file size +0 +4096 /m)
  assert.match(limits, /^Max processes +50 +51 /m)
  assert.match(limits, /^Max file size +1048576 +2097152 /m)
})

check('D5', 'RLIM_INFINITY is unlimited', async (box) => {
  box.configure({ '/process/args': ['grep', 'cpu time', '/proc/self/limits'] })
  // 2^64 - 1 is beyond what JSON.stringify can write.
  const config = readFileSync(`${box.bundle}/config.json`, 'utf8')
  const limit = '"type":"RLIMIT_CPU","hard":18446744073709551615,"soft":18446744073709551615'
  writeFileSync(`${box.bundle}/config.json`, config.replace(/"type":"RLIMIT_NOFILE","hard":1024,"soft":1024/, limit))
  const { stdout, stderr } = await box.command(['run', '--bundle', box.bundle, box.id])
  assert.match(stdout, /unlimited +unlimited/, stderr)
})

check('D5', 'limits that are not given stay those of the caller', async (box) => {
  const limits = await box.sh('cat /proc/self/limits', { '/process/rlimits': [] })
  const line = (text: string, name: string) => text.split('\n').find((each) => each.startsWith(name))
  const own = readFileSync('/proc/self/limits', 'utf8')
  for (const name of ['Max stack size', 'Max core file size', 'Max pending signals']) {
    assert.is(line(limits, name)?.trim(), line(own, name)?.trim())
  }
})

check('D5', 'an unknown resource limit is refused', async (box) => {
  await box.rejected({ '/process/rlimits': [{ type: 'RLIMIT_FOO', soft: 1, hard: 1 }] })
})

check('0.1', 'a resource limit that is given twice is refused', async (box) => {
  const limit = { type: 'RLIMIT_NOFILE', soft: 100, hard: 100 }
  await box.rejected({ '/process/rlimits': [limit, limit] })
})

check('D5', 'a soft limit above the hard one is refused', async (box) => {
  await box.rejected({ '/process/rlimits': [{ type: 'RLIMIT_NOFILE', soft: 200, hard: 100 }] })
})

const KILL = 5n
const NET_BIND_SERVICE = 10n
const bit = (...numbers: bigint[]) =>
  numbers
    .reduce((set, number) => set | (1n << number), 0n)
    .toString(16)
    .padStart(16, '0')

check('D6', 'the capability sets are those given', async (box) => {
  const status = await box.sh('cat /proc/self/status', {
    '/process/user/uid': 1000,
    '/process/capabilities': {
      bounding: ['CAP_KILL', 'CAP_NET_BIND_SERVICE'],
      effective: ['CAP_KILL'],
      permitted: ['CAP_KILL', 'CAP_NET_BIND_SERVICE'],
      inheritable: ['CAP_KILL'],
      ambient: ['CAP_KILL'],
    },
  })
  // What execve makes of the sets for a user without a file capability: capabilities(7).
  const expected = { Bnd: bit(KILL, NET_BIND_SERVICE), Eff: bit(KILL), Prm: bit(KILL), Inh: bit(KILL), Amb: bit(KILL) }
  for (const [name, set] of Object.entries(expected)) assert.match(status, new RegExp(`^Cap${name}:\\s+${set}$`, 'm'))
})

check('D6', 'an ambient capability that is not inheritable as well is a warning', async (box) => {
  const held = ['CAP_KILL']
  const result = await box.run({
    '/process/user': { uid: 7, gid: 8 },
    '/process/capabilities': { bounding: held, effective: held, permitted: held, inheritable: [], ambient: held },
    '/process/args': ['grep', 'CapAmb', '/proc/self/status'],
  })
  assert.is(succeeded(result).stdout, 'CapAmb:\t0000000000000000\n')
  assert.match(result.stderr, /ambient.*CAP_KILL/i)
})

check('D6', 'no capabilities means none, for root too', async (box) => {
  const status = await box.sh('cat /proc/self/status', {
    '/process/capabilities': { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
  })
  for (const name of ['Bnd', 'Eff', 'Prm', 'Inh', 'Amb']) assert.match(status, new RegExp(`^Cap${name}:\\s+0+$`, 'm'))
})

check('D6', 'a capability that nobody knows is a warning', async (box) => {
  const sets = ['CAP_KILL', 'CAP_FOO']
  const said = await box.sh('grep CapBnd /proc/self/status', {
    '/process/capabilities': { bounding: sets, effective: sets, permitted: sets },
  })
  assert.match(said, new RegExp(bit(KILL)))
})

check('0.2', 'a capability that can not be granted is a warning', async (box) => {
  const own = BigInt(`0x${readFileSync('/proc/self/status', 'utf8').match(/^CapBnd:\s+(\S+)$/m)?.[1]}`)
  const SYS_RESOURCE = 24n
  if ((own >> SYS_RESOURCE) & 1n) skip('every capability can be granted here')
  const sets = ['CAP_KILL', 'CAP_SYS_RESOURCE']
  const said = await box.sh('grep CapEff /proc/self/status', {
    '/process/capabilities': { bounding: sets, effective: sets, permitted: sets },
  })
  assert.match(said, new RegExp(bit(KILL)))
})

for (const noNewPrivileges of [true, false]) {
  check('D7', `noNewPrivileges ${noNewPrivileges}`, async (box) => {
    const said = await box.sh('grep NoNewPrivs /proc/self/status', { '/process/noNewPrivileges': noNewPrivileges })
    assert.match(said, new RegExp(`${Number(noNewPrivileges)}$`))
  })
}

check('D8', 'oomScoreAdj is written', async (box) => {
  assert.is(await box.sh('cat /proc/self/oom_score_adj', { '/process/oomScoreAdj': 300 }), '300')
})

check('D8', 'without oomScoreAdj it stays that of the caller', async (box) => {
  const own = readFileSync('/proc/self/oom_score_adj', 'utf8').trim()
  assert.is(await box.sh('cat /proc/self/oom_score_adj', { '/process/oomScoreAdj': undefined }), own)
})

check('D8', 'without oomScoreAdj it stays that of the caller, whatever that is', async (box) => {
  box.configure({ '/process/oomScoreAdj': undefined, '/process/args': ['cat', '/proc/self/oom_score_adj'] })
  const call = [...box.runtime.command, '--root', box.stateRoot, 'run', '--bundle', box.bundle, box.id]
  const raised = ['sh', '-c', 'echo 321 >/proc/self/oom_score_adj && exec "$@"', 'sh', ...call]
  assert.is(succeeded(await execute(raised, box.path('output'))).stdout.trim(), '321')
})

check('D9', 'uid, gid and additionalGids', async (box) => {
  const status = await box.sh('cat /proc/self/status', {
    '/process/user': { uid: 1000, gid: 1001, additionalGids: [5, 20] },
  })
  assert.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m)
  assert.match(status, /^Gid:\t1001\t1001\t1001\t1001$/m)
  assert.match(status, /^Groups:\t5 20 *$/m)
})

check('D9', 'without additionalGids there are none of the caller', async (box) => {
  assert.match(await box.sh('grep Groups /proc/self/status', { '/process/user': { uid: 7, gid: 8 } }), /^Groups:\s*8?$/)
})

check('D9', 'umask', async (box) => {
  assert.is(await box.sh('umask', { '/process/user/umask': 0o77 }), '0077')
})

check('K2', 'umask is 0022 when it is not given', async (box) => {
  assert.is(await box.sh('umask'), '0022')
})

const lacks = (file: string) => !existsSync(file)
const withoutAppArmor = () => lacks('/sys/module/apparmor/parameters/enabled')
const withoutSelinux = () => lacks('/sys/fs/selinux/enforce')

check('D10', 'an AppArmor profile is refused where there is no AppArmor', async (box) => {
  if (!withoutAppArmor()) skip('AppArmor is at work here')
  await box.rejected({ '/process/apparmorProfile': 'docker-default' })
})

check('D10', 'an SELinux label is refused where there is no SELinux', async (box) => {
  if (!withoutSelinux()) skip('SELinux is at work here')
  await box.rejected({ '/process/selinuxLabel': 'system_u:system_r:container_t:s0:c1,c2' })
})

check('D10', 'labels that are empty are none', async (box) => {
  const empty = { '/process/apparmorProfile': '', '/process/selinuxLabel': '', '/linux/mountLabel': '' }
  assert.is(await box.sh('echo on', empty), 'on')
})

check('K2', 'the AppArmor profile unconfined is nothing where there is no AppArmor', async (box) => {
  if (!withoutAppArmor()) skip('AppArmor is at work here')
  assert.is(await box.sh('echo on', { '/process/apparmorProfile': 'unconfined' }), 'on')
})

/** What /proc/PID/stat says: proc_pid_stat(5), fields 19, 40 and 41. */
function scheduling(stat: string): { nice: number; priority: number; policy: number } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [nice = 0, priority = 0, policy = 0] = [fields[16], fields[37], fields[38]].map(Number)
  return { nice, priority, policy }
}

/** Where cgroups divide real time, a container gets none by itself; a folder at the top, since all above would need some. */
function realtimeBudget(box: Box): Edits {
  if (!existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us')) return {}
  return { '/linux/cgroupsPath': `/${box.id}`, '/linux/resources/cpu': { realtimeRuntime: 10_000 } }
}

const POLICIES = [
  [
    { policy: 'SCHED_OTHER', nice: -5 },
    { policy: 0, nice: -5, priority: 0 },
  ],
  [
    { policy: 'SCHED_BATCH', nice: 5 },
    { policy: 3, nice: 5, priority: 0 },
  ],
  [{ policy: 'SCHED_IDLE' }, { policy: 5, nice: 0, priority: 0 }],
  [
    { policy: 'SCHED_FIFO', priority: 7 },
    { policy: 1, nice: 0, priority: 7 },
  ],
  [
    { policy: 'SCHED_RR', priority: 99, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
    { policy: 2, nice: 0, priority: 99 },
  ],
] as const
for (const [scheduler, expected] of POLICIES) {
  check('D11', `scheduler ${scheduler.policy}`, async (box) => {
    const { stdout, stderr } = await box.run({
      '/process/args': ['cat', '/proc/self/stat'],
      '/process/scheduler': scheduler,
      ...('priority' in scheduler ? realtimeBudget(box) : {}),
    })
    assert.equal(scheduling(stdout), expected, stderr)
  })
}

check('D11', 'scheduler SCHED_DEADLINE', async (box) => {
  const scheduler = { policy: 'SCHED_DEADLINE', runtime: 1_000_000, deadline: 50_000_000, period: 100_000_000 }
  const { stdout, stderr } = await box.run({
    '/process/args': ['cat', '/proc/self/stat', '/proc/self/sched'],
    '/process/scheduler': scheduler,
  })
  assert.is(scheduling(stdout.split('\n')[0] ?? '').policy, 6, stderr)
  // What is left of the budget at that moment.
  const left = Number(stdout.match(/^dl\.runtime +: +(\d+)$/m)?.[1])
  assert.ok(left > 0 && left <= scheduler.runtime, stdout)
})

check('D11', 'the scheduler is for processes of exec, too', async (box) => {
  await box.launch('exec sleep 60', { '/process/scheduler': { policy: 'SCHED_BATCH', nice: 3 } })
  const { stdout, stderr } = await box.command(['exec', box.id, 'cat', '/proc/self/stat'])
  assert.equal(scheduling(stdout), { policy: 3, nice: 3, priority: 0 }, stderr)
})

check('D11', 'a scheduler that the kernel refuses is an error, and nothing is left', async (box) => {
  await box.rejected({ '/process/scheduler': { policy: 'SCHED_ISO' } })
})

check('0.35', 'an unknown scheduler policy is refused', async (box) => {
  await box.rejected({ '/process/scheduler': { policy: 'SCHED_LATER' } })
})

const IO_PRIORITIES = [
  [{ class: 'IOPRIO_CLASS_RT', priority: 2 }, 'realtime: prio 2'],
  [{ class: 'IOPRIO_CLASS_BE', priority: 6 }, 'best-effort: prio 6'],
  [{ class: 'IOPRIO_CLASS_IDLE', priority: 0 }, 'idle'],
] as const
for (const [ioPriority, expected] of IO_PRIORITIES) {
  check('D12', `ioPriority ${ioPriority.class}`, async (box) => {
    assert.match(await box.sh('ionice -p 1', { '/process/ioPriority': ioPriority }), new RegExp(expected))
  })
}

check('0.35', 'an unknown class of ioPriority is refused', async (box) => {
  await box.rejected({ '/process/ioPriority': { class: 'IOPRIO_CLASS_SOON', priority: 0 } })
})

/** ls -l of /proc/self/fd → the numbers, but for the one by which ls reads that folder. */
function descriptors(list: string): string {
  const lines = list.trim().split('\n')
  const numbers = lines.map((line) => line.match(/(\d+) -> (?!\/proc\/\d+\/fd$)/)?.[1])
  return numbers.filter((number) => number !== undefined).join(' ')
}

const LIST = ['ls', '-l', '/proc/self/fd']

check('F12', 'no descriptor of the caller or the runtime gets in', async (box) => {
  const leaks = Array.from({ length: 6 }, () => openSync('/', 'r'))
  try {
    const { stdout } = await box.run({ '/process/args': LIST }, [], { descriptors: leaks })
    assert.is(descriptors(stdout), '0 1 2', stdout)
  } finally {
    leaks.forEach(closeSync)
  }
})

check('F12', 'none gets in by create and start either', async (box) => {
  await box.launch('exec sleep 100')
  const { pid } = await box.state()
  assert.equal(readdirSync(`/proc/${pid}/fd`), ['0', '1', '2'])
})

check('K2', '--preserve-fds passes descriptors from 3 on', async (box) => {
  writeFileSync(box.path('three'), 'three')
  const [three, four] = [openSync(box.path('three'), 'r'), openSync('/', 'r')]
  try {
    const options = { descriptors: [three, four] }
    const { stdout } = await box.run({ '/process/args': LIST }, ['--preserve-fds', '1'], options)
    assert.is(descriptors(stdout), '0 1 2 3', stdout)
    assert.is(await box.sh('cat <&3', {}, ['--preserve-fds', '1'], options), 'three')
  } finally {
    closeSync(three)
    closeSync(four)
  }
})

check('K2', 'descriptors of LISTEN_FDS are passed, and LISTEN_PID is 1', async (box) => {
  writeFileSync(box.path('three'), 'three')
  const three = openSync(box.path('three'), 'r')
  try {
    const script = 'cat <&3; echo; echo $LISTEN_FDS $LISTEN_PID'
    assert.is(await box.sh(script, {}, [], { descriptors: [three], listening: true }), 'three\n1 1')
  } finally {
    closeSync(three)
  }
})

for (const [what, env] of [
  ['of another process', { LISTEN_FDS: '1', LISTEN_PID: '1' }],
  ['that names no process', { LISTEN_FDS: '1' }],
] as const) {
  check('K2', `LISTEN_FDS ${what} is not the runtime's`, async (box) => {
    writeFileSync(box.path('three'), 'three')
    const three = openSync(box.path('three'), 'r')
    try {
      const script = 'test -e /proc/self/fd/3 && echo open; echo "<$LISTEN_FDS>"'
      assert.is(await box.sh(script, {}, [], { descriptors: [three], env }), '<>')
    } finally {
      closeSync(three)
    }
  })
}

check(
  'K2',
  'the program has a session keyring of its own, unless --no-new-keyring keeps that of the caller',
  async (box) => {
    const readable = { '/process/args': ['cat', '/proc/keys'], '/linux/maskedPaths': [] }
    const keys = async (...flags: string[]) => succeeded(await box.run(readable, flags)).stdout
    const own = `_ses.${box.id}:`
    assert.not.match(await keys('--no-new-keyring'), own)
    assert.match(await keys(), own)
  },
)

check('K2', 'the program leads a session of its own', async (box) => {
  await box.launch('exec sleep 100')
  const { pid } = await box.state()
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  assert.equal([group, session], [`${pid}`, `${pid}`])
})

check('K2', 'the program has the default action for every signal', async (box) => {
  const status = await box.sh('exec cat /proc/self/status')
  assert.match(status, /^SigBlk:\s+0+$/m)
  assert.match(status, /^SigIgn:\s+0+$/m)
})

const STREAM_CHANGES = 'chmod 606 /proc/self/fd/0; chown 0:1 /proc/self/fd/0; touch -t 200001010000 /proc/self/fd/0'

check('K3', "a stream that is the host's null device doesn't let its mode be changed", async (box) => {
  await assertDeviceUntouched('/dev/null', async () => {
    assert.is(await box.sh(`(${STREAM_CHANGES}) 2>/tmp/said; read word || echo empty; cat`), 'empty')
  })
})

check('K3', "a stream of exec that is the host's null device doesn't let its mode be changed", async (box) => {
  await box.create({ '/process/args': ['sleep', '100'] })
  await assertDeviceUntouched('/dev/null', async () => {
    const { stdout } = succeeded(
      await box.command(['exec', box.id, 'sh', '-c', `(${STREAM_CHANGES}) 2>/tmp/said; cat`]),
    )
    assert.is(stdout, '')
  })
})
