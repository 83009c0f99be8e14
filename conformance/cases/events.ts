// events: what runc's users read of a container's resources.

import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { type Box, failed, hierarchies, succeeded } from '../box.ts'
import { check } from '../case.ts'
import { PATIENCE, waitUntil } from '../patience.ts'

interface Event {
  readonly type: string
  readonly id: string
  readonly data?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const MIB = 1024 * 1024
const FOREVER = 'exec sleep 100'

function eventsOf(stdout: string): Event[] {
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event) // checked by the cases
}

async function statsOf(box: Box): Promise<NonNullable<Event['data']>> {
  const [event, ...others] = eventsOf(succeeded(await box.command(['events', '--stats', box.id])).stdout)
  assert.equal(others, [])
  assert.is(event?.type, 'stats')
  assert.is(event?.id, box.id)
  return event?.data ?? {}
}

check('K2', 'events --stats has every member that runc has', async (box) => {
  await box.launch(FOREVER)
  const data = await statsOf(box)
  const members = ['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'hugetlb', 'intel_rdt', 'network_interfaces']
  for (const member of members) assert.ok(member in data, member)
  assert.ok(Object.keys(data).length <= members.length + 1)
  const { usage, throttling } = data.cpu as Record<string, Record<string, unknown>>
  const each = hierarchies().length === 1 ? [] : ['percpu', 'percpu_kernel', 'percpu_user'] // v2 doesn't count them
  for (const name of ['total', ...each, 'kernel', 'user']) {
    assert.ok(usage !== undefined && name in usage, `cpu.usage.${name}`)
  }
  assert.type(throttling, 'object')
  for (const name of ['usage', 'swap', 'kernel', 'kernelTCP', 'raw']) {
    assert.ok(name in (data.memory ?? {}), `memory.${name}`)
  }
})

check('K2', 'events --stats has the limits, and what is used', async (box) => {
  const resources = { memory: { limit: 64 * MIB }, pids: { limit: 17 }, cpu: { cpus: '0', mems: '0' } }
  await box.launch('sleep 101 & exec sleep 102', { '/linux/resources': resources }, ['sleep 101', 'sleep 102'])
  const { memory, pids, cpuset, cpu } = await statsOf(box)
  const usage = memory?.usage as Record<string, number>
  assert.is(usage.limit, 64 * MIB)
  assert.ok((usage.usage ?? 0) > 0)
  const raw = memory?.raw as Record<string, number> | undefined
  if (hierarchies().length > 1) assert.is(raw?.hierarchical_memory_limit, 64 * MIB)
  assert.equal(pids, { current: 2, limit: 17 })
  if (hierarchies().length > 1) assert.equal([cpuset?.cpus, cpuset?.mems], [[0], [0]])
  assert.ok(((cpu?.usage as Record<string, number> | undefined)?.total ?? 0) > 0)
})

check('K2', 'events --stats tells of throttling', async (box) => {
  const resources = { cpu: { quota: 1000, period: 100_000 } }
  await box.launch('while :; do :; done', { '/linux/resources': resources })
  let throttling: Record<string, number> | undefined
  const counts = async (): Promise<boolean> => {
    throttling = (await statsOf(box)).cpu?.throttling as Record<string, number> | undefined
    return ['periods', 'throttledPeriods', 'throttledTime'].every((name) => (throttling?.[name] ?? 0) > 0)
  }
  await waitUntil(counts, () => `the counters stand at ${JSON.stringify(throttling)}`)
})

check('K2', 'events of a created and of a paused container', async (box) => {
  await box.create()
  assert.ok(Number((await statsOf(box)).pids?.current) >= 1) // threads count, too
  succeeded(await box.command(['pause', box.id]))
  assert.ok(Number((await statsOf(box)).pids?.current) >= 1)
})

check('K2', 'events tells stats at every interval until the container is gone', async (box) => {
  await box.launch(FOREVER)
  const started = Date.now()
  const stream = box.command(['events', '--interval', '200ms', box.id])
  await sleep(900 * PATIENCE)
  await box.delete('--force')
  const events = eventsOf(succeeded(await stream).stdout)
  const most = (Date.now() - started) / 200 + 1
  assert.ok(events.length >= 2 && events.length <= most, `${events.length} events`)
  for (const { type, id } of events) assert.equal([type, id], ['stats', box.id])
})

check('K2', 'events tells when a process is killed for want of memory, at once', async (box) => {
  await box.create({
    '/process/args': ['sh', '-c', 'head -c 100m /dev/zero | tail >/dev/null; sleep 100'],
    '/linux/resources/memory': { limit: 16 * MIB, swap: 16 * MIB },
  })
  const stream = box.command(['events', '--interval', '1h', box.id])
  await sleep(500 * PATIENCE) // it listens now
  await box.start()
  await sleep(1500 * PATIENCE)
  await box.delete('--force')
  const events = eventsOf(succeeded(await stream).stdout)
  assert.ok(events.length >= 1)
  for (const event of events) assert.equal(event, { type: 'oom', id: box.id })
})

check('K2', 'events refuses a stopped and an unknown container, and intervals that are none', async (box) => {
  await box.launch(FOREVER)
  for (const interval of ['0', '-1s', '5', 'soon'])
    failed(await box.command(['events', '--interval', interval, box.id]))
  await box.kill('KILL')
  await box.waitForStatus('stopped')
  for (const flags of [[], ['--stats']]) {
    assert.match(failed(await box.command(['events', ...flags, box.id])).stderr, /is not running/)
    assert.match(failed(await box.command(['events', ...flags, 'nobody'])).stderr, /does not exist/)
  }
})
