// A config that doesn't fit the schema: the checks look at the rest of it.

import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Changes, configWith } from './fixtures.ts'
import { mutate, mutation } from './mutations.ts'
import { validateText } from './validate.ts'

async function problems(config: unknown): Promise<string[]> {
  const verdict = await validateText(JSON.stringify(config))
  return verdict.kind === 'valid'
    ? []
    : verdict.problems.map(({ place, other }) => [place, other].filter(Boolean).join(' '))
}

const CASES: readonly (readonly [what: string, changes: Changes, ...places: string[]])[] = [
  [
    'both are told in one go',
    { '/hostname': 'h', '/process/env': 'no list' },
    'process.env',
    'hostname', // needs a uts namespace
  ],
  [
    'what must be there has a stand-in',
    { '/ociVersion': 1, '/root': {}, '/process/cwd': 'x', '/process/args': [], '/hostname': 'h' },
    'ociVersion',
    'root.path',
    'process.args',
    'process.cwd',
    'hostname',
  ],
  ['also when it is missing', { '/ociVersion': undefined, '/hostname': 'h' }, 'ociVersion', 'hostname'],
  [
    'elements keep their numbers',
    { '/mounts': [5, { destination: '/a' }, { destination: 7 }, { destination: '/b', options: ['bind'] }] },
    'mounts[0]',
    'mounts[1].type (/a)',
    'mounts[2].destination',
    'mounts[3].source (/b)',
  ],
  [
    'the other that it has to do with, too',
    { '/linux/namespaces': [{ type: 'mount' }, { type: 'ipc' }, { type: 'pid', path: 'x' }, { type: 'ipc' }] },
    'linux.namespaces[2].path (pid)',
  ],
  [
    'the other of two that are the same',
    {
      '/process/rlimits': [
        { type: 'RLIMIT_FSIZE', soft: 'x', hard: 1 },
        { type: 'RLIMIT_CORE', soft: 1, hard: 1 },
        { type: 'RLIMIT_CORE', soft: 1, hard: 1 },
      ],
    },
    'process.rlimits[0].soft (RLIMIT_FSIZE)',
    'process.rlimits[2].type /process/rlimits/1',
  ],
  [
    'a misspelt namespace is taken for what was meant',
    { '/linux/namespaces': [{ type: 'mount' }, { type: 'networ' }], '/linux/netDevices': { eth0: {} } },
    'linux.namespaces[1].type',
  ],
  [
    'what follows from a fault is not told',
    { '/linux/namespaces': [{ type: 'mount' }, { type: 5 }], '/linux/netDevices': { eth0: {} } },
    'linux.namespaces[1].type',
  ],
  [
    'large numbers are compared as they are written',
    { '/process/env': 1, '/linux/resources/memory': { swap: 2 ** 70 } },
    'process.env',
    'linux.resources.memory.swap',
  ],
  ['nothing is left to look at', { '/linux': 5, '/hostname': 'h' }, 'linux'],
]

for (const [what, changes, ...places] of CASES) {
  test(what, async () => assert.equal((await problems(configWith(changes))).sort(), [...places].sort()))
}

test('whatever is wrong, the checks can look at the rest', async () => {
  const config = configWith({
    '/mounts': [{ destination: '/a', type: 'tmpfs', options: ['ro'] }],
    '/process/rlimits': [{ type: 'RLIMIT_CORE', soft: 1, hard: 1 }],
    '/linux/resources': { memory: { limit: 5 }, hugepageLimits: [{ pageSize: '2MB', limit: 1 }] },
    '/linux/seccomp': { defaultAction: 'SCMP_ACT_LOG', syscalls: [{ names: ['read'], action: 'SCMP_ACT_LOG' }] },
    '/hooks': { prestart: [{ path: '/x' }] },
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(mutation(['type', 'path', 'limit', 'soft', 'hard', 'namespaces']), { minLength: 1, maxLength: 4 }),
      async (mutations) => {
        await problems(mutations.reduce<unknown>(mutate, structuredClone(config)))
      },
    ),
  )
})

test.run()
