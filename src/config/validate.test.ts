// From the text to the lines that a person reads; and the 64-bit numbers.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ENGINES_CONFIGS, NO_CONFIGS } from '../../spec-schemas/others.ts'
import { pointerText } from '../pointer.ts'
import { runChecks } from './checks.ts'
import { type Changes, configWith } from './fixtures.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { mutate, mutation } from './mutations.ts'
import { normalize } from './normalize.ts'
import { describeProblem } from './problems.ts'
import { validateText } from './validate.ts'

async function lines(text: string): Promise<string[]> {
  const verdict = await validateText(text)
  return verdict.kind === 'valid' ? [] : verdict.problems.map((problem) => describeProblem(problem))
}

const linesOf = (changes: Changes) => lines(JSON.stringify(configWith(changes), undefined, 2))

test('all problems of the schema at once, by place', async () => {
  const text = `{
  "ociVersion": 1,
  "root": {},
  "process": { "cwd": "tmp", "env": ["A=1", "B"], "user": { "uid": 4294967295 } },
  "annotations": { "": "x" },
  "linux": {
    "namespaces": [
      { "type": "networ" },
      { "type": "zzz", "path": "x" }
    ],
    "resources": { "pids": { "limit": 1.5 }, "hugepageLimits": [{ "pageSize": "64kB", "limit": -1 }] },
    "seccomp": { "defaultAction": "SCMP_ACT_ALOW", "syscalls": [{ "names": [], "action": "SCMP_ACT_LOG" }] }
  }
}`
  assert.equal(await lines(text), [
    'config.json:2:17: ociVersion: found 1, must be a string',
    'config.json:3:11: root.path: is missing',
    'config.json:4:23: process.cwd: found "tmp", must be an absolute path',
    'config.json:4:45: process.env[1]: found "B", must be NAME=value',
    'config.json:4:68: process.user.uid: found 4294967295, must be at most 4294967294',
    'config.json:5:20: annotations[""]: found "", the name must not be empty',
    'config.json:8:17: linux.namespaces[0].type: found "networ", allowed are cgroup, ipc, mount, network, pid, time, user, uts; did you mean "network"?',
    'config.json:9:17: linux.namespaces[1].type: found "zzz", allowed are cgroup, ipc, mount, network, pid, time, user, uts',
    'config.json:9:32: linux.namespaces[1].path (zzz): found "x", must be an absolute path',
    'config.json:11:39: linux.resources.pids.limit: found 1.5, must be a whole number',
    'config.json:11:79: linux.resources.hugepageLimits[0].pageSize: found "64kB", must be a page size as "2MB"',
    'config.json:11:96: linux.resources.hugepageLimits[0].limit: found -1, must be at least 0',
    'config.json:12:35: linux.seccomp.defaultAction: found "SCMP_ACT_ALOW", allowed are SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY; did you mean "SCMP_ACT_ALLOW"?',
    'config.json:12:76: linux.seccomp.syscalls[0].names: found an empty list, must have at least one item',
  ])
})

test('a property of null is one that is not there', async () => {
  const text = JSON.stringify(
    configWith({
      '/hostname': null,
      '/hooks': { prestart: null, poststop: [{ path: '/bin/true', args: null, timeout: null }] },
      '/process/capabilities': null,
      '/process/user': { uid: 1, gid: 2, additionalGids: null },
      '/linux/resources': { pids: null, devices: null, memory: { limit: null } },
      '/annotations': { 'a null': 'null', gone: null },
    }),
  )
  const verdict = await validateText(text)
  assert.is(verdict.kind, 'valid')
  if (verdict.kind !== 'valid') return
  const { hostname, hooks, process, linux, annotations } = normalize(verdict.config, '/bundle')
  assert.is(hostname, undefined)
  assert.equal(hooks.poststop, [{ path: '/bin/true', args: ['/bin/true'], env: undefined, timeout: undefined }])
  assert.equal([process?.capabilities, process?.user.additionalGids], [undefined, []])
  assert.equal([linux.resources.devices, annotations], [[], { 'a null': 'null' }])
})

test('what must be there is not null, nor is a member of a list', async () => {
  assert.equal(await lines('{"ociVersion": null, "root": {"path": null}, "mounts": [null], "process": null}'), [
    'config.json:1:16: ociVersion: is missing',
    'config.json:1:39: root.path: is missing',
    'config.json:1:57: mounts[0]: found null, must be an object',
  ])
  assert.equal(await lines('null'), ['config.json:1:1: found null, must be an object'])
})

test('what is nested too deep is told with its place', async () => {
  const nested = (levels: number) => `{"a": "[[",\n"x": ${'[{"y":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}}`
  for (const levels of [1000, 400_000]) {
    assert.equal(await lines(nested(levels)), ['config.json:2:3001: is nested deeper than 1000 levels'])
  }
  assert.equal(await lines(nested(998)), [
    'config.json:1:1: ociVersion: is missing',
    'config.json:1:1: root: is missing',
  ])
  assert.equal(await lines(`${'['.repeat(2000)}`), ['config.json:1:1001: is nested deeper than 1000 levels'])
})

/** Milliseconds of processor time for a config, the best of some. */
async function timeOf(changes: Changes): Promise<number> {
  const text = JSON.stringify(configWith(changes), undefined, 1)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 3; round++) {
    const before = process.cpuUsage()
    await validateText(text)
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1000)
  }
  return best
}

const LONG: readonly (readonly [what: string, changes: (count: number) => Changes])[] = [
  ['problems', (count) => ({ '/mounts': Array(count).fill({ destination: '/x', type: '' }) })],
  [
    'names with a problem',
    (count) => ({ '/annotations': Object.fromEntries(Array.from({ length: count }, (_, index) => [`x${index}`, 1])) }),
  ],
  [
    'ranges of ids',
    (count) => {
      const ranges = Array.from({ length: count }, (_, id) => ({ containerID: id, hostID: id, size: 1 }))
      return { '/linux/uidMappings': ranges, '/linux/gidMappings': ranges }
    },
  ],
  ['masked paths', (count) => ({ '/linux/maskedPaths': Array(count).fill('/proc/x') })],
]

for (const [what, changes] of LONG) {
  test(`many ${what} take time in proportion`, async () => {
    const [few, many] = [await timeOf(changes(2000)), await timeOf(changes(16_000))]
    // What grew with the square took three seconds and more.
    assert.ok(many < 24 * few + 1000, `${few} ms, 8 times as many ${many} ms`)
  })
}

test('texts that are no config', async () => {
  for (const [text, ...expected] of [
    ['[]', 'config.json:1:1: found an empty list, must be an object'],
    ['null', 'config.json:1:1: found null, must be an object'],
    ['{}', 'config.json:1:1: ociVersion: is missing', 'config.json:1:1: root: is missing'],
    [' \n ', 'config.json:2:2: found the end of the file, not JSON: a value is expected here'],
    ['{"a":1,\n}', 'config.json:2:1: found "}", not JSON: a property name in quotes is expected here'],
    ['{"a":1 "b":2}', 'config.json:1:8: found "\\"b\\"", not JSON: a comma is expected here'],
    ['{\n"a": // x\n1}', 'config.json:2:6: found "// x", not JSON: JSON has no comments'],
    ['{]', 'config.json:1:2: found "]", not JSON: a property name in quotes is expected here'],
    ['{"ociVersion": "1.0.0"} x', 'config.json:1:25: found "x", not JSON: neither a value nor punctuation'],
  ] as const) {
    assert.equal(await lines(text), [...expected], text)
  }
})

test('texts that no C string can hold', async () => {
  const message = 'must be text without NUL and without halves of surrogate pairs'
  assert.equal(await linesOf({ '/process/args': ['a\0b'] }), [
    `config.json:8:7: process.args[0]: found "a\\u0000b", ${message}`,
  ])
  assert.equal(await linesOf({ '/root/path': '\ud800' }), [`config.json:4:13: root.path: found "\\ud800", ${message}`])
  assert.equal(await linesOf({ '/root/path': '\ud83d\ude00', '/unknown': '\0', '/annotations': { a: '\\u0000' } }), [])
})

test('failed checks have a place', async () => {
  assert.equal(await linesOf({ '/linux/namespaces': [{ type: 'pid' }, { type: 'pid' }] }), [
    'config.json:22:17: linux.namespaces[1].type: found "pid", is listed already at linux.namespaces[0]',
  ])
})

test('the last of two properties with one name counts', async () => {
  const text = '{"ociVersion": "1.0.0", "root": {"path": "a"},\n "root": {"path": 1}, "root": {"path": 2}}'
  assert.equal(await lines(text), ['config.json:2:40: root.path: found 2, must be a string'])
})

test('a problem is told at the line and column of what is wrong', async () => {
  const places = [
    '/hostname',
    '/process/cwd',
    '/process/args',
    '/root/path',
    '/linux/namespaces/0/type',
    '/process/user/uid',
  ]
  const blank = fc.constantFrom('', ' ', '\n', '\t', '\r\n', ' \n  ')
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places), fc.infiniteStream(blank), async (pointer, blanks) => {
      // No value of the right type: the only one of its kind, so a search finds it.
      const json = JSON.stringify(configWith({ '/hostname': 'h', [pointer]: { odd: 1 } }))
      const text = json.replace(/[{}[\],:]/g, (mark) => `${blanks.next().value}${mark}${blanks.next().value}`)
      const before = text.slice(0, text.indexOf('"odd"'))
      const ahead = before.slice(0, before.lastIndexOf('{')).split('\n')
      const [line] = await lines(text)
      const place = `config.json:${ahead.length}:${(ahead.at(-1) ?? '').length + 1}: ${pointerText(pointer)}: `
      assert.ok(line?.startsWith(place), `${line} is not at ${place}`)
    }),
  )
})

test('every 64-bit number is read as it is written', async () => {
  const wide = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
  await fc.assert(
    fc.asyncProperty(fc.bigInt(1n, 2n ** 63n - 1n), fc.bigInt(0n, 2n ** 64n - 1n), wide, async (memory, hard, secs) => {
      const text = JSON.stringify(
        configWith({
          '/linux/resources': { memory: { limit: '@0' } },
          '/process/rlimits': [{ type: 'RLIMIT_CORE', soft: 0, hard: '@1' }],
          '/linux/namespaces': [{ type: 'mount' }, { type: 'time' }],
          '/linux/timeOffsets': { boottime: { secs: '@2' } },
        }),
      ).replace(/"@(.)"/g, (_, index) => `${[memory, hard, secs][Number(index)]}`)
      const verdict = await validateText(text)
      if (verdict.kind !== 'valid') return assert.unreachable(JSON.stringify(verdict.problems))
      const { linux, process } = normalize(verdict.config, '/b')
      assert.equal(
        [linux.resources.memory.limit, process?.rlimits[0]?.hard, linux.timeOffsets?.boottime?.secs],
        [memory, hard, secs],
      )
    }),
  )
})

const LIMIT = '18446744073709551615'

/** The normal form of a config in which the text "@" is replaced. */
async function loaded(changes: Changes, literal: string) {
  const verdict = await validateText(JSON.stringify(configWith(changes)).replaceAll('"@"', literal))
  if (verdict.kind !== 'valid') throw new Error(verdict.problems.map((problem) => describeProblem(problem)).join('\n'))
  return normalize(verdict.config, '/b')
}

test('64-bit numbers keep their bits', async () => {
  const rlimit = { '/process/rlimits': [{ type: 'RLIMIT_CORE', soft: 1, hard: '@' }] }
  for (const literal of [LIMIT, '9223372036854775807', '9007199254740993', '18446744073709551614', '1000']) {
    assert.is((await loaded(rlimit, literal)).process?.rlimits[0]?.hard, BigInt(literal))
  }
  const memory = { '/linux/resources': { memory: { limit: '@' } }, '/unknown': '@' }
  for (const literal of ['9223372036854775807', '9007199254740993', '-1']) {
    assert.is((await loaded(memory, literal)).linux.resources.memory.limit, BigInt(literal))
  }
  const time = {
    '/linux/namespaces': [{ type: 'mount' }, { type: 'time' }],
    '/linux/timeOffsets': { monotonic: { secs: '@' } },
  }
  assert.is((await loaded(time, '-9223372036854775808')).linux.timeOffsets?.monotonic?.secs, -(2n ** 63n))
})

test('64-bit numbers that are too large by less than a double can tell', async () => {
  for (const [changes, literal, expected] of [
    [
      { '/process/rlimits': [{ type: 'RLIMIT_CORE', soft: 1, hard: '@' }] },
      '18446744073709551616',
      `process.rlimits[0].hard (RLIMIT_CORE): found 18446744073709551616, must be at most ${LIMIT}`,
    ],
    [
      { '/linux/resources': { memory: { limit: '@' } } },
      '9223372036854775808',
      'linux.resources.memory.limit: found 9223372036854775808, must be at most 9223372036854775807',
    ],
    [
      { '/linux/resources': { memory: { limit: '@' } } },
      '-9223372036854775809',
      'linux.resources.memory.limit: found -9223372036854775809, must be at least -9223372036854775808',
    ],
    [
      { '/linux/resources': { memory: { limit: '@' } } },
      LIMIT,
      `linux.resources.memory.limit: found ${LIMIT}, must be at most 9223372036854775807`,
    ],
    [
      { '/process/rlimits': [{ type: 'RLIMIT_CORE', soft: 1, hard: '@' }] },
      '-1',
      'process.rlimits[0].hard (RLIMIT_CORE): found -1, must be at least 0',
    ],
  ] as const) {
    const [line = ''] = await lines(JSON.stringify(configWith(changes)).replace('"@"', literal))
    assert.is(line.replace(/^config.json:\d+:\d+: /, ''), expected)
  }
})

test('what runt does not support is refused by name', async () => {
  const ids = [{ containerID: 0, hostID: 0, size: 1 }]
  const user = { namespaces: [{ type: 'user' }], uidMappings: ids, gidMappings: ids }
  const bare = 'in a user namespace runt does this only in a mount namespace, which linux.namespaces does not list'
  for (const [changes, expected] of [
    [{ '/process/execCPUAffinity': { initial: '0' } }, undefined],
    [{ '/linux/resources/memory': { kernel: 1, kernelTCP: 1 } }, undefined],
    [{ '/linux': user, '/mounts': [{ destination: '/x', type: 'tmpfs' }] }, `mounts: ${bare}`],
    [{ '/linux': user, '/root/readonly': true }, `root.readonly: ${bare}`],
    [{ '/linux': user, '/process/terminal': true }, `process.terminal: ${bare}`],
    [{ '/linux': { ...user, rootfsPropagation: 'shared' } }, `linux.rootfsPropagation: ${bare}`],
    [{ '/linux': undefined, '/root/readonly': true, '/process/terminal': true }, undefined],
    [{ '/linux': { devices: [] } }, undefined],
  ] as const) {
    const [line] = await linesOf(changes as Changes)
    assert.is(line?.replace(/^config.json:\d+:\d+: /, ''), expected, JSON.stringify(changes))
  }
})

test('the samples that engines wrote pass the checks', () => {
  if (!existsSync(ENGINES_CONFIGS)) return console.log(`skipped: ${NO_CONFIGS}`)
  for (const name of readdirSync(ENGINES_CONFIGS).filter((file) => file.endsWith('.json'))) {
    const config = JSON.parse(readFileSync(ENGINES_CONFIGS + name, 'utf8')) as OciConfig
    assert.equal(runChecks(config), [], name)
    normalize(config, '/b')
  }
})

/** What every stage takes for granted of a normal form. */
function assertNormal(given: OciConfig): void {
  const before = structuredClone(given)
  const config = normalize(given, '/b')
  assert.equal(given, before, 'what was given is as it was')
  assert.equal(normalize(given, '/b'), config)
  assert.ok(Object.isFrozen(config))
  const { process, linux } = config
  const paths = [
    config.root.path,
    ...config.mounts.map(({ destination }) => destination),
    ...config.mounts.flatMap(({ kind, source }) => (kind === 'bind' && source !== undefined ? [source] : [])),
    ...(process === undefined ? [] : [process.cwd]),
    ...[...linux.maskedPaths, ...linux.readonlyPaths, ...linux.devices.map(({ path }) => path)],
  ]
  for (const path of paths) assert.is(path, posix.resolve('/', path), path)
  for (const { soft, hard } of process?.rlimits ?? []) assert.ok(soft <= hard && hard < 2n ** 64n)
  const names = (process?.env ?? []).map((variable) => variable.slice(0, variable.indexOf('=')))
  assert.is(new Set(names).size, names.length)
  for (const { type, path } of linux.namespaces) assert.ok(path !== '', type)
  for (const { args, timeout = 1 } of Object.values(config.hooks).flat()) assert.ok(args.length > 0 && timeout > 0)
}

test('any text gets a verdict, and what is valid can be normalised', async () => {
  let valid = 0
  const judge = async (text: string) => {
    const verdict = await validateText(text)
    if (verdict.kind === 'valid') {
      valid++
      assertNormal(verdict.config)
    } else for (const problem of verdict.problems) assert.ok(describeProblem(problem).startsWith('config.json:'))
  }
  const names = [
    'path',
    'uidMappings',
    'options',
    'soft',
    'major',
    'limit',
    'swap',
    'sysctl',
    'rdma',
    'seccomp',
    'hostname',
  ]
  const start = configWith({
    '/mounts': [{ destination: '/x', type: 'tmpfs', options: ['ro'] }],
    '/linux/devices': [{ type: 'c', path: '/x', major: 1, minor: 1 }],
    '/linux/resources': { memory: { limit: 1 }, cpu: { quota: 1 }, devices: [{ allow: true }] },
    '/process/rlimits': [{ type: 'RLIMIT_CORE', soft: 1, hard: 1 }],
  })
  await fc.assert(
    fc.asyncProperty(fc.array(mutation(names), { maxLength: 5 }), (changes) =>
      judge(JSON.stringify(changes.reduce(mutate, structuredClone(start as unknown)))),
    ),
    { numRuns: 1000 },
  )
  assert.ok(valid > 100, `only ${valid} were valid: the mutations are too wild`)
  await fc.assert(fc.asyncProperty(fc.oneof(fc.json(), fc.string()), judge), { numRuns: 500 })
})

test.run()
