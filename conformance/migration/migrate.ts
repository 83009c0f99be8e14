// One migration, from making two hosts to looking at what has arrived.

import { mkdirSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Ground, succeeded } from '../box.ts'
import { requireNetworkLock } from '../checkpoint.ts'
import { ADDRESS, Lan } from './lan.ts'
import { type Figures, Move } from './move.ts'
import { Peer } from './peer.ts'
import { Place } from './place.ts'
import { BLOCK, PORT, progress, verifyMemory, work } from './program.ts'
import { LAST, requireWay, type Way } from './ways.ts'

const WORK_MS = 300

/**
 * @param megabytes of memory that the program has at the start
 * @throws Skip when CRIU or the kernel can't; Error when the container does not go on as it was
 */
export async function migrate(ground: Ground, way: Way, megabytes: number): Promise<Figures> {
  const blocks = Math.ceil((megabytes << 20) / BLOCK)
  using lan = await Lan.make()
  const [here, there] = [await lan.site(1), await lan.site(2)]
  await using source = new Place(ground, here, blocks)
  await using target = new Place(ground, there, blocks)
  const shared = source.box.path('shared')
  mkdirSync(shared)
  requireNetworkLock(source.box)
  requireWay(source.box, way)
  lan.plug(here)
  await source.start()
  using peer = new Peer(lan.peer.connect(ADDRESS, PORT))
  await peer.isAnswered()
  const before = await work(source.terminal, WORK_MS)
  const move = new Move(source, target, shared, () => lan.plug(there, here))
  const after = await way.go(move)
  const figures = move.figures(LAST)
  source.closeTerminal()
  // runc leaves cgroups of version 2.
  if (source.box.runtime.name === 'runt') source.box.assertNothingLeft()
  else assert.equal(source.box.records(), [], 'a record is left')
  await work(target.terminal, WORK_MS)
  await peer.isAnswered()
  const { ticks, gaps } = await progress(target.terminal)
  assert.ok(ticks > before.ticks, `it has gone back from tick ${before.ticks} to ${ticks}`)
  const silence = peer.longestSilence
  await verifyMemory(target.terminal, blocks)
  const { stdout } = succeeded(await target.exec('cat', '/dev/shm/kept'))
  assert.is(stdout, 'kept\n')
  return { ...figures, stood: Math.max(0, ...gaps), silence, after }
}
