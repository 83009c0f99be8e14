// What a container has used so far, from its cgroup's files: the members and names of runc's events, where a counter that
// stands at 0 is mostly left out. Each controller is asked where this host has it.

import { listDirectory } from '../native/file.ts'
import { failedWith } from '../native/syscall.ts'
import { type Cgroup, UNIFIED, v1DirectoryOf } from './cgroup.ts'
import { type BlkioStats, blkioV1, blkioV2 } from './stats-blkio.ts'
import {
  keyedLinesOf,
  membersOf,
  numberOf,
  numbersOf,
  type PressureStats,
  pressureOf,
  some,
  tableOf,
  textOf,
  UNLIMITED,
} from './stats-files.ts'
import { type MemoryStats, memoryV1, memoryV2, NO_MEMORY } from './stats-memory.ts'

/** Times in nanoseconds. */
export interface CpuStats {
  readonly usage: {
    readonly total: bigint | undefined
    readonly percpu: readonly bigint[] | undefined
    readonly percpu_kernel: readonly bigint[] | undefined
    readonly percpu_user: readonly bigint[] | undefined
    readonly kernel: bigint
    readonly user: bigint
  }
  readonly throttling: {
    readonly periods: bigint | undefined
    readonly throttledPeriods: bigint | undefined
    readonly throttledTime: bigint | undefined
  }
  readonly psi: PressureStats | undefined
}

export interface RdmaEntry {
  readonly device: string
  readonly hca_handles: bigint
  readonly hca_objects: bigint
}

export interface Stats {
  readonly cpu: CpuStats
  readonly cpuset: Readonly<Record<string, bigint | readonly number[] | undefined>>
  readonly memory: MemoryStats
  readonly pids: { readonly current: bigint | undefined; readonly limit: bigint | undefined }
  readonly blkio: BlkioStats
  readonly hugetlb: Readonly<
    Record<string, { readonly usage: bigint | undefined; readonly max: bigint | undefined; readonly failcnt: bigint }>
  >
  /** Only where there are such devices. */
  readonly rdma: { readonly rdma_limit: readonly RdmaEntry[]; readonly rdma_current: readonly RdmaEntry[] } | undefined
}

/** @returns zeros for what this host doesn't count, or not any more */
export function readStats(cgroup: Cgroup): Stats {
  const unified = cgroup.directories[UNIFIED]
  const psi = (name: string) => (unified === undefined ? undefined : pressureOf(`${unified}/${name}.pressure`))
  const from = <T>(controller: string, v1: (directory: string) => T, v2: (directory: string) => T, none: T): T => {
    const directory = v1DirectoryOf(cgroup, controller)
    if (directory !== undefined) return v1(directory)
    return unified === undefined ? none : v2(unified)
  }
  const throttling = from('cpu', throttlingV1, throttlingV2, NO_THROTTLING)
  return {
    cpu: { usage: from('cpuacct', usageV1, usageV2, NO_USAGE), throttling, psi: psi('cpu') },
    cpuset: cpusetOf(v1DirectoryOf(cgroup, 'cpuset')),
    memory: { ...from('memory', memoryV1, memoryV2, NO_MEMORY_AT_ALL), psi: psi('memory') },
    pids: from('pids', pidsOf, pidsOf, { current: undefined, limit: undefined }),
    blkio: { ...from('blkio', blkioV1, blkioV2, {}), psi: psi('io') },
    hugetlb: from('hugetlb', hugetlbV1, hugetlbV2, {}),
    rdma: from('rdma', rdmaOf, rdmaOf, undefined),
  }
}

const NO_MEMORY_AT_ALL = {
  cache: undefined,
  usage: NO_MEMORY,
  swap: NO_MEMORY,
  kernel: NO_MEMORY,
  kernelTCP: NO_MEMORY,
  raw: undefined,
}

const PER_MICROSECOND = 1000n
/** USER_HZ is 100 on all machines. time(7) */
const PER_TICK = 10_000_000n

const NO_USAGE: CpuStats['usage'] = {
  total: undefined,
  percpu: undefined,
  percpu_kernel: undefined,
  percpu_user: undefined,
  kernel: 0n,
  user: 0n,
}

function usageV1(directory: string): CpuStats['usage'] {
  const modes = tableOf(`${directory}/cpuacct.stat`)
  // A line of titles, then "cpu user system".
  const perCpu = textOf(`${directory}/cpuacct.usage_all`).split('\n').slice(1).filter(Boolean)
  const column = (index: number) => perCpu.map((line) => BigInt(line.split(' ')[index] ?? 0))
  return {
    total: some(numberOf(`${directory}/cpuacct.usage`)),
    percpu: someOf(numbersOf(`${directory}/cpuacct.usage_percpu`)),
    percpu_kernel: someOf(column(2)),
    percpu_user: someOf(column(1)),
    kernel: (modes.get('system') ?? 0n) * PER_TICK,
    user: (modes.get('user') ?? 0n) * PER_TICK,
  }
}

function usageV2(directory: string): CpuStats['usage'] {
  const stat = tableOf(`${directory}/cpu.stat`)
  const nanoseconds = (name: string) => (stat.get(name) ?? 0n) * PER_MICROSECOND
  return {
    ...NO_USAGE,
    total: some(nanoseconds('usage_usec')),
    kernel: nanoseconds('system_usec'),
    user: nanoseconds('user_usec'),
  }
}

const NO_THROTTLING: CpuStats['throttling'] = {
  periods: undefined,
  throttledPeriods: undefined,
  throttledTime: undefined,
}

function throttlingV1(directory: string): CpuStats['throttling'] {
  return throttlingOf(tableOf(`${directory}/cpu.stat`), 'throttled_time', 1n)
}

function throttlingV2(directory: string): CpuStats['throttling'] {
  return throttlingOf(tableOf(`${directory}/cpu.stat`), 'throttled_usec', PER_MICROSECOND)
}

function throttlingOf(stat: ReadonlyMap<string, bigint>, time: string, unit: bigint): CpuStats['throttling'] {
  return {
    periods: some(stat.get('nr_periods') ?? 0n),
    throttledPeriods: some(stat.get('nr_throttled') ?? 0n),
    throttledTime: some((stat.get(time) ?? 0n) * unit),
  }
}

const CPUSET_FLAGS = [
  'cpu_exclusive',
  'mem_hardwall',
  'mem_exclusive',
  'memory_migrate',
  'memory_spread_page',
  'memory_spread_slab',
  'memory_pressure',
  'sched_load_balance',
  'sched_relax_domain_level',
] as const

/** On v2 these say nothing, as with runc: it has other files, and other notions. */
function cpusetOf(directory: string | undefined): Stats['cpuset'] {
  const flags = CPUSET_FLAGS.map((name) => [
    name,
    directory === undefined ? 0n : numberOf(`${directory}/cpuset.${name}`),
  ])
  return {
    cpus: directory === undefined ? undefined : someOf(membersOf(`${directory}/cpuset.cpus`)),
    mems: directory === undefined ? undefined : someOf(membersOf(`${directory}/cpuset.mems`)),
    ...Object.fromEntries(flags),
  }
}

function pidsOf(directory: string): Stats['pids'] {
  const limit = numberOf(`${directory}/pids.max`)
  return { current: some(numberOf(`${directory}/pids.current`)), limit: limit === UNLIMITED ? undefined : some(limit) }
}

function hugetlbV1(directory: string): Stats['hugetlb'] {
  return hugetlbOf(directory, 'usage_in_bytes', (prefix) => ({
    max: some(numberOf(`${prefix}.max_usage_in_bytes`)),
    failcnt: numberOf(`${prefix}.failcnt`),
  }))
}

function hugetlbV2(directory: string): Stats['hugetlb'] {
  return hugetlbOf(directory, 'current', (prefix) => ({
    max: undefined, // the kernel doesn't tell
    failcnt: tableOf(`${prefix}.events`).get('max') ?? 0n,
  }))
}

/** @param usage the file that each size of page has: hugetlb.2MB.current */
function hugetlbOf(
  directory: string,
  usage: string,
  rest: (prefix: string) => { readonly max: bigint | undefined; readonly failcnt: bigint },
): Stats['hugetlb'] {
  const file = new RegExp(`^hugetlb\\.(\\d+[KMG]B)\\.${usage}$`)
  const sizes = namesIn(directory).flatMap((name) => file.exec(name)?.[1] ?? [])
  return Object.fromEntries(
    sizes.sort().map((size) => {
      const prefix = `${directory}/hugetlb.${size}`
      return [size, { usage: some(numberOf(`${prefix}.${usage}`)), ...rest(prefix) }]
    }),
  )
}

function namesIn(directory: string): string[] {
  try {
    return listDirectory(directory).map(({ name }) => name)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENODEV')) return []
    throw error
  }
}

const LARGEST_U32 = 0xffffffffn

/** The same files on v1 and v2. */
function rdmaOf(directory: string): Stats['rdma'] {
  const entries = (file: string) =>
    keyedLinesOf(`${directory}/${file}`).map(({ name, values }) => ({
      device: name,
      hca_handles: clamp(values.get('hca_handle') ?? 0n),
      hca_objects: clamp(values.get('hca_object') ?? 0n),
    }))
  const limit = entries('rdma.max')
  return limit.length === 0 ? undefined : { rdma_limit: limit, rdma_current: entries('rdma.current') }
}

function clamp(value: bigint): bigint {
  return value > LARGEST_U32 ? LARGEST_U32 : value
}

function someOf<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list
}
