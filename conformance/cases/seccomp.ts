// config-linux.md: seccomp.

import { closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { ENGINES_CONFIGS, NO_CONFIGS } from '../../spec-schemas/others.ts'
import { ERRNO } from '../../src/linux/errno.ts'
import type { SyscallName } from '../../src/linux/syscalls.ts'
import { compile } from '../../src/machine/codegen.ts'
import { targetFor } from '../../src/machine/target.ts'
import { pollAsync } from '../../src/native/descriptors.ts'
import { PlanBuilder } from '../../src/plan/builder.ts'
import { answerCall } from '../agent.ts'
import type { Box } from '../box.ts'
import { check, needsKernel, skip } from '../case.ts'
import { listenForConsole } from '../terminal.ts'

const SECCOMP = '/linux/seccomp'
const MKDIR = ['mkdir', 'mkdirat']
const SIGSYS_STATUS = 128 + 31

/** Everything is allowed, but for these. */
const except = (rule: object, more: object = {}) => ({
  [SECCOMP]: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: MKDIR, ...rule }], ...more },
})

const mkdir = (box: Box, edits: object): Promise<string> => box.sh('mkdir /tmp/made 2>&1; echo $?', { ...edits })

/** [rule, what mkdir says and its status] */
const ACTIONS: readonly (readonly [rule: { action: string; errnoRet?: number }, expected: RegExp])[] = [
  [{ action: 'SCMP_ACT_ALLOW' }, /^0$/],
  [{ action: 'SCMP_ACT_LOG' }, /^0$/],
  [{ action: 'SCMP_ACT_ERRNO' }, /Operation not permitted\n1$/],
  [{ action: 'SCMP_ACT_ERRNO', errnoRet: ERRNO.EXDEV }, /Invalid cross-device link\n1$/],
  [{ action: 'SCMP_ACT_ERRNO', errnoRet: 0 }, /^0$/],
  [{ action: 'SCMP_ACT_TRACE' }, /Function not implemented\n1$/],
  [{ action: 'SCMP_ACT_TRACE', errnoRet: 65535 }, /Function not implemented\n1$/],
  [{ action: 'SCMP_ACT_TRAP' }, new RegExp(`${SIGSYS_STATUS}$`)],
  [{ action: 'SCMP_ACT_KILL' }, new RegExp(`${SIGSYS_STATUS}$`)],
  [{ action: 'SCMP_ACT_KILL_THREAD' }, new RegExp(`${SIGSYS_STATUS}$`)],
  [{ action: 'SCMP_ACT_KILL_PROCESS' }, new RegExp(`${SIGSYS_STATUS}$`)],
]
for (const [rule, expected] of ACTIONS) {
  check('H7', `action ${Object.values(rule).join(' ')}`, async (box) => {
    assert.match(await mkdir(box, except(rule)), expected)
    // errnoRet 0 is a call that isn't made and says that all is well
    const made = rule.action === 'SCMP_ACT_ALLOW' || rule.action === 'SCMP_ACT_LOG'
    assert.is(existsSync(`${box.rootfs}/tmp/made`), made)
  })
}

/** chmod(2) or fchmodat(2), whichever the shell uses: the mode is the argument that rules look at. */
const mode = (action: string, ...conditions: object[]) => ({
  [SECCOMP]: {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      { names: ['chmod', 'fchmod'], action, args: conditions.map((condition) => ({ index: 1, ...condition })) },
      { names: ['fchmodat', 'fchmodat2'], action, args: conditions.map((condition) => ({ index: 2, ...condition })) },
    ],
  },
})

/** Which modes may be set. */
async function allowedModes(box: Box, edits: object): Promise<string> {
  const said = await box.sh('for m in 600 644 700 755; do chmod $m /data 2>/dev/null && echo $m; done; true', {
    ...edits,
  })
  return said.split('\n').join(' ')
}

const OPERATORS: readonly (readonly [condition: object, allowed: string])[] = [
  [{ op: 'SCMP_CMP_EQ', value: 0o644 }, '600 700 755'],
  [{ op: 'SCMP_CMP_NE', value: 0o644 }, '644'],
  [{ op: 'SCMP_CMP_LT', value: 0o644 }, '644 700 755'],
  [{ op: 'SCMP_CMP_LE', value: 0o644 }, '700 755'],
  [{ op: 'SCMP_CMP_GE', value: 0o700 }, '600 644'],
  [{ op: 'SCMP_CMP_GT', value: 0o700 }, '600 644 700'],
  [{ op: 'SCMP_CMP_MASKED_EQ', value: 0o111, valueTwo: 0o111 }, '600 644 700'],
  [{ op: 'SCMP_CMP_MASKED_EQ', value: 0o111 }, '700 755'],
]
for (const [condition, allowed] of OPERATORS) {
  check('H7', `operator ${Object.values(condition).join(' ')}`, async (box) => {
    assert.is(await allowedModes(box, mode('SCMP_ACT_ERRNO', condition)), allowed)
  })
}

check('H7', 'several conditions on one argument: one of them is enough', async (box) => {
  const edges = mode('SCMP_ACT_ERRNO', { op: 'SCMP_CMP_EQ', value: 0o600 }, { op: 'SCMP_CMP_EQ', value: 0o755 })
  assert.is(await allowedModes(box, edges), '644 700')
})

/** dd calls ftruncate(1, size): a rule on both arguments. */
const truncate = (...args: object[]) => ({
  [SECCOMP]: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['ftruncate'], action: 'SCMP_ACT_ERRNO', args }] },
})
const TRUNCATE = 'dd if=/dev/zero of=/tmp/f bs=1 count=0 seek=$SIZE 2>&1 | grep -c "not permitted"; true'

check('H7', 'conditions on several arguments must all hold', async (box) => {
  const size = { index: 1, op: 'SCMP_CMP_EQ', value: 7 }
  const script = TRUNCATE.replace('$SIZE', '7')
  assert.is(await box.sh(script, truncate(size, { index: 0, op: 'SCMP_CMP_LT', value: 100 })), '1')
  assert.is(await box.sh(script, truncate(size, { index: 0, op: 'SCMP_CMP_GT', value: 100 })), '0')
})

check('H7', 'arguments are compared in all of their 64 bits', async (box) => {
  const above = 2 ** 32 + 7
  const edits = truncate({ index: 1, op: 'SCMP_CMP_EQ', value: above })
  assert.is(await box.sh(TRUNCATE.replace('$SIZE', '7'), edits), '0')
  assert.is(await box.sh(TRUNCATE.replace('$SIZE', `${above}`), edits), '1')
})

/** What a small static program gets for a system call: 0, or its errno. */
async function callInside(box: Box, name: SyscallName, args: readonly number[], edits: object): Promise<number> {
  const plan = new PlanBuilder(2)
  const failed = plan.label('failed')
  const result = plan.syscall(name, args, { path: 'container', onError: { '*': failed } })
  plan.exit(0)
  plan.place(failed)
  plan.exit(result)
  const { bytes } = compile(plan.finish(), targetFor(process.arch === 'arm64' ? 'arm64' : 'x64'))
  writeFileSync(`${box.rootfs}/call`, bytes, { mode: 0o755 })
  const { status } = await box.run({ ...edits, '/process/args': ['/call'] })
  return (256 - status) % 256
}

/** A list of what may be called, as engines write it: enough for a shell, and for runtimes that are not as frugal as they could be. */
const LISTED =
  'access arch_prctl bind brk capget capset chdir chmod clock_gettime clone close connect dup dup2 dup3 epoll_create1 epoll_ctl ' +
  'epoll_pwait epoll_pwait2 eventfd2 execve exit exit_group faccessat faccessat2 fchdir fchmod fchmodat fcntl fork fstat fstatfs ' +
  'futex getcwd getdents64 getegid geteuid getgid getpgrp getpid getppid getrandom gettid getuid ioctl keyctl kill lseek lstat madvise ' +
  'mmap mprotect munmap nanosleep newfstatat open openat openat2 pipe pipe2 poll ppoll prctl pread64 prlimit64 pwrite64 read readlink ' +
  'readlinkat readv recvmsg restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield sendmsg ' +
  'set_robust_list set_tid_address setgid setgroups setpgid setresgid setresuid setsid setuid sigaltstack socket stat statfs ' +
  'statx tgkill umask uname unlinkat vfork wait4 waitid write writev close_range'

const listed = (more: object = {}) => ({
  [SECCOMP]: {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: LISTED.split(' '), action: 'SCMP_ACT_ALLOW' }],
    ...more,
  },
})

check('H7', 'what is not listed gets the default action: EPERM, or defaultErrnoRet', async (box) => {
  assert.match(await mkdir(box, listed()), /Operation not permitted\n1$/)
  assert.match(await mkdir(box, listed({ defaultErrnoRet: ERRNO.EXDEV })), /Invalid cross-device link\n1$/)
})

check('K2', 'system calls that are newer than a profile do not exist', async (box) => {
  const [newer, older] = ['landlock_create_ruleset', 'bpf'] as const // 444; 321, 280
  const architectures = process.arch === 'arm64' ? ['SCMP_ARCH_AARCH64'] : ['SCMP_ARCH_X86_64']
  const edits = listed({ architectures })
  assert.is(await callInside(box, newer, [0, 0, 1], edits), ERRNO.ENOSYS)
  assert.is(await callInside(box, older, [0, 0, 0], edits), ERRNO.EPERM)
})

check('K2', 'with a permissive default, newer system calls are there', async (box) => {
  const VERSION = 1
  const edits = except({ action: 'SCMP_ACT_ERRNO' })
  assert.is(await callInside(box, 'landlock_create_ruleset', [0, 0, VERSION], edits), 0)
})

check('H7', 'defaultAction SCMP_ACT_LOG lets everything pass', async (box) => {
  assert.match(await mkdir(box, { [SECCOMP]: { defaultAction: 'SCMP_ACT_LOG' } }), /^0$/)
})

check('H7', 'a rule with the action of the default is taken', async (box) => {
  assert.match(await mkdir(box, except({ action: 'SCMP_ACT_ALLOW' })), /^0$/)
})

check('H7', 'a filter without rules', async (box) => {
  for (const syscalls of [undefined, []]) {
    assert.is(await box.sh('echo on', { [SECCOMP]: { defaultAction: 'SCMP_ACT_ALLOW', syscalls } }), 'on')
  }
})

check('K2', 'system calls that nobody knows are passed over', async (box) => {
  const names = ['no_such_call', ...MKDIR]
  assert.match(await mkdir(box, except({ action: 'SCMP_ACT_ERRNO', names })), /not permitted/)
})

for (const [title, noNewPrivileges, uid] of [
  ['with noNewPrivileges', true, 0],
  ['without noNewPrivileges', false, 0],
  ['of a user without noNewPrivileges', false, 1000],
] as const) {
  check('H7', `the filter ${title} is there, and capabilities are as given`, async (box) => {
    const sets = ['CAP_KILL']
    const status = await box.sh('cat /proc/self/status; mkdir /tmp/made 2>&1; true', {
      ...listed(),
      '/process/user': { uid, gid: uid },
      '/process/noNewPrivileges': noNewPrivileges,
      '/process/capabilities': { bounding: sets, permitted: sets, effective: sets, inheritable: sets, ambient: sets },
    })
    assert.match(status, /^Seccomp:\s+2$/m)
    assert.match(status, new RegExp(`^NoNewPrivs:\\s+${Number(noNewPrivileges)}$`, 'm'))
    for (const set of ['Prm', 'Eff', 'Bnd', 'Amb']) assert.match(status, new RegExp(`^Cap${set}:\\s+0+20$`, 'm'))
    assert.match(status, /not permitted$/)
  })
}

check('H7', 'a filter in a user namespace without noNewPrivileges', async (box) => {
  const mappings = [{ containerID: 0, hostID: 100000, size: 65536 }]
  const edits = {
    ...except({ action: 'SCMP_ACT_ERRNO' }),
    '/process/noNewPrivileges': false,
    '/linux/namespaces/-': { type: 'user' },
    '/linux/uidMappings': mappings,
    '/linux/gidMappings': mappings,
  }
  assert.match(await box.sh('mkdir /dev/made 2>&1; true', edits), /not permitted/)
})

check('H7', 'architectures of this machine', async (box) => {
  const architectures =
    process.arch === 'arm64'
      ? ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']
      : ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']
  assert.match(await mkdir(box, except({ action: 'SCMP_ACT_ERRNO' }, { architectures })), /not permitted/)
})

const FOREIGN =
  'LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X SH SHEB PARISC PARISC64 RISCV64'
check('H7', 'architectures of other machines', async (box) => {
  const architectures = FOREIGN.split(' ').map((name) => `SCMP_ARCH_${name}`)
  assert.match(await mkdir(box, except({ action: 'SCMP_ACT_ERRNO' }, { architectures })), /not permitted/)
})

for (const flag of ['TSYNC', 'LOG', 'SPEC_ALLOW', 'WAIT_KILLABLE_RECV']) {
  check('H7', `flag ${flag}`, async (box) => {
    const flags = [`SECCOMP_FILTER_FLAG_${flag}`]
    assert.match(await mkdir(box, except({ action: 'SCMP_ACT_ERRNO' }, { flags })), /not permitted/)
  })
}

/** What prctl(2) says of speculative stores, in the words of /proc. */
const SPECULATION = 'grep Speculation_Store_Bypass /proc/self/status'
check('K2', 'without flags a filter does not change what may be speculated about', async (box) => {
  const without = await box.sh(SPECULATION)
  assert.is(await box.sh(SPECULATION, except({ action: 'SCMP_ACT_ERRNO' })), without)
})

const REFUSED: readonly (readonly [what: string, seccomp: object])[] = [
  ['an unknown default action', { defaultAction: 'SCMP_ACT_MAYBE' }],
  ['no default action', { syscalls: [] }],
  ['an unknown action', { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: MKDIR, action: 'SCMP_ACT_MAYBE' }] }],
  ['an unknown architecture', { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_Z80'] }],
  ['an unknown flag', { defaultAction: 'SCMP_ACT_ALLOW', flags: ['SECCOMP_FILTER_FLAG_FAST'] }],
  [
    'an unknown operator',
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: MKDIR, action: 'SCMP_ACT_LOG', args: [{ index: 0, op: 'SCMP_CMP_ABOUT', value: 0 }] }],
    },
  ],
  [
    'the seventh argument',
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: MKDIR, action: 'SCMP_ACT_LOG', args: [{ index: 6, op: 'SCMP_CMP_EQ', value: 0 }] }],
    },
  ],
  [
    'an errnoRet for an action that has none',
    { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: MKDIR, action: 'SCMP_ACT_KILL', errnoRet: 1 }] },
  ],
  ['a defaultErrnoRet for an action that has none', { defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 1 }],
  [
    'an errnoRet that is none',
    { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: MKDIR, action: 'SCMP_ACT_ERRNO', errnoRet: 4096 }] },
  ],
]
for (const [what, seccomp] of REFUSED) {
  check('H7', `${what} is refused`, async (box) => {
    await box.rejected({ [SECCOMP]: seccomp })
  })
}

check('0.8', 'a rule without names is refused', async (box) => {
  await box.rejected({
    [SECCOMP]: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: [], action: 'SCMP_ACT_LOG' }] },
  })
})

check('H7', 'a startContainer hook runs when the filter refuses clone3', async (box) => {
  const said = await box.sh('cat /tmp/hook', {
    ...except({ action: 'SCMP_ACT_ERRNO', errnoRet: ERRNO.ENOSYS, names: ['clone3'] }),
    '/hooks': {
      startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'grep Seccomp: /proc/self/status >/tmp/hook'] }],
    },
  })
  assert.match(said, /2$/)
})

check('H7', 'a process that exec adds is filtered, too', async (box) => {
  await box.launch('exec sleep 100', { ...except({ action: 'SCMP_ACT_ERRNO' }), '/process/noNewPrivileges': false })
  const { stdout } = await box.command(['exec', box.id, 'sh', '-c', 'mkdir /tmp/made 2>&1; true'])
  assert.match(stdout, /not permitted/)
})

const DOCKER = `${ENGINES_CONFIGS}docker-plain.json`
check('K2', 'the profile that Docker writes', async (box) => {
  if (!existsSync(DOCKER)) skip(NO_CONFIGS)
  const { linux } = JSON.parse(readFileSync(DOCKER, 'utf8'))
  const edits = { [SECCOMP]: linux.seccomp, '/process/noNewPrivileges': false }
  const script =
    'mkdir /tmp/made; chmod 700 /tmp/made; ls -d /tmp/made; unshare -U true 2>/dev/null || mount -t tmpfs x /mnt 2>&1'
  for (const _ of ['compiled', 'kept']) {
    assert.match(await box.sh(`${script}; rmdir /tmp/made`, edits), /^\/tmp\/made\n.*(denied|not permitted)/i)
  }
  assert.is(await callInside(box, 'clone3', [0, 0], edits), ERRNO.ENOSYS)
})

const watched = (box: Box, more: object = {}) => ({
  [SECCOMP]: {
    defaultAction: 'SCMP_ACT_ALLOW',
    listenerPath: box.path('agent'),
    listenerMetadata: 'a\u00e9 "b"',
    syscalls: [{ names: MKDIR, action: 'SCMP_ACT_NOTIFY' }],
    ...more,
  },
})

for (const noNewPrivileges of [true, false]) {
  const how = noNewPrivileges ? '' : ', without noNewPrivileges'
  check('H8', `the agent gets the listener and the state of the container${how}`, async (box) => {
    using agent = listenForConsole(box.path('agent'))
    const script = '(mkdir /tmp/a; mkdir /tmp/b) >/tmp/said 2>&1; ln /tmp/said /data/said; sleep 100'
    await box.create({
      ...watched(box),
      '/process/args': ['sh', '-c', script],
      '/process/noNewPrivileges': noNewPrivileges,
      '/annotations': { 'org.example.key': 'x'.repeat(500) },
    })
    await box.start()
    const { descriptor, payload } = await agent.untilAccepted()
    try {
      const said = JSON.parse(payload)
      const { pid, annotations } = await box.state()
      assert.equal(said.fds, ['seccompFd'])
      assert.is(said.pid, pid)
      assert.is(said.metadata, 'a\u00e9 "b"')
      assert.match(said.ociVersion, /^\d+\.\d+/)
      assert.is(said.state.id, box.id)
      assert.match(said.state.status, /^(creating|created|running)$/)
      assert.is(said.state.pid, pid)
      assert.is(said.state.bundle, box.bundle)
      assert.equal(said.state.annotations, annotations)
      await answerCall(descriptor, ERRNO.EXDEV)
      await answerCall(descriptor, undefined)
      assert.match(await box.waitForFile(`${box.rootfs}/data/said`), /Invalid cross-device link/)
      assert.ok(existsSync(`${box.rootfs}/tmp/b`))
      assert.not.ok(existsSync(`${box.rootfs}/tmp/a`))
    } finally {
      closeSync(descriptor)
    }
  })
}

const ALL_FLAGS = ['TSYNC', 'LOG', 'SPEC_ALLOW', 'WAIT_KILLABLE_RECV'].map((flag) => `SECCOMP_FILTER_FLAG_${flag}`)
for (const [title, flags] of [
  ['', undefined],
  [' with every flag', ALL_FLAGS],
] as const) {
  check('H8', `the agent of a run${title}`, async (box) => {
    using agent = listenForConsole(box.path('agent'))
    const answer = async (): Promise<void> => {
      const { descriptor } = await agent.untilAccepted()
      await answerCall(descriptor, ERRNO.EXDEV)
      closeSync(descriptor)
    }
    const [said] = await Promise.all([box.sh('mkdir /tmp/a 2>&1; true', watched(box, { flags })), answer()])
    assert.match(said, /Invalid cross-device link/)
  })
}

check('H8', 'system calls that init makes itself can be left to the agent, but for write', async (box) => {
  needsKernel('6.11', 'a listener hears when nobody is left')
  using agent = listenForConsole(box.path('agent'))
  const names = ['capset', 'execve', 'prctl']
  const edits = {
    ...watched(box, { syscalls: [{ names, action: 'SCMP_ACT_NOTIFY' }] }),
    '/process/noNewPrivileges': true,
  }
  let ended = false
  const answer = async (): Promise<void> => {
    const { descriptor } = await agent.untilAccepted()
    while (!ended) {
      const asked = await pollAsync([descriptor], 50)
      // Who asked may have been interrupted: it asks again.
      if (asked.length > 0) await answerCall(descriptor, undefined).catch(() => undefined)
    }
    closeSync(descriptor)
  }
  const run = async (): Promise<string> => {
    try {
      return await box.sh('echo on', edits)
    } finally {
      ended = true
    }
  }
  const [said] = await Promise.all([run(), answer()])
  assert.is(said, 'on')
})

check('H8', 'exec hands its own listener to the agent', async (box) => {
  using agent = listenForConsole(box.path('agent'))
  await box.create({ ...watched(box), '/process/args': ['sleep', '100'] })
  await box.start()
  closeSync((await agent.untilAccepted()).descriptor)
  const answer = async (): Promise<void> => {
    const { descriptor, payload } = await agent.untilAccepted()
    const said = JSON.parse(payload)
    const { pid } = await box.state()
    assert.equal([said.fds, said.state.id, said.state.status], [['seccompFd'], box.id, 'running'])
    assert.is.not(said.pid, pid)
    assert.is(said.state.pid, pid)
    await answerCall(descriptor, ERRNO.EXDEV)
    closeSync(descriptor)
  }
  const [{ stdout }] = await Promise.all([box.command(['exec', box.id, 'sh', '-c', 'mkdir /tmp/a 2>&1']), answer()])
  assert.match(stdout, /Invalid cross-device link/)
})

check('H8', 'an agent that is not there is an error, and nothing is left', async (box) => {
  assert.match(await box.rejected(watched(box)), /agent/)
})

const BAD_AGENTS: readonly (readonly [what: string, more: object])[] = [
  ['SCMP_ACT_NOTIFY without listenerPath', { listenerPath: undefined, listenerMetadata: undefined }],
  ['a relative listenerPath', { listenerPath: 'agent' }],
  ['SCMP_ACT_NOTIFY as default action', { defaultAction: 'SCMP_ACT_NOTIFY' }],
  ['SCMP_ACT_NOTIFY for write', { syscalls: [{ names: ['write'], action: 'SCMP_ACT_NOTIFY' }] }],
]
for (const [what, more] of BAD_AGENTS) {
  check('H8', `${what} is refused`, async (box) => {
    using _agent = listenForConsole(box.path('agent'))
    await box.rejected(watched(box, more))
  })
}

check('H8', 'listenerMetadata without listenerPath is refused', async (box) => {
  await box.rejected({ [SECCOMP]: { defaultAction: 'SCMP_ACT_ALLOW', listenerMetadata: 'x' } })
})
