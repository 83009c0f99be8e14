// Each named check: what it refuses, word by word, and what it lets pass.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pointerText } from '../pointer.ts'
import { CHECKS, runChecks } from './checks.ts'
import { type Changes, configWith } from './fixtures.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { config as fitsSchema } from './generated/validators.js'

interface Case {
  readonly good: readonly Changes[]
  /** Changes, and the lines that they must give: "pointer: [found X,] message". */
  readonly bad: readonly (readonly [Changes, ...string[]])[]
}

const namespaces = (...types: string[]) => ({ '/linux/namespaces': types.map((type) => ({ type })) })
const joined = (type: string) => ({ '/linux/namespaces': [{ type: 'mount' }, { type, path: `/proc/1/ns/${type}` }] })
const MAP = [{ containerID: 0, hostID: 1000, size: 10 }]
const USER = { ...namespaces('mount', 'user'), '/linux/uidMappings': MAP, '/linux/gidMappings': MAP }
const mount = (value: object): Changes => ({ '/mounts': [value] })
const seccomp = (value: object): Changes => ({ '/linux/seccomp': { defaultAction: 'SCMP_ACT_ERRNO', ...value } })
const call = (value: object) => seccomp({ syscalls: [{ names: ['read'], ...value }] })

const CASES: Readonly<Record<string, Case>> = {
  version: {
    good: ['1.0.2-dev', '1.1.0', '1.2.1', '1.3.0', '1.4.0', '1.0.0-rc.5+build'].map((v) => ({ '/ociVersion': v })),
    bad: [
      [{ '/ociVersion': '1.0' }, '/ociVersion: found "1.0", must be a version as SemVer 2.0.0 writes it, like "1.3.0"'],
      [{ '/ociVersion': 'abc' }, '/ociVersion: found "abc", must be a version as SemVer 2.0.0 writes it, like "1.3.0"'],
      [
        { '/ociVersion': '1.01.0' },
        '/ociVersion: found "1.01.0", must be a version as SemVer 2.0.0 writes it, like "1.3.0"',
      ],
      [{ '/ociVersion': '2.0.0' }, '/ociVersion: found "2.0.0", runt follows version 1 of the specification'],
    ],
  },
  root: { good: [{}], bad: [[{ '/root': undefined }, '/root: is missing']] },
  names: {
    good: [
      { '/hostname': 'h', '/domainname': 'd', ...namespaces('mount', 'uts') },
      { '/hostname': 'h', ...joined('uts') },
      { '/hostname': '' },
      { '/hostname': 'h'.repeat(64), ...namespaces('uts') },
    ],
    bad: [
      [{ '/hostname': 'h' }, '/hostname: found "h", needs a uts namespace in linux.namespaces'],
      [{ '/domainname': 'd' }, '/domainname: found "d", needs a uts namespace in linux.namespaces'],
      [
        { '/hostname': 'ü'.repeat(33), ...namespaces('uts') },
        `/hostname: found "${'ü'.repeat(33)}", must be at most 64 bytes long`,
      ],
    ],
  },
  args: {
    good: [{ '/process': undefined }, { '/process/args': ['a', ''] }],
    bad: [
      [{ '/process/args': undefined }, '/process/args: is missing'],
      [{ '/process/args': [] }, '/process/args: found an empty list, must name the program to run'],
      [{ '/process/args': [''] }, '/process/args/0: found "", must name the program to run'],
    ],
  },
  cwd: {
    good: [{ '/process/cwd': '/proc/self' }, { '/process/cwd': '/proc/self/fdinfo' }],
    bad: [
      [
        { '/process/cwd': '/proc/self/fd/7' },
        '/process/cwd: found "/proc/self/fd/7", must not lead through a descriptor',
      ],
      [
        { '/process/cwd': '/x/../proc//1/task/1/fd/../fd/3' },
        '/process/cwd: found "/x/../proc//1/task/1/fd/../fd/3", must not lead through a descriptor',
      ],
    ],
  },
  consoleSize: {
    good: [
      { '/process/consoleSize': { height: 70000, width: 1 } },
      { '/process/consoleSize': { height: 65535, width: 0 }, '/process/terminal': true },
    ],
    bad: [
      [
        { '/process/consoleSize': { height: 65536, width: 1 }, '/process/terminal': true },
        '/process/consoleSize/height: found 65536, must be at most 65535',
      ],
    ],
  },
  rlimits: {
    good: [
      {
        '/process/rlimits': [
          { type: 'RLIMIT_CORE', soft: 1, hard: 1 },
          { type: 'RLIMIT_AS', soft: 0, hard: 1 },
        ],
      },
    ],
    bad: [
      [
        {
          '/process/rlimits': [
            { type: 'RLIMIT_CORE', soft: 1, hard: 1 },
            { type: 'RLIMIT_CORE', soft: 2, hard: 1 },
          ],
        },
        '/process/rlimits/1/type: found "RLIMIT_CORE", is listed already at process.rlimits[0]',
        '/process/rlimits/1/soft: found 2, must not be above the hard limit, 1',
      ],
    ],
  },
  user: {
    good: [
      USER,
      { ...USER, '/process/user': { uid: 9, gid: 9, additionalGids: [0, 9] } },
      { ...joined('user'), '/process/user': { uid: 9999, gid: 9999 } },
    ],
    bad: [
      [
        { ...USER, '/process/user': { uid: 10, gid: 11, additionalGids: [9, 12] } },
        "/process/user/uid: found 10, is not in the container: linux.uidMappings doesn't map it",
        "/process/user/gid: found 11, is not in the container: linux.gidMappings doesn't map it",
        "/process/user/additionalGids/1: found 12, is not in the container: linux.gidMappings doesn't map it",
      ],
    ],
  },
  execCPUAffinity: {
    good: [{ '/process/execCPUAffinity': { initial: '', final: '0-3, 7' } }],
    bad: [
      [
        { '/process/execCPUAffinity': { initial: '1-', final: '3-1' } },
        '/process/execCPUAffinity/initial: found "1-", must be a list of CPUs as "0-3,7"',
        '/process/execCPUAffinity/final: found "3-1", must be a list of CPUs as "0-3,7"',
      ],
    ],
  },
  scheduler: {
    good: [
      { '/process/scheduler': { policy: 'SCHED_OTHER', nice: -5 } },
      { '/process/scheduler': { policy: 'SCHED_FIFO', priority: 99 } },
      { '/process/scheduler': { policy: 'SCHED_DEADLINE', runtime: 2000, deadline: 3000, period: 4000 } },
      { '/process/scheduler': { policy: 'SCHED_DEADLINE', runtime: 2000, deadline: 3000 } },
      { '/process/scheduler': { policy: 'SCHED_BATCH', priority: 0, runtime: 0 } },
    ],
    bad: [
      [{ '/process/scheduler': { policy: 'SCHED_RR' } }, '/process/scheduler/priority: must be 1 to 99 for SCHED_RR'],
      [
        { '/process/scheduler': { policy: 'SCHED_IDLE', priority: 1, period: 5 } },
        '/process/scheduler/priority: found 1, is for SCHED_FIFO and SCHED_RR, not for SCHED_IDLE',
        '/process/scheduler/period: found 5, is for SCHED_DEADLINE, not for SCHED_IDLE',
      ],
      [
        { '/process/scheduler': { policy: 'SCHED_DEADLINE', runtime: 5, deadline: 4, period: 3 } },
        '/process/scheduler/deadline: found 4, must not be below the runtime, 5',
        '/process/scheduler/period: found 3, must not be below the deadline, 4',
      ],
      [
        { '/process/scheduler': { policy: 'SCHED_DEADLINE' } },
        '/process/scheduler/runtime: must be given for SCHED_DEADLINE',
      ],
    ],
  },
  mountDestination: {
    good: [
      mount({ destination: 'data', type: 'tmpfs' }),
      mount({ destination: '/proc', type: 'proc' }),
      mount({ destination: '/proc', type: 'none', source: '/proc/', options: ['rbind'] }),
      mount({ destination: '/proc/meminfo', source: '/x', options: ['bind'] }),
      mount({ destination: '/proc/sys/kernel/ns_last_pid', source: '/x', options: ['bind'] }),
      mount({ destination: '/process', type: 'tmpfs' }),
    ],
    bad: [
      [mount({ destination: '/.', type: 'tmpfs' }), '/mounts/0/destination: found "/.", must not be the root itself'],
      [
        mount({ destination: '/x/../proc/sys', type: 'tmpfs' }),
        '/mounts/0/destination: found "/x/../proc/sys", must not be inside /proc, but for a few files that describe',
      ],
      [
        mount({ destination: '/proc', type: 'tmpfs' }),
        '/mounts/0/type: found "tmpfs", must be proc for a mount at /proc',
      ],
      [
        mount({ destination: '/proc', source: '/tmp', options: ['bind'] }),
        '/mounts/0/source: found "/tmp", must be /proc for a bind at /proc',
      ],
    ],
  },
  mountType: {
    good: [
      mount({ destination: '/x', type: 'bind', source: '/y', options: ['rbind'] }),
      mount({ destination: '/x', options: ['remount', 'ro'] }),
      mount({ destination: '/x', type: 'none', options: ['rslave'] }),
    ],
    bad: [
      [
        mount({ destination: '/x' }),
        '/mounts/0/type: must be given, unless the options have bind, rbind, remount or a propagation',
      ],
      [
        mount({ destination: '/x', type: 'bind', source: '/y', options: ['ro'] }),
        '/mounts/0/type: found "bind", is no file system: a bind is asked for by the option bind or rbind',
      ],
    ],
  },
  bindSource: {
    good: [mount({ destination: '/x', source: 'relative', options: ['bind'] })],
    bad: [[mount({ destination: '/x', options: ['bind'] }), '/mounts/0/source: must be given for a bind']],
  },
  bindOptions: {
    good: [
      mount({ destination: '/x', source: '/y', options: ['bind', 'ro', 'x-note=1', 'nosuid,nodev'] }),
      mount({ destination: '/x', type: 'tmpfs', options: ['size=1m', 'anything'] }),
      mount({ destination: '/x', source: '/y', options: ['bind', 'size=1m'] }),
    ],
    bad: [
      [
        mount({ destination: '/x', source: '/y', options: ['bind', 'nosiud,ro', 'huge'] }),
        '/mounts/0/options/1: found "nosiud", is not an option of bind mounts; did you mean "nosuid"?',
        '/mounts/0/options/2: found "huge", is not an option of bind mounts',
      ],
    ],
  },
  mountSpecials: {
    good: [
      mount({ destination: '/x', type: 'tmpfs', options: ['tmpcopyup', 'ro'] }),
      mount({ destination: '/sys/fs/cgroup', type: 'cgroup', options: ['ro', 'rslave'] }),
    ],
    bad: [
      [
        mount({ destination: '/x', type: 'ramfs', options: ['tmpcopyup'] }),
        '/mounts/0/options: found "tmpcopyup", is for mounts of type tmpfs only',
      ],
      [
        mount({ destination: '/x', source: '/y', options: ['bind', 'tmpcopyup'] }),
        '/mounts/0/options: found "tmpcopyup", is for mounts of type tmpfs only',
      ],
      [
        mount({ destination: '/x', type: 'cgroup2', uidMappings: MAP, gidMappings: MAP, options: ['sync'] }),
        '/mounts/0/options: cgroup file systems show their owners as they are: no idmap',
        '/mounts/0/options: found "sync", is no option of cgroup file systems',
      ],
    ],
  },
  mountMappings: {
    good: [
      mount({ destination: '/x', source: '/y', options: ['bind', 'idmap'], uidMappings: MAP, gidMappings: MAP }),
      mount({ destination: '/x', source: '/y', options: ['bind'], uidMappings: MAP, gidMappings: MAP }),
      { ...USER, ...mount({ destination: '/x', source: '/y', options: ['rbind', 'ridmap'] }) },
    ],
    bad: [
      [
        mount({ destination: '/x', source: '/y', options: ['bind'], uidMappings: MAP }),
        '/mounts/0/gidMappings: must be given together with uidMappings',
      ],
      [
        mount({ destination: '/x', source: '/y', options: ['bind'], gidMappings: MAP }),
        '/mounts/0/uidMappings: must be given together with gidMappings',
      ],
      [
        mount({ destination: '/x', source: '/y', options: ['bind', 'idmap'] }),
        '/mounts/0/options: idmap needs uidMappings and gidMappings, or a user namespace',
      ],
      [
        { ...USER, ...mount({ destination: '/x', options: ['remount', 'idmap'] }) },
        '/mounts/0/options: idmap is for new mounts: one that is there keeps the owners it shows',
      ],
      [
        { ...USER, ...mount({ destination: '/x', type: 'tmpfs', options: ['silent', 'ridmap'] }) },
        "/mounts/0/options: ridmap can't be given together with iversion or silent",
      ],
      [
        mount({
          destination: '/x',
          source: '/y',
          options: ['bind'],
          uidMappings: MAP,
          gidMappings: [...MAP, { containerID: 5, hostID: 5000, size: 1 }],
        }),
        '/mounts/0/gidMappings/1/containerID: found 5, overlaps with the range from 0 on, 10 long',
      ],
    ],
  },
  namespaces: {
    good: [namespaces('mount', 'pid', 'network', 'uts', 'ipc', 'cgroup', 'time')],
    bad: [
      [
        namespaces('pid', 'mount', 'pid'),
        '/linux/namespaces/2/type: found "pid", is listed already at linux.namespaces[0]',
      ],
    ],
  },
  mappings: {
    good: [
      USER,
      { ...joined('user'), '/linux/uidMappings': MAP, '/linux/gidMappings': MAP },
      joined('user'),
      namespaces('user'),
    ],
    bad: [
      [{ '/linux/uidMappings': MAP }, '/linux/uidMappings: needs a user namespace in linux.namespaces'],
      [
        { ...namespaces('user'), '/linux/uidMappings': MAP },
        '/linux/gidMappings: must be given for a new user namespace, as for the others',
      ],
      [
        { ...USER, '/linux/uidMappings': [...MAP, { containerID: 9, hostID: 4294967000, size: 500 }] },
        '/linux/uidMappings/1/containerID: found 9, overlaps with the range from 0 on, 10 long',
        '/linux/uidMappings/1/size: found 500, goes past the largest id, from hostID 4294967000 on',
      ],
    ],
  },
  timeOffsets: {
    good: [
      { ...namespaces('mount', 'time'), '/linux/timeOffsets': { boottime: { secs: -1, nanosecs: 5 } } },
      { '/linux/timeOffsets': {} },
    ],
    bad: [
      [
        { '/linux/timeOffsets': { monotonic: { secs: 1 } } },
        '/linux/timeOffsets: needs a new time namespace in linux.namespaces',
      ],
      [
        { ...joined('time'), '/linux/timeOffsets': { monotonic: { secs: 1 } } },
        '/linux/timeOffsets: needs a new time namespace in linux.namespaces',
      ],
    ],
  },
  devices: {
    good: [
      {
        '/linux/devices': [
          { type: 'p', path: '/fifo', fileMode: 0o10666 },
          { type: 'b', path: '/dev/y', major: 7, minor: 1, fileMode: 0o60640 },
          { type: 'c', path: '/dev/x', major: 4095, minor: 1048575 },
        ],
      },
      {
        '/linux/devices': [
          { type: 'c', path: '/dev/x', major: 1, minor: 3 },
          { type: 'u', path: '/dev/./x', major: 1, minor: 3 },
        ],
      },
    ],
    bad: [
      [
        { '/linux/devices': [{ type: 'c', path: '/dev/x', major: 1, minor: 3, fileMode: 0o60640 }] },
        '/linux/devices/0/fileMode: found 24992, must be at most 511, or have just the type c above that',
      ],
      [
        { '/linux/devices': [{ type: 'c', path: '/dev/x', major: 1 }] },
        '/linux/devices/0/minor: must be given for a device of type c',
      ],
      [
        { '/linux/devices': [{ type: 'b', path: '/', major: 4096, minor: -1 }] },
        '/linux/devices/0/major: found 4096, must be 0 to 4095',
        '/linux/devices/0/minor: found -1, must be 0 to 1048575',
        '/linux/devices/0/path: found "/", must not be the root itself',
      ],
      [
        {
          '/linux/devices': [
            { type: 'c', path: '/dev/x', major: 1, minor: 3 },
            { type: 'b', path: '/dev//x', major: 1, minor: 3 },
          ],
        },
        '/linux/devices/1/path: found "/dev//x", is another device already at linux.devices[0]',
      ],
    ],
  },
  hiddenPaths: {
    good: [
      { '/linux/maskedPaths': ['/a'], '/linux/readonlyPaths': ['/b'] },
      { ...namespaces(), '/linux/maskedPaths': [] },
    ],
    bad: [
      [
        { ...namespaces(), '/linux/maskedPaths': ['/a'], '/linux/readonlyPaths': ['/b'] },
        '/linux/maskedPaths: needs a mount namespace in linux.namespaces',
        '/linux/readonlyPaths: needs a mount namespace in linux.namespaces',
      ],
    ],
  },
  sysctl: {
    good: [
      {
        ...namespaces('mount', 'ipc', 'network', 'uts'),
        '/linux/sysctl': {
          'kernel.msgmax': '1',
          'kernel/shm_rmid_forced': '1',
          'fs.mqueue.msg_max': '1',
          'net.ipv4.conf.eth0/1.forwarding': '1',
          'kernel.domainname': 'd',
        },
      },
      { ...joined('network'), '/linux/sysctl': { 'net.core.somaxconn': '1' } },
    ],
    bad: [
      [
        { '/linux/sysctl': { 'kernel.shmmax': '1' } },
        '/linux/sysctl/kernel.shmmax: needs a namespace of type ipc in linux.namespaces',
      ],
      [
        { '/linux/sysctl': { 'net/ipv4/ip_forward': '1' } },
        '/linux/sysctl/net~1ipv4~1ip_forward: needs a namespace of type network in linux.namespaces',
      ],
      [
        { ...namespaces('uts'), '/domainname': 'd', '/linux/sysctl': { 'kernel.domainname': 'd' } },
        '/linux/sysctl/kernel.domainname: is what domainname is for, which is there, too',
      ],
      [
        { ...namespaces('uts'), '/linux/sysctl': { 'kernel.hostname': 'h', 'vm.swappiness': '1' } },
        '/linux/sysctl/kernel.hostname: is what hostname is for',
        '/linux/sysctl/vm.swappiness: is not a parameter of a namespace: it would change the host',
      ],
      [
        { ...namespaces('network'), '/linux/sysctl': { 'net/../kernel/x': '1', 'net.a': '1', 'net/a': '2' } },
        '/linux/sysctl/net~1..~1kernel~1x: is not the name of a kernel parameter',
        '/linux/sysctl/net~1a: is the same parameter as "net.a"',
      ],
    ],
  },
  cgroupsPath: {
    good: ['/a/b', 'a/b', 'a//b', 'system.slice:runt:x', '', '/a..b'].map((path) => ({ '/linux/cgroupsPath': path })),
    bad: [[{ '/linux/cgroupsPath': '/a/../../b' }, '/linux/cgroupsPath: found "/a/../../b", must not have ".." in it']],
  },
  netDevices: {
    good: [{ ...namespaces('network'), '/linux/netDevices': { eth0: {}, eth1: { name: 'lan' } } }],
    bad: [
      [
        { ...namespaces('network'), '/linux/netDevices': { a: { name: 'x%d%d' }, b: { name: 'y%' } } },
        '/linux/netDevices/a: found "x%d%d", may have one "%d" for a number, and no other "%"',
        '/linux/netDevices/b: found "y%", may have one "%d" for a number, and no other "%"',
      ],
      [{ '/linux/netDevices': { eth0: {} } }, '/linux/netDevices: needs a network namespace in linux.namespaces'],
      [
        { ...namespaces('network'), '/linux/netDevices': { a: { name: 'x' }, b: { name: 'x' }, c: { name: '..' } } },
        '/linux/netDevices/b: found "x", is the name of "a" already',
        '/linux/netDevices/c: found "..", is no name of a device',
      ],
    ],
  },
  ownAnnotations: {
    good: [{ '/annotations': { 'org.x': '', runt: '', 'runtime.x': '' } }],
    bad: [
      [
        { '/annotations': { 'runt.landlok': '{}', 'RUNT.exit-record': 'true', 'runt.moon': '' } },
        '/annotations/runt.landlok: runt has no annotation of this name: there are runt.exit-record and runt.landlock; did you mean "runt.landlock"?',
        '/annotations/RUNT.exit-record: runt has no annotation of this name: there are runt.exit-record and runt.landlock; did you mean "runt.exit-record"?',
        '/annotations/runt.moon: runt has no annotation of this name: there are runt.exit-record and runt.landlock',
      ],
    ],
  },
  landlock: {
    good: [{ '/annotations': { 'runt.landlock': '{"scoped": ["signal"]}', other: '{' } }],
    bad: [
      [{ '/annotations': { 'runt.landlock': '[]' } }, '/annotations/runt.landlock: the annotation must be an object'],
    ],
  },
  exitRecord: {
    good: [{ '/annotations': { 'runt.exit-record': 'true' } }, { '/annotations': { 'runt.exit-record': 'false' } }],
    bad: [
      [
        { '/annotations': { 'runt.exit-record': 'yes' } },
        '/annotations/runt.exit-record: found "yes", must be "true" or "false"',
      ],
    ],
  },
  memoryPolicy: {
    good: [
      { '/linux/memoryPolicy': { mode: 'MPOL_DEFAULT' } },
      { '/linux/memoryPolicy': { mode: 'MPOL_PREFERRED' } },
      { '/linux/memoryPolicy': { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_NUMA_BALANCING'] } },
    ],
    bad: [
      [{ '/linux/memoryPolicy': { mode: 'MPOL_BIND' } }, '/linux/memoryPolicy/nodes: must be given for MPOL_BIND'],
      [
        { '/linux/memoryPolicy': { mode: 'MPOL_INTERLEAVE', nodes: '3-1' } },
        '/linux/memoryPolicy/nodes: found "3-1", must be a list of nodes as "0-1,3"',
      ],
      [
        { '/linux/memoryPolicy': { mode: 'MPOL_LOCAL', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] } },
        '/linux/memoryPolicy/nodes: found "0", must not be given for MPOL_LOCAL',
        '/linux/memoryPolicy/flags: must not be given for MPOL_LOCAL',
      ],
      [
        {
          '/linux/memoryPolicy': {
            mode: 'MPOL_INTERLEAVE',
            nodes: '0',
            flags: ['MPOL_F_STATIC_NODES', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_NUMA_BALANCING'],
          },
        },
        '/linux/memoryPolicy/flags: has MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES, which exclude each other',
        '/linux/memoryPolicy/flags: has MPOL_F_NUMA_BALANCING, which is for MPOL_BIND and MPOL_PREFERRED_MANY',
      ],
    ],
  },
  personality: {
    good: [{ '/linux/personality': { domain: 'LINUX', flags: [] } }],
    bad: [
      [
        { '/linux/personality': { domain: 'LINUX', flags: ['X'] } },
        '/linux/personality/flags/0: found "X", no flag is defined',
      ],
    ],
  },
  memory: {
    good: [
      { '/linux/resources/memory': { limit: 10, swap: 10, swappiness: 100 } },
      { '/linux/resources/memory': { limit: -1, swap: -1, reservation: -1, swappiness: 18446744073709551615n } },
      { '/linux/resources/memory': { limit: 0, swap: 0 } },
    ],
    bad: [
      [
        { '/linux/resources/memory': { limit: 10, swap: 9, reservation: -2, swappiness: 101 } },
        '/linux/resources/memory/reservation: found -2, must be a size, or -1 for no limit',
        '/linux/resources/memory/swap: found 9, is memory and swap together, so not below the limit, 10',
        '/linux/resources/memory/swappiness: found 101, must be 0 to 100',
      ],
      [
        { '/linux/resources/memory': { limit: -1, swap: 9 } },
        '/linux/resources/memory/swap: found 9, is memory and swap together, and memory has no limit',
      ],
    ],
  },
  cpu: {
    good: [
      { '/linux/resources/cpu': { quota: 10, burst: 10, idle: 1 } },
      { '/linux/resources/cpu': { quota: -1, burst: 10 } },
    ],
    bad: [
      [
        { '/linux/resources/cpu': { quota: 10, burst: 11, idle: 2 } },
        '/linux/resources/cpu/burst: found 11, must not be above the quota, 10',
        '/linux/resources/cpu/idle: found 2, must be 0 or 1',
      ],
    ],
  },
  pids: {
    good: [{ '/linux/resources/pids': { limit: -1 } }, { '/linux/resources/pids': { limit: 0 } }],
    bad: [
      [
        { '/linux/resources/pids': { limit: -2 } },
        '/linux/resources/pids/limit: found -2, must be a number, or -1 for no limit',
      ],
    ],
  },
  deviceRules: {
    good: [
      { '/linux/resources/devices': [{ allow: false }, { allow: true, type: 'c', major: -1, minor: 4294967295 }] },
    ],
    bad: [
      [
        { '/linux/resources/devices': [{ allow: true, type: 'c', major: -2, minor: 4294967296 }] },
        '/linux/resources/devices/0/major: found -2, must be the number of a device, or -1 for any',
        '/linux/resources/devices/0/minor: found 4294967296, must be the number of a device, or -1 for any',
      ],
    ],
  },
  blockIO: {
    good: [{ '/linux/resources/blockIO': { weight: 0, weightDevice: [{ major: 8, minor: 0, leafWeight: 10 }] } }],
    bad: [
      [
        {
          '/linux/resources/blockIO': {
            weight: 9,
            weightDevice: [{ major: 8, minor: 0 }],
            throttleReadBpsDevice: [{ major: -1, minor: 0, rate: 1 }],
          },
        },
        '/linux/resources/blockIO/weight: found 9, must be 10 to 1000',
        '/linux/resources/blockIO/weightDevice/0: must have a weight or a leafWeight',
        '/linux/resources/blockIO/throttleReadBpsDevice/0/major: found -1, must be the number of a device',
      ],
    ],
  },
  network: {
    good: [{ '/linux/resources/network': { classID: 1, priorities: [{ name: 'eth0.5', priority: 0 }] } }],
    bad: [
      [
        { '/linux/resources/network': { priorities: [{ name: 'lo 5\neth0', priority: 1 }] } },
        '/linux/resources/network/priorities/0/name: found "lo 5\\neth0", must be the name of a network device',
      ],
    ],
  },
  rdma: {
    good: [{ '/linux/resources/rdma': { mlx5_1: { hcaHandles: 0 } } }],
    bad: [
      [
        { '/linux/resources/rdma': { 'a b': { hcaHandles: 0 } } },
        '/linux/resources/rdma/a b: found "a b", must be the name of an RDMA device',
      ],
      [{ '/linux/resources/rdma': { 'a~b': {} } }, '/linux/resources/rdma/a~0b: must have hcaHandles or hcaObjects'],
    ],
  },
  seccompErrno: {
    good: [
      seccomp({ defaultErrnoRet: 38 }),
      call({ action: 'SCMP_ACT_ERRNO', errnoRet: 4095 }),
      call({ action: 'SCMP_ACT_TRACE', errnoRet: 65535 }),
    ],
    bad: [
      [
        seccomp({ defaultAction: 'SCMP_ACT_KILL', defaultErrnoRet: 1 }),
        '/linux/seccomp/defaultErrnoRet: found 1, is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not for SCMP_ACT_KILL',
      ],
      [
        call({ action: 'SCMP_ACT_ALLOW', errnoRet: 0 }),
        '/linux/seccomp/syscalls/0/errnoRet: found 0, is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not for SCMP_ACT_ALLOW',
      ],
      [
        call({ action: 'SCMP_ACT_ERRNO', errnoRet: 4096 }),
        '/linux/seccomp/syscalls/0/errnoRet: found 4096, must be at most 4095',
      ],
    ],
  },
  seccompListener: {
    good: [
      seccomp({
        listenerPath: '/run/agent',
        listenerMetadata: 'x',
        syscalls: [{ names: ['read'], action: 'SCMP_ACT_NOTIFY' }],
      }),
    ],
    bad: [
      [seccomp({ listenerMetadata: 'x' }), '/linux/seccomp/listenerMetadata: needs a listenerPath'],
      [seccomp({ listenerPath: 'agent' }), '/linux/seccomp/listenerPath: found "agent", must be an absolute path'],
      [
        seccomp({ defaultAction: 'SCMP_ACT_NOTIFY', listenerPath: '/a' }),
        '/linux/seccomp/defaultAction: found "SCMP_ACT_NOTIFY", would also stop the calls that start the container',
      ],
      [
        seccomp({ syscalls: [{ names: ['read', 'write'], action: 'SCMP_ACT_NOTIFY' }] }),
        '/linux/seccomp/syscalls/0/action: found "SCMP_ACT_NOTIFY", needs a listenerPath',
        '/linux/seccomp/syscalls/0/names/1: found "write", SCMP_ACT_NOTIFY cannot be used for the write syscall: runt needs it to start',
      ],
    ],
  },
}

const check = (changes: Changes) => {
  const config = configWith(changes)
  const forSchema = JSON.parse(
    JSON.stringify(config, (_, value) => (typeof value === 'bigint' ? Number(value) : value)),
  )
  assert.ok(fitsSchema(forSchema), `fits the schema: ${JSON.stringify(forSchema)}`)
  return runChecks(config as unknown as OciConfig).map(({ rule, pointer, found, message, suggestion, other }) => ({
    rule,
    text: `${pointer}: ${found === '' ? '' : `found ${found}, `}${message}${other === undefined ? '' : ` ${pointerText(other)}`}${suggestion === undefined ? '' : `; did you mean "${suggestion}"?`}`,
  }))
}

for (const [name, { good, bad }] of Object.entries(CASES)) {
  test(name, () => {
    for (const changes of good)
      assert.equal(
        check(changes),
        [],
        JSON.stringify(changes, (_, v) => String(v)),
      )
    for (const [changes, ...texts] of bad) {
      assert.equal(
        check(changes),
        texts.map((text) => ({ rule: name, text })),
      )
    }
  })
}

test('every check has cases', () => {
  assert.equal(Object.keys(CASES).sort(), Object.keys(CHECKS).sort())
})

test.run()
