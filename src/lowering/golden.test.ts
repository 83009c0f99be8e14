// Small configs and real ones → the printed plan, as it was when somebody last looked. UPDATE_GOLDEN=1 writes anew.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ENGINES_CONFIGS, NO_CONFIGS } from '../../spec-schemas/others.ts'
import { normalize } from '../config/normalize.ts'
import type { Config, ProcessConfig } from '../config/types.ts'
import { SECCOMP_FLAG } from '../linux/seccomp-abi.ts'
import { compile } from '../machine/codegen.ts'
import { targetFor } from '../machine/target.ts'
import { CARD } from '../plan/card.ts'
import { print } from '../plan/print.ts'
import type { Plan } from '../plan/step.ts'
import { type CriuPlan, lowerCriu, lowerRestore } from './criu.ts'
import { lowerExec } from './exec.ts'
import type { Facts, ProcessFacts } from './facts.ts'
import { lowerCreate } from './lower.ts'
import { TIME_MARK } from './solo/clock.ts'
import { lowerSoloExec, type SoloExec } from './solo/exec.ts'
import type { Solo } from './solo/facts.ts'
import { lowerSolo } from './solo/solo.ts'

const GOLDEN = fileURLToPath(new URL('./golden/', import.meta.url))
const UPDATE = process.env.UPDATE_GOLDEN === '1'

const FACTS: Facts = {
  id: 'golden',
  mode: 'create',
  stateDirectory: '/run/runt/golden',
  preservedFds: 0,
  listenFds: undefined,
  console: undefined,
  noPivot: false,
  noNewKeyring: false,
  profile: false,
  cgroup: {
    procs: ['/sys/fs/cgroup/memory/golden/cgroup.procs'],
    v2Directory: '/sys/fs/cgroup/unified/golden',
    awaited: false,
    views: [
      {
        name: 'memory',
        options: ['memory'],
        links: [],
        directory: '/sys/fs/cgroup/memory/golden',
        mountpoint: '/sys/fs/cgroup/memory',
      },
    ],
    unified: false,
  },
  rdtTasks: [],
  grantable: (1n << 41n) - 1n,
  apparmor: true,
  landlockAbi: 4,
  makesDeviceNodes: true,
  mayMount: true,
  ordinaryUser: false,
  nested: false,
  nofile: { soft: 1024n, hard: 4096n },
  stateRoom: 1024,
  seccomp: undefined,
}

const PROCESS = { cwd: '/', args: ['/bin/true'], env: ['PATH=/bin'], user: { uid: 0, gid: 0 } }
const CREDENTIALS = {
  ...PROCESS,
  args: ['sh'],
  env: ['PATH=/bin:/usr/bin:', 'HOME=/x'],
  cwd: '/work',
  user: { uid: 7, gid: 8, additionalGids: [9, 10], umask: 0o27 },
  noNewPrivileges: true,
  oomScoreAdj: 300,
  rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 1 }],
  capabilities: {
    bounding: ['CAP_KILL'],
    permitted: ['CAP_KILL'],
    inheritable: ['CAP_KILL'],
    ambient: ['CAP_KILL'],
  },
}
const BASE = { ociVersion: '1.2.0', root: { path: 'rootfs' }, process: PROCESS }
const SCHEDULING = {
  scheduler: {
    policy: 'SCHED_DEADLINE',
    flags: ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_DL_OVERRUN'],
    nice: -3,
    runtime: 2000,
    deadline: 3000,
    period: 4000,
  },
  ioPriority: { class: 'IOPRIO_CLASS_IDLE' },
}
const LABELS = { apparmorProfile: 'docker-default', selinuxLabel: 'u:r:container_t:s0:c1,c2' }
const NUMA = {
  memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-1,70', flags: ['MPOL_F_STATIC_NODES'] },
  personality: { domain: 'LINUX32' },
}
const mapping = (hostID: number): object => {
  const list = [{ containerID: 0, hostID, size: 65536 }]
  return { uidMappings: list, gidMappings: list }
}
const MOUNT_NAMESPACE = { namespaces: [{ type: 'mount' }] }

/** One small config for each thing that a lowering does. */
const BUNDLES: Readonly<Record<string, object>> = {
  'no-namespaces': BASE,
  'no-process': { ociVersion: '1.2.0', root: { path: 'rootfs' }, linux: MOUNT_NAMESPACE },
  'bind-ro': {
    ...BASE,
    mounts: [{ destination: '/data', source: '/srv', options: ['rbind', 'rro', 'nosuid', 'rslave'] }],
    linux: MOUNT_NAMESPACE,
  },
  'tmpfs-and-remount': {
    ...BASE,
    mounts: [
      { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=1m,mode=700'] },
      { destination: '/tmp', type: 'tmpfs', options: ['remount', 'ro', 'size=2m'] },
      { destination: '/old', type: 'tmpfs', options: ['silent', 'size=1m'] },
    ],
    linux: MOUNT_NAMESPACE,
  },
  'id-mapped-mounts': {
    ...BASE,
    mounts: [
      { destination: '/a', source: '/srv', options: ['rbind', 'ridmap'] },
      { destination: '/b', type: 'tmpfs', options: ['idmap', 'mode=755'], ...mapping(5000) },
      { destination: '/c', source: '/srv', options: ['bind', 'ro'], ...mapping(5000) },
    ],
    linux: { namespaces: [{ type: 'mount' }, { type: 'user' }], ...mapping(100000) },
  },
  tmpcopyup: {
    ...BASE,
    mounts: [{ destination: '/run', type: 'tmpfs', options: ['tmpcopyup', 'ro', 'mode=755'] }],
    linux: MOUNT_NAMESPACE,
  },
  devices: {
    ...BASE,
    linux: {
      ...MOUNT_NAMESPACE,
      devices: [
        { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o600, uid: 5, gid: 6 },
        { path: '/opt/pipe', type: 'p' },
      ],
    },
  },
  'user-namespace': {
    ...BASE,
    linux: {
      namespaces: [{ type: 'user' }, { type: 'mount' }, { type: 'pid' }],
      uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    },
  },
  'joined-namespaces': {
    ...BASE,
    linux: {
      namespaces: [
        { type: 'mount' },
        { type: 'user', path: '/proc/9/ns/user' },
        { type: 'network', path: '/run/netns/a' },
        { type: 'time' },
        { type: 'cgroup' },
      ],
      timeOffsets: { boottime: { secs: 10, nanosecs: 5 } },
    },
  },
  hooks: {
    ...BASE,
    hooks: {
      createRuntime: [{ path: '/usr/bin/first' }],
      createContainer: [{ path: '/usr/bin/second', timeout: 3 }],
      startContainer: [{ path: '/bin/third', args: ['third', 'x'], env: ['A=b'] }],
    },
    linux: MOUNT_NAMESPACE,
  },
  'hidden-paths-and-sysctl': {
    ...BASE,
    hostname: 'web',
    domainname: 'example.org',
    root: { path: 'rootfs', readonly: true },
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'uts' }, { type: 'network' }],
      rootfsPropagation: 'shared',
      maskedPaths: ['/proc/kcore'],
      readonlyPaths: ['/proc/sys'],
      sysctl: { 'net.ipv4.ip_forward': '1', 'net/ipv4/conf/eth0.1/forwarding': '0' },
    },
  },
  'seccomp-and-hook': {
    ...BASE,
    process: { ...PROCESS, noNewPrivileges: true },
    hooks: { startContainer: [{ path: '/bin/third' }] },
    linux: MOUNT_NAMESPACE,
  },
  'seccomp-with-listener': {
    ...BASE,
    process: { ...PROCESS, capabilities: { permitted: ['CAP_KILL'], effective: ['CAP_KILL'] } },
    linux: MOUNT_NAMESPACE,
  },
  'seccomp-and-all-capabilities': {
    ...BASE,
    process: { ...PROCESS, capabilities: { permitted: ['CAP_SYS_ADMIN'], effective: ['CAP_SYS_ADMIN'] } },
  },
  credentials: {
    ...BASE,
    process: CREDENTIALS,
    linux: MOUNT_NAMESPACE,
  },
  'network-devices': {
    ...BASE,
    linux: { namespaces: [{ type: 'mount' }, { type: 'network' }], netDevices: { eth1: { name: 'eth%d' } } },
  },
  landlock: {
    ...BASE,
    annotations: {
      'runt.landlock': JSON.stringify({
        handledAccessNet: ['bind_tcp', 'connect_tcp'],
        scoped: ['signal'],
        paths: [
          { paths: ['/bin', '/lib/ld.so'], access: ['execute', 'read_file', 'read_dir'] },
          { paths: ['/tmp'], access: ['read_dir'] },
        ],
        ports: [{ ports: [80, 443], access: ['connect_tcp'] }],
      }),
    },
    linux: MOUNT_NAMESPACE,
  },
  labels: {
    ...BASE,
    process: { ...PROCESS, ...LABELS, noNewPrivileges: true },
    mounts: [
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue' },
      { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['size=1m'] },
      { destination: '/old', type: 'tmpfs', options: ['silent', 'size=1m'] },
      { destination: '/proc', type: 'proc' },
      { destination: '/sys/fs/cgroup', type: 'cgroup' },
    ],
    linux: { ...MOUNT_NAMESPACE, mountLabel: 'u:object_r:files_t:s0:c1,c2', maskedPaths: ['/proc/kcore'] },
  },
  scheduling: { ...BASE, process: { ...PROCESS, ...SCHEDULING }, linux: { ...MOUNT_NAMESPACE, ...NUMA } },
  'ordinary-user': {
    ...BASE,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      { destination: '/data', source: '/srv', options: ['rbind', 'ro'] },
    ],
    linux: {
      namespaces: ['mount', 'pid', 'user'].map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    },
  },
  scope: { ...BASE, process: PROCESS, linux: { namespaces: [{ type: 'mount' }, { type: 'cgroup' }] } },
}

/** A filter that lets everything pass, as facts have it. */
const filter = (flags: number): Pick<Facts, 'seccomp'> => ({
  seccomp: { program: Uint8Array.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]), flags },
})

const RDT_TASKS = ['/sys/fs/resctrl/golden/tasks', '/sys/fs/resctrl/golden/mon_groups/golden/tasks']

const FACTS_OF: Readonly<Record<string, Partial<Facts>>> = {
  scheduling: { rdtTasks: RDT_TASKS },
  scope: { cgroup: { ...FACTS.cgroup, procs: [], v2Directory: undefined, awaited: true } },
  'no-namespaces': { mode: 'run' },
  credentials: { mode: 'run-foreground', preservedFds: 2, listenFds: 1, noNewKeyring: true },
  'bind-ro': { noPivot: true },
  'seccomp-and-hook': filter(SECCOMP_FLAG.SPEC_ALLOW),
  'seccomp-with-listener': filter(SECCOMP_FLAG.NEW_LISTENER),
  'seccomp-and-all-capabilities': filter(0),
  'ordinary-user': {
    mayMount: false,
    ordinaryUser: true,
    makesDeviceNodes: false,
    stateDirectory: '/run/user/1000/runt/golden',
    cgroup: { procs: [], v2Directory: undefined, awaited: false, views: [], unified: false },
  },
}

function golden(name: string, config: Config, facts: Facts): void {
  goldenPlan(name, lowerCreate(config, facts))
}

function goldenPlan(name: string, plan: Plan): void {
  for (const arch of ['x64', 'arm64'] as const) compile(plan, targetFor(arch))
  const path = `${GOLDEN}${name}.plan`
  const text = print(plan)
  if (UPDATE) {
    mkdirSync(GOLDEN, { recursive: true })
    writeFileSync(path, text)
  }
  assert.fixture(text, readFileSync(path, 'utf8'))
}

for (const [name, raw] of Object.entries(BUNDLES)) {
  test(`the plan of ${name} is as it was`, () => {
    golden(name, normalize(raw as Parameters<typeof normalize>[0], '/bundle'), { ...FACTS, ...FACTS_OF[name] })
  })
}

test('a terminal goes to its socket, or over the channel', () => {
  const raw = {
    ...BASE,
    process: { ...PROCESS, terminal: true, consoleSize: { height: 24, width: 80 } },
    linux: MOUNT_NAMESPACE,
  }
  const config = normalize(raw as Parameters<typeof normalize>[0], '/bundle')
  golden('terminal-socket', config, { ...FACTS, console: { kind: 'socket', path: '/tmp/pty.sock' } })
  golden('terminal-channel', config, { ...FACTS, mode: 'run-foreground', console: { kind: 'channel' } })
})

/** Processes that exec adds: [name, process, namespaces, facts]. */
const EXECS: readonly (readonly [string, object, readonly string[], Partial<ProcessFacts>])[] = [
  ['exec', PROCESS, ['mount', 'pid', 'network', 'ipc', 'uts'], { mode: 'run-foreground' }],
  ['exec-without-mount-namespace', { ...PROCESS, cwd: '/tmp' }, ['uts'], { mode: 'run', noNewKeyring: true }],
  ['exec-in-scope', PROCESS, ['mount'], { mode: 'run', cgroup: { procs: [], v2Directory: undefined, awaited: true } }],
  ['exec-in-user-namespace', PROCESS, ['user', 'mount', 'pid', 'cgroup', 'time'], { mode: 'run' }],
  [
    'exec-with-all',
    {
      ...CREDENTIALS,
      ...LABELS,
      terminal: true,
      consoleSize: { height: 24, width: 80 },
      execCPUAffinity: { initial: '0-3', final: '1' },
    },
    ['mount', 'pid'],
    { mode: 'run', preservedFds: 2, rdtTasks: RDT_TASKS, console: { kind: 'socket', path: '/tmp/pty.sock' } },
  ],
  [
    'exec-with-filter',
    { ...PROCESS, user: { uid: 7, gid: 8 } },
    ['mount', 'pid'],
    { mode: 'run', ...filter(SECCOMP_FLAG.NEW_LISTENER) },
  ],
]

for (const [name, process, types, facts] of EXECS) {
  test(`the plan of ${name} is as it was`, () => {
    const raw = { ...BASE, process, linux: { namespaces: types.map((type) => ({ type })) } }
    const config: ProcessConfig = normalize(raw as Parameters<typeof normalize>[0], '/bundle')
    goldenPlan(name, lowerExec(config, { ...FACTS, ...facts }))
  })
}

const SOLO: Solo = {
  directory: '/run/runt/golden',
  record: { contents: (steps) => new TextEncoder().encode(`{"created":"${TIME_MARK}",${steps.length}}`), timeAt: 12 },
  card: { bytes: new Uint8Array(CARD.size + 40), timeAt: CARD.size },
  cgroup: {
    folders: ['/sys/fs/cgroup/cpuset/golden'],
    checks: [{ path: '/sys/fs/cgroup/freezer/golden/freezer.state', position: 0, byte: 'T' }],
    copies: [{ from: '/sys/fs/cgroup/cpuset/cpuset.cpus', to: '/sys/fs/cgroup/cpuset/golden/cpuset.cpus' }],
    knobs: [{ path: '/sys/fs/cgroup/pids/golden/pids.max', text: '5' }],
    devices: { folder: '/sys/fs/cgroup/golden', program: new Uint8Array(16) },
  },
  own: ['/sys/fs/cgroup/cpuset/golden'],
  above: ['/sys/fs/cgroup/cpuset'],
  pidFile: '/tmp/pid',
  subreaper: true,
  engine: '/usr/bin/runt-engine',
  removal: ['/usr/bin/runt-engine', 'delete', '--force', 'golden'],
}

for (const mode of ['create', 'run-foreground'] as const) {
  test(`the plan of an image that does runt's part in ${mode} is as it was`, () => {
    const raw = { ...BASE, linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] } }
    const config = normalize(raw as Parameters<typeof normalize>[0], '/bundle')
    goldenPlan(`solo-${mode}`, lowerSolo(config, { ...FACTS, mode }, SOLO))
  })
}

const SOLO_EXEC: SoloExec = {
  init: { pid: 4711, inode: 815n },
  checks: [{ path: '/sys/fs/cgroup/freezer/golden/freezer.state', position: 0, byte: 'T' }],
  leaf: '/sys/fs/cgroup/unified/golden',
  pidFile: '/run/pid',
  engine: '/usr/bin/runt-engine',
}

for (const mode of ['run', 'run-foreground'] as const) {
  test(`the plan of an image that execs by itself in ${mode} is as it was`, () => {
    const raw = { ...BASE, linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] } }
    const config = normalize(raw as Parameters<typeof normalize>[0], '/bundle')
    goldenPlan(`solo-exec-${mode}`, lowerSoloExec(config, { ...FACTS, mode }, SOLO_EXEC))
  })
}

test('the plans of the images that become CRIU are as they were', () => {
  const raw = {
    ...BASE,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm' },
      { destination: '/etc/hosts', type: 'bind', source: '/host/.hosts', options: ['rbind'] },
    ],
    linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
  }
  const config = normalize(raw as Parameters<typeof normalize>[0], '/bundle')
  const cgroup = { procs: ['/sys/fs/cgroup/memory/golden/cgroup.procs'], v2Directory: undefined }
  const facts: Facts = { ...FACTS, mode: 'run', noPivot: true, cgroup: { ...FACTS.cgroup, ...cgroup } }
  goldenCriu('criu-for-restore', lowerRestore(config, facts, CRIU_CALL, '/run/runt/golden/criu-root'))
  goldenCriu('criu-for-checkpoint', lowerCriu(CRIU_CALL, true))
})

const CRIU_CALL = { program: '/usr/sbin/criu', env: ['PATH=/bin'], given: 2, caller: 1000 }

function goldenCriu(name: string, { plan, first }: CriuPlan): void {
  goldenPlan(name, plan)
  assert.match(print(plan), new RegExp(`"criu","swrk","${first}"`))
}

test('without AppArmor everybody is unconfined, so nothing is written for that', () => {
  const raw = { ...BASE, process: { ...PROCESS, apparmorProfile: 'unconfined' }, linux: MOUNT_NAMESPACE }
  const config = normalize(raw as Parameters<typeof normalize>[0], '/bundle')
  const text = (apparmor: boolean) => print(lowerCreate(config, { ...FACTS, apparmor }))
  assert.match(text(true), /write\(.*"exec unconfined"/)
  assert.not.match(text(false), /unconfined|thread-self/)
})

test('the same config and facts give the same plan', () => {
  const config = normalize(BUNDLES.hooks as Parameters<typeof normalize>[0], '/bundle')
  assert.is(print(lowerCreate(config, FACTS)), print(lowerCreate(config, FACTS)))
})

const configs = existsSync(ENGINES_CONFIGS) ? readdirSync(ENGINES_CONFIGS).filter((name) => name.endsWith('.json')) : []
if (configs.length === 0) console.log(`skipped: plans of configs that engines wrote: ${NO_CONFIGS}`)
for (const name of configs) {
  test(`${name} has a plan that holds`, () => {
    const raw = JSON.parse(readFileSync(`${ENGINES_CONFIGS}${name}`, 'utf8'))
    const terminal = raw.process?.terminal === true
    const console = terminal ? ({ kind: 'socket', path: '/tmp/pty.sock' } as const) : undefined
    compile(lowerCreate(normalize(raw, '/bundle'), { ...FACTS, console }), targetFor('x64'))
  })
}

test.run()
