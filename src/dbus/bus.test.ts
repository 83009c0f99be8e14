import type { Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { socketsOf } from './address.ts'
import { Bus } from './bus.ts'
import { BusError, BusUnreachable } from './errors.ts'
import { encodeMessage, MESSAGE_TYPE, type Message } from './message.ts'
import { type Answering, type FakeBusOptions, fakeBus, listening, signal } from './testing/fake-bus.ts'
import { variant } from './value.ts'

const PATIENCE = 5000
const PING = { destination: 'a.b', path: '/a', interface: 'a.b.C', member: 'Ping' }
const removed = (job: string) => signal('/a', 'a.b.C', 'JobRemoved', 'os', [job, 'done'])

/** @param patience milliseconds */
async function withBus(
  answering: Answering,
  use: (bus: Bus, soon: () => number, calls: readonly unknown[]) => Promise<void>,
  { patience = PATIENCE, broker = true, ...options }: FakeBusOptions & { patience?: number; broker?: boolean } = {},
): Promise<void> {
  await using fake = await fakeBus(answering, options)
  const soon = () => performance.now() + patience
  using bus = await Bus.connect(fake.socket, broker, soon())
  await use(bus, soon, fake.calls)
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
      async (bus, soon) => {
        assert.equal(await bus.call({ ...PING, signature: 's', body: ['x'.repeat(100_000)] }, soon()), ['pong', 7])
        const found = await bus.signal(({ body }) => body[0] === '/2', soon())
        assert.equal(found.body, ['/2', 'done'])
      },
      { dribble },
    )
  }
})

test('a signal may come at any time after its match', async () => {
  await withBus(
    () => ({ after: [removed('/3')] }),
    async (bus, soon) => {
      await bus.subscribe("type='signal',member='JobRemoved'", soon())
      await bus.call(PING, soon())
      assert.equal((await bus.signal(({ member }) => member === 'JobRemoved', soon())).body[0], '/3')
    },
  )
})

test('a refusal is an error with its name', async () => {
  await withBus(
    () => ({ error: ['a.b.NoSuchUnit', 'Unit x not loaded.'] }),
    async (bus, soon) => {
      const error = await failing(bus.call(PING, soon()))
      assert.instance(error, BusError)
      assert.is((error as BusError).errorName, 'a.b.NoSuchUnit')
      assert.is(error.message, 'Unit x not loaded.')
    },
  )
})

test('a peer without a broker is greeted by nobody and called without a name', async () => {
  await withBus(
    ({ destination }) => ({ signature: 's', body: [destination ?? 'nobody'] }),
    async (bus, soon, calls) => {
      assert.equal(await bus.call(PING, soon()), ['nobody'])
      assert.is(calls.length, 1)
    },
    { broker: false },
  )
})

test('nobody waits longer than was said', async () => {
  await withBus(
    () => ({ silent: true }),
    async (bus, soon) => {
      const started = performance.now()
      const error = await failing(bus.call(PING, soon()))
      assert.instance(error, BusUnreachable)
      assert.match(error.message, /bus does not answer$/)
      await failing(bus.signal(() => true, soon()))
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
  const nobody = await failing(Bus.connect('/nonexistent/bus', true, performance.now() + PATIENCE))
  assert.instance(nobody, BusUnreachable)
  assert.match(nobody.message, /connect \/nonexistent\/bus: ENOENT/)
})

test('an answer of another kind than was asked for is none', async () => {
  await withBus(
    () => ({ signature: 'as', body: [['pong']] }),
    async (bus, soon) => {
      const error = await failing(bus.call({ ...PING, answer: 'o' }, soon()))
      assert.instance(error, BusUnreachable)
      assert.match(error.message, /answers Ping with "as", not "o"/)
    },
  )
})

test('the handshake is said at once, and nothing behind it before it is over', async () => {
  const chunks: string[] = []
  await using bus = await listening((peer) => {
    peer.on('data', (chunk: Buffer) => {
      chunks.push(chunk.toString('latin1'))
      if (chunks.length === 1) setTimeout(() => peer.write(HELLO), 50)
      else peer.write(message({ replySerial: 1 }))
    })
  })
  using _connected = await Bus.connect(bus.socket, true, performance.now() + PATIENCE)
  assert.is(chunks[0], '\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n')
  assert.is(chunks[1]?.charAt(0), 'l') // a call, little-endian
})

/** Milliseconds for a whole conversation with a peer that means no good. */
const SHORT = 400
const HELLO = 'DATA\r\nOK 00\r\n'
const flood = (peer: Socket, bytes: Uint8Array): void => {
  while (!peer.destroyed && peer.write(bytes));
  if (!peer.destroyed) peer.once('drain', () => flood(peer, bytes))
}
const message = (part: Partial<Message>): Uint8Array =>
  encodeMessage({ type: MESSAGE_TYPE.reply, serial: 1, signature: '', body: [], ...part })
/** A header that promises so much. */
const promise = (fields: number, body: number): Uint8Array => {
  const bytes = new DataView(new ArrayBuffer(16))
  for (const [at, value] of [108, MESSAGE_TYPE.reply, 0, 1].entries()) bytes.setUint8(at, value)
  for (const [at, value] of [body, 1, fields].entries()) bytes.setUint32(4 + 4 * at, value, true)
  return new Uint8Array(bytes.buffer)
}
const huge = message({
  type: MESSAGE_TYPE.signal,
  signature: 'av',
  body: [Array.from({ length: 200_000 }, () => variant('y', 1))],
})

const HOSTILE: Readonly<Record<string, [peer: (peer: Socket) => void, says: RegExp]>> = {
  'a line without an end': [(peer) => flood(peer, Buffer.alloc(1 << 20, 'x')), /line without an end/],
  silence: [() => {}, /does not answer/],
  'a byte now and then': [
    (peer) => {
      const timer = setInterval(() => peer.write('x'), 20)
      peer.on('close', () => clearInterval(timer))
    },
    /does not answer/,
  ],
  'DATA for ever': [(peer) => flood(peer, Buffer.from('DATA 00\r\n'.repeat(1000))), /does not let us in/],
  'a message of 4 GB': [
    (peer) => peer.write(Buffer.concat([Buffer.from(HELLO), promise(8, 0xffff_ffff)])),
    /D-Bus message of/,
  ],
  'fields of 4 GB': [
    (peer) => peer.write(Buffer.concat([Buffer.from(HELLO), promise(0xffff_fff0, 64)])),
    /D-Bus message of/,
  ],
  'answers to other calls': [
    (peer) => {
      peer.write(HELLO)
      flood(peer, message({ replySerial: 99 }))
    },
    /does not answer/,
  ],
  'messages of no kind': [
    (peer) => {
      peer.write(HELLO)
      flood(peer, message({ type: 9 }))
    },
    /does not answer/,
  ],
  'signals instead of an answer': [
    (peer) => {
      peer.write(HELLO)
      flood(peer, huge)
    },
    /signals instead of an answer|does not answer/,
  ],
  'a body of another signature': [
    (peer) => {
      const answer = message({ replySerial: 1, signature: 'u', body: [7] })
      peer.write(Buffer.concat([Buffer.from(HELLO), answer.map((byte) => (byte === 'u'.charCodeAt(0) ? 97 : byte))]))
    },
    /does not speak D-Bus/,
  ],
}

for (const [what, [serve, says]] of Object.entries(HOSTILE)) {
  test(`a peer that sends ${what} costs neither time nor memory`, async () => {
    await using bus = await listening(serve)
    const before = process.memoryUsage.rss()
    const started = performance.now()
    const error = await failing(Bus.connect(bus.socket, true, started + SHORT))
    assert.instance(error, BusUnreachable)
    assert.match(error.message, says)
    assert.ok(error.message.length < 2000)
    assert.ok(performance.now() - started < 10 * SHORT)
    assert.ok(process.memoryUsage.rss() - before < 200 << 20, `${process.memoryUsage.rss() - before} bytes`)
  })
}

test('who waits for a signal waits no longer for a great many others', async () => {
  await using bus = await listening((peer) => {
    peer.write(HELLO)
    peer.write(message({ replySerial: 1 }))
    flood(peer, encodeMessage(removed('/9')))
  })
  const started = performance.now()
  using connected = await Bus.connect(bus.socket, true, started + PATIENCE)
  const error = await failing(connected.signal(({ body }) => body[0] === '/7', performance.now() + SHORT))
  assert.match(error.message, /does not answer/)
  assert.ok(performance.now() - started < PATIENCE)
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
