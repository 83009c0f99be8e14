// Writes a container's card, from which the front answers without the engine: front/card.ts.

import { notFrozen } from '../cgroup/freezer.ts'
import { ABILITY, encodeCard } from '../front/card.ts'
import { pidfdInode } from '../host/pidfd.ts'
import { type Container, stateOf } from './container.ts'
import type { Store } from './store.ts'

/**
 * Give a created container its card. None is written where the kernel doesn't number processes, or where it would be too
 * long: the engine does all the work then.
 */
export function saveCard(store: Store, container: Container): void {
  const inode = pidfdInode(container.pid)
  if (inode === undefined) return
  const state = JSON.stringify(stateOf(container, 'created', container.pid), undefined, 2)
  const before = '\n  "status": "'
  const at = state.indexOf(before) + before.length
  const own = new Set(Object.values(container.cgroup.directories))
  const made = [...container.cgroup.made].reverse()
  const card = encodeCard({
    abilities: abilities(container),
    pid: container.pid,
    inode,
    head: state.slice(0, at),
    tail: state.slice(at + 'created'.length),
    checks: notFrozen(container.cgroup),
    own: made.filter((directory) => own.has(directory)),
    above: made.filter((directory) => !own.has(directory)),
  })
  if (card !== undefined) store.saveCard(container.id, card)
}

function abilities({ hasProcess, hooks }: Container): number {
  const start = hasProcess && hooks.poststart.length === 0 ? ABILITY.start : 0
  return start | (hooks.poststop.length === 0 ? ABILITY.delete : 0)
}
