// An image that needs nobody: it does runt's own part, too. It claims the id, makes the cgroup, is P0, puts P1 on record, and
// in the foreground stands in for the program until that has ended. The engine becomes it by execve, and is gone.
//
// It tells no errors. Whatever fails before the program runs, it takes back what it made and becomes the engine again, which
// does all of it anew in the supervised way (lifecycle/create.ts) and knows how to speak. Only plain containers are made so:
// what needs runt's help on the way (hooks, id maps, a terminal) does not; lifecycle/solo.ts decides.

import type { Config } from '../../config/types.ts'
import { LOCK } from '../../linux/flock.ts'
import { PR } from '../../linux/prctl.ts'
import type { Plan } from '../../plan/step.ts'
import { lowerReserveSlots } from '../descriptors.ts'
import type { Facts } from '../facts.ts'
import { lowerHiddenFromOthers, lowerHostSide, lowerP1, newContext } from '../lower.ts'
import { lowerKeepNamespaces, newNamespaceFlags } from '../namespaces.ts'
import { lowerBirth, lowerExpectProgram, lowerExpectReady, lowerLines, lowerReply } from './birth.ts'
import { lowerCgroupWork } from './cgroup.ts'
import { lowerClaim, lowerRecord } from './claim.ts'
import { lowerBecomeEngine, lowerEnd } from './end.ts'
import type { Solo } from './facts.ts'
import { lowerBlockSignals, lowerSignalMask, lowerStandIn, lowerUnwatchSignals } from './signals.ts'
import { Undo } from './undo.ts'

/** The plan of a container that is made by its own image. @param solo what runt would have done */
export function lowerSolo(config: Config, facts: Facts, solo: Solo): Plan {
  const context = newContext(config, facts, { solo: true })
  const { plan, slots } = context
  const undo = new Undo(plan)
  const mask = lowerBlockSignals(context)
  undo.onFailure('restore_signals', () => lowerSignalMask(context, mask))
  const giveUp = undo.now
  lowerLines(context, undo)
  lowerReserveSlots(context)
  lowerHiddenFromOthers(context)
  if (facts.mode === 'run-foreground' && solo.subreaper) plan.syscall('prctl', [PR.SET_CHILD_SUBREAPER, 1, 0, 0, 0])
  const time = lowerClaim(context, solo, undo)
  lowerCgroupWork(context, solo.cgroup, undo)
  // The engine, should it have to go on, is to find itself where we were.
  const goBack = lowerKeepNamespaces(context)
  undo.onFailure('own_namespaces', goBack)
  const doors = lowerHostSide(context)
  const birth = { name: 'init', flags: newNamespaceFlags(config), cgroup: doors.v2, goBack }
  const born = lowerBirth(context, undo, giveUp, birth, () => lowerP1(context, doors))
  lowerExpectReady(context, born, undo)
  lowerRecord(context, solo, time, born, undo)
  lowerReply(context)
  if (facts.mode !== 'create') lowerExpectProgram(context, born, undo)
  plan.rescueAt(undefined) // the program runs: there is no way back
  plan.syscall('flock', [slots.lock, LOCK.UN])
  if (facts.mode === 'run-foreground') {
    lowerUnwatchSignals(context, born.wait)
    // The caller's streams are not held open longer than the program holds them.
    plan.syscall('close_range', [0, 1, 0])
    lowerEnd(context, solo, lowerStandIn(context, born.pid))
  } else plan.exit(0)
  undo.lower()
  lowerBecomeEngine(context, solo.engine)
  return plan.finish()
}
