// state and list: what there is, as JSON or as rows.

import type { Cgroup } from '../cgroup/cgroup.ts'
import { RuntError } from '../errors.ts'
import { debug, warn } from '../log.ts'
import { type Container, type State, stateOf } from './container.ts'
import { exitOf } from './exit.ts'
import { checkId } from './id.ts'
import { statusOf } from './status.ts'
import { Store } from './store.ts'

/** @throws RuntError when there is no such container. runtime.md, Query State */
export function containerState(store: Store, id: string): State {
  checkId(id)
  return currentState(store, store.load(id))
}

function currentState(store: Store, container: Container): State {
  const status = statusOf(store, container)
  if (status !== 'stopped') return stateOf(container, status, container.pid)
  const exit = exitOf(store, container)
  return { ...stateOf(container, status, 0), ...(exit && { exit }) }
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

/** A container's state, and where it is on record. */
export interface PlacedState extends State {
  readonly root: string
}

/**
 * The containers of every root that can be found.
 * @param runtimeDirectory $XDG_RUNTIME_DIR, if set
 */
export async function listAllContainers(
  store: Store,
  runtimeDirectory: string | undefined,
): Promise<readonly PlacedState[]> {
  const { findRoots } = await import('./roots.ts')
  return findRoots(store.root, runtimeDirectory).flatMap((root) => {
    const states = root === store.root ? listContainers(store) : listForeign(new Store(root, { foreign: true }))
    return states.map((state) => ({ ...state, root }))
  })
}

/** A root that we came upon may be a user's: what its records say is believed only as far as it can do no harm. */
function listForeign(store: Store): State[] {
  return store.ids().flatMap((id) => {
    try {
      const container = store.find(id)
      if (container === undefined) return []
      // A path is made of it.
      if (!Number.isSafeInteger(container.pid)) throw new TypeError('its pid is no number')
      return [currentState(store, { ...container, cgroup: trusted(container.cgroup) })]
    } catch (error) {
      debug(`${store.directory(id)}: ${error instanceof Error ? error.message : error}`)
      return []
    }
  })
}

/** Only the kernel makes files there; elsewhere one that we read could be anything. */
function trusted(cgroup: Cgroup): Cgroup {
  const isSafe = (path: string) => path.startsWith('/sys/fs/cgroup/') && !path.split('/').includes('..')
  return {
    ...cgroup,
    directories: Object.fromEntries(Object.entries(cgroup.directories).filter(([, path]) => isSafe(path))),
  }
}
