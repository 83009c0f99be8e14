// state and list: what there is, as JSON or as rows.

import { RuntError } from '../errors.ts'
import { warn } from '../log.ts'
import { type Container, type State, stateOf } from './container.ts'
import { checkId } from './id.ts'
import { statusOf } from './status.ts'
import type { Store } from './store.ts'

/** @throws RuntError when there is no such container. runtime.md, Query State */
export function containerState(store: Store, id: string): State {
  checkId(id)
  return currentState(store, store.load(id))
}

function currentState(store: Store, container: Container): State {
  const status = statusOf(store, container)
  return stateOf(container, status, status === 'stopped' ? 0 : container.pid)
}

/** All containers of a root, by id. One that goes meanwhile, or has no record yet or none that can be read, is left out. */
export function listContainers(store: Store): State[] {
  return store.ids().flatMap((id) => {
    const container = findReadable(store, id)
    return container === undefined ? [] : [currentState(store, container)]
  })
}

function findReadable(store: Store, id: string): Container | undefined {
  try {
    return store.find(id)
  } catch (error) {
    if (!(error instanceof RuntError)) throw error
    warn(error.message)
    return undefined
  }
}
