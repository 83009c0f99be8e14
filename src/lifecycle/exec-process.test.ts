import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { normalize } from '../config/normalize.ts'
import type { Process } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import type { Container } from './container.ts'
import { type ExecRequest, execConfig } from './exec-process.ts'
import { execRecord } from './exec-record.ts'

const LIMIT = 2n ** 64n - 1n

const raw = {
  ociVersion: '1.2.0',
  root: { path: 'rootfs' },
  process: {
    args: ['5n', '{"bigint":"7"}'],
    cwd: '/tmp',
    env: ['PATH=/bin', 'A=1'],
    user: { uid: 1, gid: 2, additionalGids: [3] },
    rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: LIMIT }],
    capabilities: { bounding: ['CAP_KILL'], inheritable: ['CAP_KILL'] },
    noNewPrivileges: true,
    oomScoreAdj: -5,
    execCPUAffinity: { initial: '0-1', final: '' },
  },
  linux: { namespaces: [{ type: 'pid' }, { type: 'network', path: '/run/netns/x' }] },
}
const config = normalize(raw as unknown as Parameters<typeof normalize>[0], '/bundle')

/** As it comes back from state.json. */
const container = JSON.parse(
  JSON.stringify({ id: 'c', rootfs: '/bundle/rootfs', exec: execRecord(config, false, undefined) }),
) as Container

const PLAIN: ExecRequest = {
  processFile: undefined,
  args: ['true'],
  terminal: false,
  user: undefined,
  additionalGids: [],
  cwd: undefined,
  env: [],
  capabilities: [],
  noNewPrivileges: false,
  apparmorProfile: undefined,
  selinuxLabel: undefined,
}

async function processOf(request: Partial<ExecRequest>): Promise<Process> {
  const { process } = await execConfig(container, { ...PLAIN, ...request }, [])
  if (process === undefined) throw new Error('no process')
  return process
}

/** Without what is undefined. */
function shown(value: unknown): string {
  return JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? `${member}n` : member))
}

test('the record gives back what the config said, numbers of 64 bits too', async () => {
  assert.is(shown(await processOf({})), shown({ ...config.process, args: ['true'] }))
  const { linux, root } = await execConfig(container, PLAIN, [])
  assert.equal(
    linux.namespaces.map(({ type }) => type),
    ['pid', 'network'],
  )
  assert.is(root.path, '/bundle/rootfs')
})

test('flags change what they name, and nothing else', async () => {
  assert.is(shown((await processOf({ user: '7' })).user), shown({ ...config.process?.user, uid: 7 }))
  assert.equal((await processOf({ user: '7:8', additionalGids: ['9'] })).user.additionalGids, [3, 9])
  assert.is((await processOf({ user: '4294967294:0' })).user.uid, 4294967294)
  assert.equal((await processOf({ env: ['A=2', 'B==', 'B=3'] })).env, ['PATH=/bin', 'A=2', 'B=3'])
  assert.is((await processOf({ cwd: '/x' })).cwd, '/x')
  const { capabilities } = await processOf({ capabilities: ['CAP_KILL', 'CAP_CHOWN'] })
  assert.equal(capabilities?.bounding, ['CAP_KILL', 'CAP_CHOWN'])
  assert.equal(capabilities?.effective, ['CAP_KILL', 'CAP_CHOWN'])
  assert.equal(capabilities?.inheritable, ['CAP_KILL'])
  assert.equal(capabilities?.ambient, ['CAP_KILL'])
})

test('--user is one number or two with a colon, each an id; everything else is a usage error', async () => {
  const number = fc
    .oneof(fc.nat(99), fc.constantFrom(0, 4294967294, 4294967295, 4294967296, 2 ** 53, 10 ** 10))
    .map(String)
  const text = fc.oneof(
    number,
    fc.tuple(number, number).map((both) => both.join(':')),
    fc.string({ unit: fc.constantFrom(...'0149:: -+x.e'), maxLength: 12 }),
    fc.string(),
  )
  await fc.assert(
    fc.asyncProperty(text, async (user) => {
      const parts = user.split(':')
      const isId = (part: string): boolean => /^[0-9]{1,10}$/.test(part) && BigInt(part) <= 4294967294n
      if (parts.length <= 2 && parts.every(isId)) {
        const own = config.process?.user.gid
        const { uid, gid } = (await processOf({ user })).user
        assert.equal([uid, gid], [Number(parts[0]), parts.length === 1 ? own : Number(parts[1])], user)
        return
      }
      const error = await processOf({ user }).catch((thrown: unknown) => thrown)
      assert.ok(error instanceof RuntError && error.code === 'usage', JSON.stringify(user))
    }),
    { numRuns: 300 },
  )
})

test('what is no answer is refused', async () => {
  const refused: readonly Partial<ExecRequest>[] = [
    ...['', ':', '1:', ':1', '01x', '-1', '4294967295', '99999999999', '1:2:3', '1 ', '٣'].map((user) => ({ user })),
    ...['', '-1', 'x', '4294967295'].map((gid) => ({ additionalGids: [gid] })),
    ...['x', '', 'x/y', '/proc/self/fd/3', '/proc/self/../self/fd'].map((cwd) => ({ cwd })),
    ...['', 'X', '=x'].map((variable) => ({ env: [variable] })),
    ...['', 'KILL', 'cap_kill', 'CAP_X'].map((name) => ({ capabilities: [name] })),
    { args: [''] },
  ]
  for (const request of refused) {
    try {
      await processOf(request)
    } catch (error) {
      assert.ok(error instanceof RuntError && error.code === 'usage', JSON.stringify(request))
      continue
    }
    assert.unreachable(JSON.stringify(request))
  }
})

test.run()
