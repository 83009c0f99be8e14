// A container's card, from which the front answers without the engine: plan/card.ts, front/.

import { isFoldersAlone, removals } from '../cgroup/cgroup.ts'
import { notFrozen } from '../cgroup/freezer.ts'
import { EXIT_RECORD_ANNOTATION } from '../config/exit-record.ts'
import { pidfdInode } from '../host/pidfd.ts'
import { ABILITY, encodeCard, nameProcess } from '../plan/card.ts'
import { printableJson } from '../printable.ts'
import { type Container, stateOf } from './container.ts'
import type { Store } from './store.ts'

/**
 * Give a created container its card. None is written where the kernel doesn't number processes, or where it would be too
 * long: the engine does all the work then.
 */
export function saveCard(store: Store, container: Container): void {
  const inode = pidfdInode(container.pid)
  const card = inode === undefined ? undefined : cardOf(container)
  if (inode === undefined || card === undefined) return
  nameProcess(card, container.pid, inode)
  store.saveCard(container.id, card)
}

/** A card that says nothing yet of the process; undefined when it would be too long. */
export function cardOf(container: Container): Uint8Array | undefined {
  const state = printableJson(JSON.stringify(stateOf(container, 'created', 0), undefined, 2))
  const pid = endOf(state, '\n  "pid": ')
  const status = endOf(state, '\n  "status": "')
  return encodeCard({
    abilities: abilities(container),
    head: state.slice(0, pid),
    middle: state.slice(pid + '0'.length, status),
    tail: state.slice(status + 'created'.length),
    checks: notFrozen(container.cgroup),
    ...removals(container.cgroup),
  })
}

function endOf(text: string, part: string): number {
  return text.indexOf(part) + part.length
}

function abilities(container: Container): number {
  const { annotations, hasProcess, hasStartHooks, hooks, rdt, cgroup, sharesPidNamespace } = container
  // Others may stop an init that shares their pid namespace: the engine looks after it.
  const start = hasProcess && !hasStartHooks && hooks.poststart.length === 0 && !sharesPidNamespace
  // What waits for init's end may still be about to write it down: the engine clears away whatever lies there.
  const isWatched = annotations[EXIT_RECORD_ANNOTATION] === 'true'
  const remove = hooks.poststop.length === 0 && rdt === undefined && isFoldersAlone(cgroup) && !isWatched
  return (start ? ABILITY.start : 0) | (remove ? ABILITY.delete : 0)
}
