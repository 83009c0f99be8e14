// The conversation with a systemd that a test plays.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message } from '../../dbus/message.ts'
import { type Answer, fakeBus, signal } from '../../dbus/testing/fake-bus.ts'
import { variant } from '../../dbus/value.ts'
import { RuntError } from '../../errors.ts'
import { UnitManager } from './manager.ts'
import { property } from './property.ts'

const OBJECT = '/org/freedesktop/systemd1'
const MANAGER = 'org.freedesktop.systemd1.Manager'
const JOB = `${OBJECT}/job/7`
const NO_SUCH_UNIT: Answer = { error: ['org.freedesktop.systemd1.NoSuchUnit', 'Unit x.scope not loaded.'] }
const EXISTS: Answer = { error: ['org.freedesktop.systemd1.UnitExists', 'Unit x.scope was already loaded.'] }

const removed = (job: string, result: string) =>
  signal(OBJECT, MANAGER, 'JobRemoved', 'uoss', [7, job, 'x.scope', result])
const job = (result = 'done'): Answer => ({
  signature: 'o',
  body: [JOB],
  before: [removed(`${OBJECT}/job/6`, 'failed')],
  after: [removed(JOB, result)],
})

const PROPERTIES: Readonly<Record<string, ReturnType<typeof variant>>> = {
  Version: variant('s', '252.39-1~deb12u1'),
  ControlGroup: variant('s', '/user.slice/user@1000.service/'),
  ActiveState: variant('s', 'active'),
  InvocationID: variant('ay', Uint8Array.of(0xab, 1)),
}

type Script = Readonly<Record<string, Answer | ((call: Message) => Answer)>>

/** systemd, with other answers to some calls or questions for a property. */
async function withSystemd(
  script: Script,
  use: (manager: UnitManager, said: () => string[]) => Promise<void>,
  patience = 5000,
): Promise<void> {
  await using fake = await fakeBus((call) => {
    const name = call.member === 'Get' ? `${call.body[1]}` : (call.member ?? '')
    const scripted = script[name]
    if (typeof scripted === 'function') return scripted(call)
    if (scripted !== undefined) return scripted
    const known = PROPERTIES[name]
    if (known !== undefined) return { signature: 'v', body: [known] }
    return name === 'GetUnit' ? { signature: 'o', body: [`${OBJECT}/unit/x_2escope`] } : {}
  })
  const environment = { DBUS_SESSION_BUS_ADDRESS: `unix:path=${fake.socket}` }
  using manager = await UnitManager.open('user', { environment, patience })
  await use(manager, () => fake.calls.map(({ member }) => member ?? '').slice(3)) // those of open() first
}

/** @returns what the refusal says, and its hint */
async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    assert.instance(error, RuntError)
    return `${(error as RuntError).message} ${(error as RuntError).hint ?? ''}`
  }
  throw new Error('it was not refused')
}

test('the manager says which release it is and where its units are', async () => {
  await withSystemd({}, async ({ release, root }) => {
    assert.is(release, 252)
    assert.is(root, '/user.slice/user@1000.service')
  })
})

test('a scope is started with its properties, and its job waited for', async () => {
  let call: Message | undefined
  const start = (message: Message): Answer => {
    call = message
    return job()
  }
  await withSystemd({ StartTransientUnit: start }, async (manager, said) => {
    await manager.start('x.scope', [property('PIDs', 'au', [42]), property('TasksMax', 't', 2n ** 64n - 1n)])
    assert.equal(said(), ['StartTransientUnit'])
    assert.is(call?.signature, 'ssa(sv)a(sa(sv))')
    assert.equal(call?.body, [
      'x.scope',
      'replace',
      [
        ['PIDs', variant('au', [42])],
        ['TasksMax', variant('t', 2n ** 64n - 1n)],
      ],
      [],
    ])
    assert.is(await manager.invocation('x.scope'), 'ab01')
  })
})

test('what is left of a unit that failed goes first', async () => {
  let attempts = 0
  const script: Script = {
    StartTransientUnit: () => (++attempts === 1 ? EXISTS : job()),
    ActiveState: { signature: 'v', body: [variant('s', 'failed')] },
  }
  await withSystemd(script, async (manager, said) => {
    await manager.start('x.scope', [])
    assert.equal(said(), ['StartTransientUnit', 'GetUnit', 'Get', 'ResetFailedUnit', 'StartTransientUnit'])
  })
})

test('a unit that is there is not touched', async () => {
  await withSystemd({ StartTransientUnit: EXISTS }, async (manager, said) => {
    assert.match(
      await refusal(manager.start('x.scope', [])),
      /x\.scope: systemd has a unit of that name already \(active\)/,
    )
    assert.not.ok(said().includes('ResetFailedUnit'))
  })
})

test('a unit that systemd does not know is not asked to stop, whatever its name', async () => {
  const invalid: Answer = { error: ['org.freedesktop.DBus.Error.InvalidArgs', 'Unit name a@b.scope is not valid.'] }
  await withSystemd({ GetUnit: NO_SUCH_UNIT, StopUnit: invalid }, async (manager, said) => {
    await manager.stop('a@b.scope')
    assert.equal(said(), ['GetUnit'])
  })
})

test('answers of other kinds are no answers', async () => {
  for (const script of [
    { GetUnit: { signature: 'as', body: [['/a']] } },
    { InvocationID: { signature: 's', body: ['x'] } },
  ]) {
    await withSystemd(script, async (manager) => {
      assert.match(await refusal(manager.invocation('x.scope')), /x\.scope: the bus answers (?:GetUnit|Get) with/)
    })
  }
})

test('a job that fails, and one that never ends, are errors', async () => {
  await withSystemd({ StartTransientUnit: job('dependency') }, async (manager) => {
    assert.match(await refusal(manager.start('x.scope', [])), /could not start it: dependency journalctl -u x\.scope/)
  })
  const endless: Answer = { signature: 'o', body: [JOB], after: [removed(`${OBJECT}/job/8`, 'done')] }
  await withSystemd(
    { StartTransientUnit: endless },
    async (manager) =>
      assert.match(await refusal(manager.start('x.scope', [])), /x\.scope: .*does not answer is systemd/),
    200,
  )
})

test('a refusal is told in the words of systemd', async () => {
  const access: Answer = { error: ['org.freedesktop.DBus.Error.AccessDenied', 'Permission denied'] }
  await withSystemd({ StartTransientUnit: access, SetUnitProperties: access }, async (manager) => {
    assert.match(await refusal(manager.start('x.scope', [])), /x\.scope: systemd refuses: Permission denied/)
    assert.match(await refusal(manager.setProperties('x.scope', [])), /systemd refuses/)
  })
})

test('to stop is to forget as well, and what is gone is stopped', async () => {
  await withSystemd({ StopUnit: job() }, async (manager, said) => {
    await manager.stop('x.scope')
    assert.equal(said(), ['GetUnit', 'StopUnit', 'ResetFailedUnit'])
  })
  await withSystemd(
    { StopUnit: NO_SUCH_UNIT, ResetFailedUnit: NO_SUCH_UNIT, GetUnit: NO_SUCH_UNIT },
    async (manager) => {
      await manager.stop('x.scope')
      assert.is(await manager.invocation('x.scope'), undefined)
    },
  )
})

test('without a bus the error says what to do', async () => {
  const open = (environment: Record<string, string>) => refusal(UnitManager.open('user', { environment }))
  assert.match(await open({}), /systemd of this user: neither XDG_RUNTIME_DIR nor .* Without --systemd-cgroup/)
  assert.match(await open({ XDG_RUNTIME_DIR: '/nonexistent' }), /connect \/nonexistent\/bus: ENOENT/)
  const machine = UnitManager.open('system', { environment: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' } })
  assert.match(await refusal(machine), /systemd of this machine: connect/)
})

test('a slow manager is waited for no longer than was said', async () => {
  const started = performance.now()
  const open = withSystemd({ Version: { silent: true } }, async () => {}, 200)
  assert.match(await refusal(open), /does not answer/)
  assert.ok(performance.now() - started < 5000)
})

test.run()
