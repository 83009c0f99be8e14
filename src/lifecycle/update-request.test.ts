import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Resources } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { resourcesOf, type SchemataFlag, schemataOf, type UpdateFlag } from './update-request.ts'

type Flags = Partial<Record<UpdateFlag, string>>

async function fromFlags(flags: Flags, file?: string, warnings: string[] = []): Promise<Resources> {
  const given = new Map(Object.entries(flags) as [UpdateFlag, string][])
  const resources = await resourcesOf({ file, flags: given, schemata: new Map() }, warnings)
  if (resources === undefined) throw new Error('no resources')
  return resources
}

async function refusal(flags: Flags, file?: string): Promise<string> {
  try {
    await fromFlags(flags, file)
  } catch (error) {
    assert.ok(error instanceof RuntError && error.code === 'usage', `${error}`)
    return error.message
  }
  throw new Error(`${JSON.stringify(flags)} was accepted`)
}

const FLAGS: readonly UpdateFlag[] = [
  'blkio-weight',
  'cpu-period',
  'cpu-quota',
  'cpu-burst',
  'cpu-share',
  'cpu-rt-period',
  'cpu-rt-runtime',
  'cpuset-cpus',
  'cpuset-mems',
  'cpu-idle',
  'kernel-memory',
  'kernel-memory-tcp',
  'memory',
  'memory-reservation',
  'memory-swap',
  'pids-limit',
]

test('every flag is a limit', async () => {
  const resources = await fromFlags({
    'blkio-weight': '500',
    'cpu-period': '100000',
    'cpu-quota': '-1',
    'cpu-burst': '5',
    'cpu-share': '18446744073709551615',
    'cpu-rt-period': '7',
    'cpu-rt-runtime': '6',
    'cpuset-cpus': '0-1,3',
    'cpuset-mems': '0',
    'cpu-idle': '0',
    'kernel-memory': '-1',
    'kernel-memory-tcp': '1m',
    memory: '1.5g',
    'memory-reservation': '-1',
    'memory-swap': '2g',
    'pids-limit': '0',
  })
  assert.equal(resources, {
    devices: [],
    memory: { limit: 1610612736n, reservation: -1n, swap: 2147483648n, kernelTCP: 1048576n },
    cpu: {
      shares: 18446744073709551615n,
      quota: -1n,
      burst: 5n,
      period: 100000n,
      realtimeRuntime: 6n,
      realtimePeriod: 7n,
      idle: 0n,
      cpus: '0-1,3',
      mems: '0',
    },
    pids: { limit: 0n },
    unified: {},
    blockIO: { weight: 500 },
  })
})

test('what can not be read or can not be is an error that names the flag', async () => {
  assert.is(
    await refusal({ memory: '1x' }),
    '--memory "1x": not a size: bytes, also with k, m, g, t or p; -1 for no limit',
  )
  assert.match(await refusal({ memory: '-2' }), /^--memory "-2": not a size/)
  assert.match(await refusal({ memory: '9223372036854775808' }), /not a size/)
  assert.match(await refusal({ 'blkio-weight': '9' }), /^--blkio-weight "9": not a number from 10 to 1000$/)
  assert.match(await refusal({ 'cpu-period': '1.5' }), /^--cpu-period "1.5": not a number from 0 to /)
  assert.match(await refusal({ 'cpu-period': '-1' }), /^--cpu-period "-1": /)
  assert.match(await refusal({ 'pids-limit': '' }), /^--pids-limit "": /)
  assert.match(await refusal({ 'pids-limit': '-2' }), /^--pids-limit "-2": must be a number, or -1/)
  assert.match(await refusal({ 'cpu-idle': '2' }), /^--cpu-idle "2": must be 0 or 1$/)
  assert.match(await refusal({ 'cpuset-cpus': 'a' }), /^--cpuset-cpus "a": not a list/)
  assert.match(await refusal({ memory: '2m', 'memory-swap': '1m' }), /^--memory-swap "1m": is memory and swap together/)
  assert.match(await refusal({ memory: '1m' }, 'file'), /^--resources says all limits: --memory contradicts it$/)
  assert.match(await refusal({}), /^nothing is to be changed$/)
})

test('a limit of kernel memory is a warning', async () => {
  const warnings: string[] = []
  assert.equal((await fromFlags({ 'kernel-memory': '1m', memory: '2m' }, undefined, warnings)).memory, {
    limit: 2n << 20n,
  })
  assert.equal(warnings, ['--kernel-memory: ignored, kernels since 5.16 have no such limit'])
})

const SCHEMATA: readonly (readonly [SchemataFlag, string])[] = [
  ['mem-bw-schema', 'MB:0=20;1=70'],
  ['l3-cache-schema', 'L3:0=7f0;1=1f'],
]

test('schemata are lines, that of the cache first, and are enough for an update', async () => {
  const schemata = new Map(SCHEMATA)
  assert.equal(schemataOf({ schemata }), ['L3:0=7f0;1=1f', 'MB:0=20;1=70'])
  assert.is(await resourcesOf({ file: undefined, flags: new Map(), schemata }, []), undefined)
  for (const [flag, line] of [
    ['l3-cache-schema', 'MB:0=20'],
    ['l3-cache-schema', 'L3:'],
    ['l3-cache-schema', 'L3:0=f\nMB:0=10'],
    ['mem-bw-schema', 'L3:0=f'],
    ['mem-bw-schema', ''],
  ] as const) {
    assert.throws(() => schemataOf({ schemata: new Map([[flag, line]]) }), new RegExp(`^--${flag} .*: not a line as`))
  }
})

test('whatever a flag says, it is a limit or a usage error that names the flag', async () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0159-,.kmgb x'), maxLength: 22 }))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...FLAGS), text, async (flag, given) => {
      try {
        await fromFlags({ [flag]: given })
      } catch (error) {
        assert.ok(error instanceof RuntError && error.message.startsWith(`--${flag} `), `${error}`)
      }
    }),
    { numRuns: 1000 },
  )
})

test('a number that fits is the limit, digit for digit', async () => {
  const rows = [
    ['pids-limit', (found: Resources) => found.pids.limit],
    ['cpu-quota', (found: Resources) => found.cpu.quota],
    ['memory', (found: Resources) => found.memory.limit],
  ] as const
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...rows), fc.bigInt(1n, 2n ** 63n - 1n), async ([flag, limit], number) => {
      assert.is(limit(await fromFlags({ [flag]: `${number}` })), number)
      await refusal({ [flag]: `${number + 2n ** 63n}` })
    }),
  )
})

test.run()
