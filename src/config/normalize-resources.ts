// linux.resources → Resources. What engines write for "not set" isn't there any more. Also for the resources that update reads.

import { minorOf, SPEC_VERSION } from './check-container.ts'
import type { OciResources } from './generated/oci.d.ts'
import type { Report } from './problems.ts'
import type { BlockIO, HugepageLimit, Network, RdmaLimit, Resources } from './types.ts'

/** Swappiness that Docker and containerd write for "not set": -1 as an unsigned number. */
const UNSET_SWAPPINESS = 18446744073709551615n

/** The first minor version in which 0 is a limit of processes. Before, runtimes took it for none, and engines said so by it. */
const ZERO_PIDS = 3

/**
 * @param report gets what the resources ask for and can't have, but may go on without
 * @param ociVersion of the config; those of an update have none, and are of today
 */
export function normalizeResources(resources: OciResources, report: Report, ociVersion = SPEC_VERSION): Resources {
  const { memory = {}, cpu = {}, pids, blockIO, hugepageLimits, network, rdma } = resources
  if (memory.kernel !== undefined && memory.kernel > 0) {
    report('/linux/resources/memory/kernel', undefined, 'ignored, kernels since 5.16 have no such limit')
  }
  const swappiness = integer(memory.swappiness)
  return {
    devices: (resources.devices ?? []).map((rule) => ({
      allow: rule.allow,
      type: rule.type ?? 'a',
      major: deviceNumber(rule.major),
      minor: deviceNumber(rule.minor),
      access: rule.access === undefined || rule.access === '' ? 'rwm' : rule.access,
    })),
    memory: defined({
      limit: nonZero(memory.limit),
      reservation: nonZero(memory.reservation),
      swap: nonZero(memory.swap),
      kernelTCP: nonZero(memory.kernelTCP),
      swappiness: swappiness === UNSET_SWAPPINESS ? undefined : swappiness,
      disableOOMKiller: memory.disableOOMKiller,
      useHierarchy: memory.useHierarchy,
      checkBeforeUpdate: memory.checkBeforeUpdate,
    }),
    cpu: defined({
      shares: nonZero(cpu.shares),
      quota: nonZero(cpu.quota),
      burst: integer(cpu.burst),
      period: nonZero(cpu.period),
      realtimeRuntime: nonZero(cpu.realtimeRuntime),
      realtimePeriod: nonZero(cpu.realtimePeriod),
      idle: integer(cpu.idle),
      cpus: text(cpu.cpus),
      mems: text(cpu.mems),
    }),
    pids: defined({ limit: pids?.limit === 0 && minorOf(ociVersion) < ZERO_PIDS ? -1n : integer(pids?.limit) }),
    unified: resources.unified ?? {},
    ...(blockIO === undefined ? {} : { blockIO: normalizeBlockIO(blockIO) }),
    ...(hasNone(hugepageLimits) ? {} : { hugepageLimits: hugepageLimits.map(normalizeHugepages) }),
    ...(network === undefined ? {} : { network: normalizeNetwork(network) }),
    ...(rdma === undefined ? {} : { rdma: normalizeRdma(rdma) }),
  }
}

type Oci<K extends keyof OciResources> = NonNullable<OciResources[K]>

function normalizeBlockIO(given: Oci<'blockIO'>): BlockIO {
  const throttles = (devices: Oci<'blockIO'>['throttleReadBpsDevice']) =>
    hasNone(devices) ? undefined : devices.map((device) => ({ ...numbersOf(device), rate: BigInt(device.rate ?? 0) }))
  const weights = hasNone(given.weightDevice)
    ? undefined
    : given.weightDevice.map((device) => ({ ...numbersOf(device), ...normalizeWeights(device) }))
  return {
    ...normalizeWeights(given),
    ...defined({
      weightDevice: weights,
      throttleReadBpsDevice: throttles(given.throttleReadBpsDevice),
      throttleWriteBpsDevice: throttles(given.throttleWriteBpsDevice),
      throttleReadIOPSDevice: throttles(given.throttleReadIOPSDevice),
      throttleWriteIOPSDevice: throttles(given.throttleWriteIOPSDevice),
    }),
  }
}

interface Weights {
  readonly weight?: number
  readonly leafWeight?: number
}

function normalizeWeights({ weight, leafWeight }: Weights): Weights {
  return { ...(weight ? { weight } : {}), ...(leafWeight ? { leafWeight } : {}) }
}

function numbersOf({ major, minor }: { major: number | bigint; minor: number | bigint }) {
  return { major: Number(major), minor: Number(minor) }
}

function normalizeHugepages({ pageSize, limit }: Oci<'hugepageLimits'>[number]): HugepageLimit {
  return { pageSize, limit: BigInt(limit) }
}

function normalizeNetwork({ classID, priorities }: Oci<'network'>): Network {
  return { ...(classID ? { classID } : {}), ...(hasNone(priorities) ? {} : { priorities }) }
}

function normalizeRdma(rdma: Oci<'rdma'>): Record<string, RdmaLimit> {
  return Object.fromEntries(Object.entries(rdma).map(([device, limits]) => [device, defined(limits)]))
}

function hasNone<T>(list: readonly T[] | undefined): list is undefined {
  return list === undefined || list.length === 0
}

function integer(value: number | bigint | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value)
}

/** 0 is how engines write "not set" here, and no kernel file takes it for a limit. */
function nonZero(value: number | bigint | undefined): bigint | undefined {
  const exact = BigInt(value ?? 0)
  return exact === 0n ? undefined : exact
}

function text(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

function deviceNumber(value: number | bigint | undefined): number | undefined {
  return value === undefined || value < 0 ? undefined : Number(value)
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the members that are undefined. */
function defined<T extends object>(record: T): Defined<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Defined<T>
}
