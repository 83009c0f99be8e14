import { posix } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Changes, configWith } from './fixtures.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { lastOfEach, normalize } from './normalize.ts'
import { absolutePath, cleanPath } from './path.ts'
import { type Finding, reporter } from './problems.ts'

/** The normal form, and what is told of the way there. */
function normal(changes: Changes = {}) {
  const findings: Finding[] = []
  const config = configWith(changes) as unknown as OciConfig
  const warnings = () =>
    findings.map(({ pointer, found, message }) => [pointer, found, message].filter(Boolean).join(' '))
  return { ...normalize(config, '/bundle', '', reporter(findings, 'ignored')), warnings: warnings() }
}

test('defaults', () => {
  const config = normalize({ ociVersion: '1.0.0', root: { path: 'rootfs' } }, '/b')
  assert.equal(config.root, { path: '/b/rootfs', readonly: false })
  assert.equal(config.mounts, [])
  assert.is(config.process, undefined)
  assert.equal(config.hooks, {
    prestart: [],
    createRuntime: [],
    createContainer: [],
    startContainer: [],
    poststart: [],
    poststop: [],
  })
  assert.equal(config.annotations, {})
  assert.equal(config.linux, {
    namespaces: [],
    uidMappings: [],
    gidMappings: [],
    timeOffsets: undefined,
    devices: [],
    cgroupsPath: undefined,
    resources: { devices: [], memory: {}, cpu: {}, pids: {}, unified: {} },
    rootfsPropagation: undefined,
    maskedPaths: [],
    readonlyPaths: [],
    sysctl: {},
    seccomp: undefined,
    netDevices: [],
    mountLabel: undefined,
    intelRdt: undefined,
    memoryPolicy: undefined,
    personality: undefined,
    landlock: undefined,
  })
  assert.equal(config.warnings, [])
})

test('scheduling: what is left out is 0, and nothing where nothing is asked for', () => {
  const process = { cwd: '/', args: ['x'] }
  const scheduler = { policy: 'SCHED_DEADLINE', runtime: 1, deadline: 2 }
  const asked = normal({ '/process': { ...process, scheduler, ioPriority: { class: 'IOPRIO_CLASS_IDLE' } } }).process
  assert.equal(asked?.scheduler, {
    policy: 'SCHED_DEADLINE',
    flags: [],
    nice: 0,
    priority: 0,
    runtime: 1n,
    deadline: 2n,
    period: 0n,
  })
  assert.equal(asked?.ioPriority, { class: 'IOPRIO_CLASS_IDLE', priority: 0 })
  const silent = normal({ '/process': process }).process
  assert.equal([silent?.scheduler, silent?.ioPriority], [undefined, undefined])
  const { linux } = normal({ '/linux': { memoryPolicy: { mode: 'MPOL_LOCAL' }, personality: { domain: 'LINUX32' } } })
  assert.equal(linux.memoryPolicy, { mode: 'MPOL_LOCAL', flags: [], nodes: '' })
  assert.is(linux.personality, 'LINUX32')
})

test('intelRdt: its lines in the order of the specification', () => {
  const of = (intelRdt: object) => normal({ '/linux': { intelRdt } }).linux.intelRdt
  assert.equal(of({}), { closID: undefined, schemata: [], enableMonitoring: false })
  assert.equal(
    of({ closID: 'a', schemata: ['L2:0=3'], memBwSchema: 'MB:0=20', l3CacheSchema: 'L3:0=f', enableMonitoring: true }),
    { closID: 'a', schemata: ['L3:0=f', 'MB:0=20', 'L2:0=3'], enableMonitoring: true },
  )
  assert.equal(of({ l3CacheSchema: 'MB:0=70', memBwSchema: 'MB:0=20' })?.schemata, ['MB:0=20'])
  assert.equal(of({ l3CacheSchema: 'MB:0=70' })?.schemata, ['MB:0=70'])
})

test('paths', () => {
  for (const [given, clean] of [
    ['/', '/'],
    ['//a/./b/../c/', '/a/c'],
    ['/../..', '/'],
    ['/a/../../b', '/b'],
  ] as const) {
    assert.is(cleanPath(given), clean)
  }
  assert.is(absolutePath('x/../y', '/b'), '/b/y')
  assert.is(absolutePath('../y', '/b/c'), '/b/y')
  assert.is(normal({ '/root/path': '/abs' }).root.path, '/abs')
  fc.assert(fc.property(fc.string(), (path) => assert.is(cleanPath(cleanPath(path)), cleanPath(path))))
})

test('a clean path is the one that the shell would be in', () => {
  const part = fc.constantFrom('a', 'b c', '.', '..', '...', '', '..a')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.array(part, { maxLength: 4 }), (parts, base) => {
      const path = parts.join('/')
      assert.is(cleanPath(path), posix.resolve('/', `/${path}`))
      assert.is(absolutePath(path, `/${base.join('/')}`), posix.resolve('/', ...base, path))
    }),
  )
})

test('of variables with one name the last counts, wherever the others stand', () => {
  const variable = fc.tuple(fc.constantFrom('A', 'B', 'PATH', '__proto__', 'é'), fc.constantFrom('', '1', 'a=b'))
  fc.assert(
    fc.property(fc.array(variable), (list) => {
      const kept = lastOfEach(list.map((pair) => pair.join('=')))
      const values = new Map(list) // a later entry takes the earlier one's place
      assert.equal([...kept].sort(), [...values].map((pair) => pair.join('=')).sort())
      const lines = list.map((pair) => pair.join('='))
      assert.equal(
        kept,
        kept.toSorted((one, other) => lines.lastIndexOf(one) - lines.lastIndexOf(other)),
      )
    }),
  )
})

test('the mappings of a mount are its own, or else those of the container', () => {
  const [own, ours] = [[{ containerID: 0, hostID: 7, size: 1 }], [{ containerID: 0, hostID: 100000, size: 9 }]]
  const bind = { destination: '/x', source: '/y' }
  const mounts = [
    { ...bind, options: ['bind'] },
    { ...bind, options: ['bind'], uidMappings: own, gidMappings: own },
    { ...bind, options: ['rbind', 'ridmap'], uidMappings: own, gidMappings: own },
    { ...bind, options: ['rbind', 'ridmap'] },
  ]
  const given = { uidMappings: own, gidMappings: own }
  const container = { uidMappings: ours, gidMappings: ours }
  const idmaps = (namespace: object): unknown[] =>
    normal({
      '/mounts': mounts,
      '/linux/namespaces': [{ type: 'mount' }, { type: 'user', ...namespace }],
      '/linux/uidMappings': ours,
      '/linux/gidMappings': ours,
    }).mounts.map(({ idmap }) => idmap)
  const first = [undefined, { recursive: false, mappings: given }, { recursive: true, mappings: given }]
  assert.equal(idmaps({}), [...first, { recursive: true, mappings: container }])
  assert.equal(idmaps({ path: '/proc/9/ns/user' }), [
    ...first,
    { recursive: true, mappings: 'of the joined user namespace' },
  ])
})

test('mounts', () => {
  const { mounts, warnings } = normal({
    '/mounts': [
      { destination: 'data/', type: 'none', source: 'src', options: ['rbind', 'ro'] },
      { destination: '/x', type: 'tmpfs', source: 'tmpfs', options: ['size=1m'] },
      { destination: '/x', options: ['remount', 'bind', 'ro'] },
      { destination: '/x', type: 'none', options: ['rshared'] },
      { destination: '/y', type: 'tmpfs', options: ['rshared'] },
      { destination: '/z', source: '/src', options: ['bind', 'size=1k', 'ro', 'mode=755'] },
    ],
  })
  assert.equal(
    mounts.map(({ index, destination, kind, type, source }) => [index, destination, kind, type, source]),
    [
      [0, '/data', 'bind', 'bind', '/bundle/src'],
      [1, '/x', 'filesystem', 'tmpfs', 'tmpfs'],
      [2, '/x', 'remount', '', undefined],
      [3, '/x', 'propagation', '', undefined],
      [4, '/y', 'filesystem', 'tmpfs', undefined],
      [5, '/z', 'bind', 'bind', '/src'],
    ],
  )
  assert.equal(warnings, [
    '/mounts/0/destination "data/" isn\'t absolute: taken from "/"',
    '/mounts/5/options a bind takes no options of file systems: size=1k, mode=755 ignored',
  ])
})

test('process', () => {
  const { process, warnings } = normal({
    '/process/user': undefined,
    '/process/cwd': '/a/../b',
    '/process/env': ['A=1', 'B=2', 'A=3', 'AB=4', 'C='],
    '/process/consoleSize': { height: 1, width: 2 },
    '/process/capabilities': { bounding: ['CAP_CHOWN', 'CAP_FOO', 'CAP_CHOWN', 'chown'], ambient: [] },
    '/process/rlimits': [{ type: 'RLIMIT_CORE', soft: 1, hard: 18446744073709551615n }],
    '/process/oomScoreAdj': 0,
  })
  assert.equal(process?.user, { uid: 0, gid: 0, umask: undefined, additionalGids: [] })
  assert.is(process?.cwd, '/b')
  assert.equal(process?.env, ['B=2', 'A=3', 'AB=4', 'C='])
  assert.is(process?.consoleSize, undefined)
  assert.equal(process?.capabilities, {
    bounding: ['CAP_CHOWN'],
    effective: [],
    permitted: [],
    inheritable: [],
    ambient: [],
  })
  assert.equal(process?.rlimits, [{ type: 'RLIMIT_CORE', soft: 1n, hard: 18446744073709551615n }])
  assert.is(process?.oomScoreAdj, 0)
  assert.equal(warnings, [
    '/process/capabilities/bounding/1 "CAP_FOO" is no capability that runt knows: ignored',
    '/process/capabilities/bounding/3 "chown" is no capability that runt knows: ignored',
  ])
  assert.equal(
    normal({ '/process/consoleSize': { height: 1, width: 2 }, '/process/terminal': true }).process?.consoleSize,
    { height: 1, width: 2 },
  )
})

test('hooks', () => {
  const { hooks } = normal({
    '/hooks/poststop': [{ path: '/a' }, { path: '/b', args: ['c', 'd'], env: [], timeout: 9e12 }],
  })
  assert.equal(hooks.poststop, [
    { path: '/a', args: ['/a'], env: undefined, timeout: undefined },
    { path: '/b', args: ['c', 'd'], env: [], timeout: 2147483 },
  ])
})

test('linux', () => {
  const { linux } = normal({
    '/linux/namespaces': [
      { type: 'pid', path: '' },
      { type: 'uts', path: '/x' },
    ],
    '/linux/devices': [
      { type: 'u', path: '/dev//a', major: 1, minor: 2 },
      { type: 'p', path: '/f', major: 5, minor: 6, fileMode: 0o600, uid: 7, gid: 8 },
    ],
    '/linux/rootfsPropagation': 'rslave',
    '/linux/maskedPaths': ['/a//b'],
    '/linux/timeOffsets': { boottime: { secs: -5 } },
    '/linux/cgroupsPath': '',
  })
  assert.equal(linux.namespaces, [
    { type: 'pid', path: undefined },
    { type: 'uts', path: '/x' },
  ])
  assert.equal(linux.devices, [
    { index: 0, type: 'c', path: '/dev/a', major: 1, minor: 2, fileMode: 0o666, uid: 0, gid: 0 },
    { index: 1, type: 'p', path: '/f', major: 0, minor: 0, fileMode: 0o600, uid: 7, gid: 8 },
  ])
  assert.is(linux.rootfsPropagation, 'slave')
  assert.equal(linux.maskedPaths, ['/a/b'])
  assert.equal(linux.timeOffsets, { boottime: { secs: -5n, nanosecs: 0 } })
  assert.is(linux.cgroupsPath, undefined)
})

test('a joined user namespace keeps its own mappings', () => {
  const MAP = [{ containerID: 0, hostID: 1000, size: 10 }]
  const { linux, warnings } = normal({
    '/linux/namespaces': [{ type: 'user', path: '/proc/1/ns/user' }],
    '/linux/uidMappings': MAP,
    '/linux/gidMappings': MAP,
  })
  assert.equal([linux.uidMappings, linux.gidMappings], [[], []])
  assert.equal(warnings, ['/linux/uidMappings ignored, the user namespace that is joined has its own'])
})

test('a newer minor version is worth a warning', () => {
  assert.equal(normal({ '/ociVersion': '1.4.0' }).warnings, [
    '/ociVersion runt knows 1.3.0; what 1.4.0 added is ignored',
  ])
})

test('resources: zeros that mean "not set", numbers that mean "any"', () => {
  const { resources } = normal({
    '/linux/resources': {
      devices: [{ allow: false }, { allow: true, type: 'c', major: 1, minor: -1, access: '' }],
      memory: { limit: 0, reservation: 5, swap: -1, swappiness: 18446744073709551615n, disableOOMKiller: false },
      cpu: { shares: 0, quota: 0, burst: 0, period: 7, idle: 0, cpus: '', mems: '0' },
      pids: { limit: 0 },
      unified: { 'memory.high': 'max' },
    },
  }).linux
  assert.equal(resources, {
    devices: [
      { allow: false, type: 'a', major: undefined, minor: undefined, access: 'rwm' },
      { allow: true, type: 'c', major: 1, minor: undefined, access: 'rwm' },
    ],
    memory: { reservation: 5n, swap: -1n, disableOOMKiller: false },
    cpu: { burst: 0n, period: 7n, idle: 0n, mems: '0' },
    pids: { limit: 0n },
    unified: { 'memory.high': 'max' },
  })
})

test('a limit of 0 processes is none before version 1.3', () => {
  const limit = (version: string) =>
    normal({ '/ociVersion': version, '/linux/resources': { pids: { limit: 0 } } }).linux.resources.pids.limit
  for (const version of ['1.0.0', '1.0.2-dev', '1.2.1']) assert.is(limit(version), -1n, version)
  for (const version of ['1.3.0-rc.1', '1.3.0', '1.10.0']) assert.is(limit(version), 0n, version)
})

test('resources that few containers have are there only when something is asked', () => {
  const of = (resources: object) => normal({ '/linux/resources': resources }).linux.resources
  const { devices: _, memory: _m, cpu: _c, pids: _p, unified: _u, ...rest } = of({ hugepageLimits: [] })
  assert.equal(rest, {})
  assert.equal(of({ blockIO: { weight: 0, leafWeight: 0, weightDevice: [], throttleReadBpsDevice: [] } }).blockIO, {})
  assert.equal(
    of({
      blockIO: {
        weight: 10,
        weightDevice: [{ major: 8, minor: 0, weight: 0, leafWeight: 20 }],
        throttleReadBpsDevice: [
          { major: 8, minor: 0, rate: 5 },
          { major: 8, minor: 16 },
        ],
      },
    }).blockIO,
    {
      weight: 10,
      weightDevice: [{ major: 8, minor: 0, leafWeight: 20 }],
      throttleReadBpsDevice: [
        { major: 8, minor: 0, rate: 5n },
        { major: 8, minor: 16, rate: 0n },
      ],
    },
  )
  assert.equal(of({ network: { classID: 0, priorities: [] } }).network, {})
  assert.equal(of({ network: { classID: 4294967295 } }).network, { classID: 4294967295 })
  assert.equal(of({ hugepageLimits: [{ pageSize: '2MB', limit: 0 }] }).hugepageLimits, [{ pageSize: '2MB', limit: 0n }])
  assert.equal(of({ rdma: { mlx5_0: { hcaHandles: 0 } } }).rdma, { mlx5_0: { hcaHandles: 0 } })
})

test.run()
