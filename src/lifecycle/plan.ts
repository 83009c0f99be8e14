// plan: what create would ask of the kernel, without asking.

import { readHierarchies } from '../cgroup/hierarchy.ts'
import { CAPABILITY_NAMES } from '../linux/capabilities.ts'
import { has } from '../lowering/context.ts'
import { lowerCreate } from '../lowering/lower.ts'
import type { Plan } from '../plan/step.ts'
import { loadBundle } from './bundle.ts'
import { placeFor } from './cgroup.ts'
import { consoleTarget, gatherFacts } from './facts.ts'
import { filterOf } from './filter.ts'
import { rdtTasksOf } from './rdt.ts'
import type { Store } from './store.ts'

/** The id and the console socket that stand for those of a real call. */
const ID = 'ID'
const CONSOLE_SOCKET = '/CONSOLE-SOCKET'

/** An ordinary user is shown what root would ask for, where the config is one that takes root. */
const ROOT = {
  grantable: (1n << BigInt(CAPABILITY_NAMES.length)) - 1n,
  makesDeviceNodes: true,
  mayMount: true,
  ordinaryUser: false,
} as const

/**
 * The plan that create would compile for a bundle, on this host.
 * @param systemdCgroup with the cgroup made by systemd
 * @throws RuntError for an invalid config
 */
export async function planOf(store: Store, bundle: string, systemdCgroup = false): Promise<Plan> {
  const config = await loadBundle(bundle)
  const filter = await filterOf(undefined, config)
  const hierarchies = readHierarchies()
  const cgroup = await placeFor(hierarchies, config, { id: ID, systemdCgroup })
  const options = {
    id: ID,
    mode: 'create',
    consoleSocket: config.process?.terminal === true ? CONSOLE_SOCKET : undefined,
    preserveFds: 0,
    noPivot: false,
    noNewKeyring: false,
    profile: false,
  } as const
  const terminal = consoleTarget(config, options)
  const here = {
    ...gatherFacts(config, options, terminal, store.directory(ID), cgroup, hierarchies, filter, 0),
    rdtTasks: await rdtTasksOf(config, ID),
  }
  const takesRoot = here.ordinaryUser && !has(config, 'user')
  const plan = lowerCreate(config, takesRoot ? { ...here, ...ROOT } : here)
  return plan
}
