import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { socketsOf } from './address.ts'
import { Bus } from './bus.ts'
import { BusError, BusUnreachable } from './errors.ts'
import { type Answering, type FakeBusOptions, fakeBus, signal } from './testing/fake-bus.ts'

const PATIENCE = 5000
const PING = { destination: 'a.b', path: '/a', interface: 'a.b.C', member: 'Ping' }
const removed = (job: string) => signal('/a', 'a.b.C', 'JobRemoved', 'os', [job, 'done'])

/** @param patience milliseconds */
async function withBus(
  answering: Answering,
  use: (bus: Bus, calls: readonly unknown[]) => Promise<void>,
  { patience = PATIENCE, broker = true, ...options }: FakeBusOptions & { patience?: number; broker?: boolean } = {},
): Promise<void> {
  await using fake = await fakeBus(answering, options)
  using bus = await Bus.connect(fake.socket, { broker, patience })
  await use(bus, fake.calls)
}

/** @returns the error */
async function failing(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error // what fails here throws errors
  }
  throw new Error('it succeeded')
}

test('a call gets its answer, whatever comes before it and however it arrives', async () => {
  const answering: Answering = () => ({ signature: 'su', body: ['pong', 7], before: [removed('/1'), removed('/2')] })
  for (const dribble of [false, true]) {
    await withBus(
      answering,
      async (bus) => {
        assert.equal(await bus.call({ ...PING, signature: 's', body: ['x'.repeat(100_000)] }), ['pong', 7])
        const found = await bus.signal(({ body }) => body[0] === '/2', PATIENCE)
        assert.equal(found.body, ['/2', 'done'])
      },
      { dribble },
    )
  }
})

test('a signal may come at any time after its match', async () => {
  await withBus(
    () => ({ after: [removed('/3')] }),
    async (bus) => {
      await bus.subscribe("type='signal',member='JobRemoved'")
      await bus.call(PING)
      assert.equal((await bus.signal(({ member }) => member === 'JobRemoved', PATIENCE)).body[0], '/3')
    },
  )
})

test('a refusal is an error with its name', async () => {
  await withBus(
    () => ({ error: ['a.b.NoSuchUnit', 'Unit x not loaded.'] }),
    async (bus) => {
      const error = await failing(bus.call(PING))
      assert.instance(error, BusError)
      assert.is((error as BusError).errorName, 'a.b.NoSuchUnit')
      assert.is(error.message, 'Unit x not loaded.')
    },
  )
})

test('a peer without a broker is greeted by nobody and called without a name', async () => {
  await withBus(
    ({ destination }) => ({ signature: 's', body: [destination ?? 'nobody'] }),
    async (bus, calls) => {
      assert.equal(await bus.call(PING), ['nobody'])
      assert.is(calls.length, 1)
    },
    { broker: false },
  )
})

test('nobody waits longer than was said', async () => {
  await withBus(
    () => ({ silent: true }),
    async (bus) => {
      const started = performance.now()
      const error = await failing(bus.call(PING))
      assert.instance(error, BusUnreachable)
      assert.match(error.message, /bus does not answer$/)
      await failing(bus.signal(() => true, 50))
      assert.ok(performance.now() - started < PATIENCE)
    },
    { patience: 100 },
  )
})

test('who is not let in, or finds nobody, is told so', async () => {
  const rejected = failing(
    withBus(
      () => ({}),
      async () => {},
      { handshake: { 'AUTH EXTERNAL': 'REJECTED EXTERNAL' } },
    ),
  )
  assert.match((await rejected).message, /does not let us in: REJECTED EXTERNAL/)
  await withBus(
    () => ({}),
    async () => {},
    { handshake: { 'AUTH EXTERNAL': 'OK 00' } },
  )
  const nobody = await failing(Bus.connect('/nonexistent/bus', { broker: true, patience: PATIENCE }))
  assert.instance(nobody, BusUnreachable)
  assert.match(nobody.message, /connect \/nonexistent\/bus: ENOENT/)
})

test('addresses name sockets', () => {
  const cases: [string, string[]][] = [
    ['unix:path=/run/user/1000/bus', ['/run/user/1000/bus']],
    ['unix:guid=00,path=/a%20b', ['/a b']],
    ['tcp:host=x;unix:abstract=/tmp/x=y;unix:path=/z', ['\0/tmp/x=y', '/z']],
    ['unix:path=/%zz', ['/%zz']],
    ['', []],
  ]
  for (const [address, sockets] of cases) assert.equal(socketsOf(address), sockets, address)
})

test.run()
