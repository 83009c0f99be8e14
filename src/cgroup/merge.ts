// The resources of a container after an update: what the update doesn't mention stays. Pure.

import type { BlockDevice, BlockIO, Network, RdmaLimit, Resources } from '../config/types.ts'

/**
 * Lists whose entries speak of a device, a page size or a file are merged by that. Device rules have an order and stand as a
 * whole: an update that has any brings all of them.
 */
export function mergeResources(before: Resources, asked: Resources): Resources {
  const { hugepageLimits, network, rdma, blockIO } = asked
  return {
    ...before,
    devices: asked.devices.length > 0 ? asked.devices : before.devices,
    memory: mergeMemory(before.memory, asked.memory),
    cpu: { ...before.cpu, ...asked.cpu },
    pids: { ...before.pids, ...asked.pids },
    unified: { ...before.unified, ...asked.unified },
    ...(blockIO === undefined ? {} : { blockIO: mergeBlockIO(before.blockIO ?? {}, blockIO) }),
    ...(hugepageLimits === undefined
      ? {}
      : { hugepageLimits: mergeBy(({ pageSize }) => pageSize, before.hugepageLimits, hugepageLimits) }),
    ...(network === undefined ? {} : { network: mergeNetwork(before.network ?? {}, network) }),
    ...(rdma === undefined ? {} : { rdma: mergeRdma(before.rdma ?? {}, rdma) }),
  }
}

/** Memory without limit has swap without limit, unless the update says otherwise. */
function mergeMemory(before: Resources['memory'], asked: Resources['memory']): Resources['memory'] {
  const lifted = asked.limit !== undefined && asked.limit < 0n && before.swap !== undefined
  return { ...before, ...(lifted ? { swap: -1n } : {}), ...asked }
}

const DEVICE_LISTS = [
  'weightDevice',
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
] as const

function mergeBlockIO(before: BlockIO, asked: BlockIO): BlockIO {
  const lists = DEVICE_LISTS.flatMap((name) => {
    const list = mergeBy(({ major, minor }: BlockDevice) => `${major}:${minor}`, before[name], asked[name] ?? [])
    return list.length === 0 ? [] : [[name, list]]
  })
  return { ...before, ...asked, ...Object.fromEntries(lists) }
}

function mergeNetwork(before: Network, asked: Network): Network {
  const priorities = mergeBy(({ name }) => name, before.priorities, asked.priorities ?? [])
  return { ...before, ...asked, ...(priorities.length === 0 ? {} : { priorities }) }
}

type Rdma = Readonly<Record<string, RdmaLimit>>

function mergeRdma(before: Rdma, asked: Rdma): Rdma {
  const changed = Object.entries(asked).map(([device, limits]) => [device, { ...before[device], ...limits }])
  return { ...before, ...Object.fromEntries(changed) }
}

/** Entries with the same key become one, in the place of the older. */
function mergeBy<T extends object>(keyOf: (entry: T) => string, before: readonly T[] = [], asked: readonly T[]): T[] {
  const merged = new Map(before.map((entry) => [keyOf(entry), entry]))
  for (const entry of asked) merged.set(keyOf(entry), { ...merged.get(keyOf(entry)), ...entry })
  return [...merged.values()]
}
