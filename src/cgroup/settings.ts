// linux.resources → the files to write, in order. One table says what each value is on v1 and on v2; which of the two
// is asked for depends on where the controller lives on this host. Pure: writing is apply.ts's.

import type { Resources } from '../config/types.ts'
import { INVALID_CONFIGURATION } from '../words.ts'
import { orMax, orMinusOne, sharesToWeight, swapAlone } from './convert.ts'
import { type FileValue, refuse, requireVersion, type Setting, type Version, type VersionOf } from './setting.ts'
import { blockIOSettings } from './settings-blkio.ts'
import { hugepageSettings, networkSettings, rdmaSettings } from './settings-rare.ts'

/** undefined when the value is what the kernel does anyway. A third text says why it doesn't matter if there is no such file. */
type Rendered = FileValue | readonly [...FileValue, optional: string] | undefined

/** Whether the folder is new: nothing but the kernel's defaults is in it. */
type Fresh = boolean

/** A text is the reason why this version can't do it. */
type Renderer<T> = string | ((value: T, resources: Resources, fresh: Fresh) => Rendered)

interface Row {
  readonly controller: string
  readonly pointer: string
  readonly group?: string
  readonly isAsked: (resources: Resources) => boolean
  /** Call it only when the value is asked for. */
  readonly render: (resources: Resources, version: Version, fresh: Fresh) => Rendered | string
}

type Scope = 'memory' | 'cpu' | 'pids'

interface RowOptions {
  readonly controller?: string
  readonly group?: string
}

function row<S extends Scope, K extends keyof Resources[S] & string>(
  scope: S,
  key: K,
  v1: Renderer<NonNullable<Resources[S][K]>>,
  v2: Renderer<NonNullable<Resources[S][K]>>,
  { controller = scope, group }: RowOptions = {},
): Row {
  const get = (resources: Resources) => resources[scope][key]
  return {
    controller,
    pointer: `/linux/resources/${scope}/${key}`,
    ...(group === undefined ? {} : { group }),
    isAsked: (resources) => get(resources) !== undefined,
    render: (resources, version, fresh) => {
      const renderer = version === 'v1' ? v1 : v2
      if (typeof renderer === 'string') return renderer
      return renderer(get(resources) as NonNullable<Resources[S][K]>, resources, fresh) // isAsked: not undefined
    },
  }
}

const ALWAYS_ON = 'the kernel accounts hierarchically and can no longer be told otherwise'
const NO_SWAP_ACCOUNTING = 'without swap accounting there is no limit to lift'
const NO_REAL_TIME = 'cgroup v2 has no real-time budgets'

const ROWS: readonly Row[] = [
  // A memory limit may not exceed memory+swap at any moment: raising needs swap first, lowering needs memory first.
  row('memory', 'limit', at('memory.limit_in_bytes', orMinusOne), at('memory.max', orMax), { group: 'memory' }),
  row('memory', 'swap', swapV1, swapV2, { group: 'memory' }),
  row('memory', 'limit', swapAfterLimitV1, swapAfterLimitV2, { group: 'memory' }),
  row('memory', 'reservation', at('memory.soft_limit_in_bytes', orMinusOne), at('memory.low', orMax)),
  row('memory', 'kernelTCP', at('memory.kmem.tcp.limit_in_bytes', orMinusOne), kernelTcpV2),
  row('memory', 'swappiness', at('memory.swappiness', String), 'cgroup v2 has no swappiness'),
  row('memory', 'disableOOMKiller', oomKillerV1, oomKillerV2),
  row('memory', 'useHierarchy', hierarchical, hierarchical),
  // An idle group refuses shares; one that is idle no more has the default ones.
  row('cpu', 'shares', sharesV1, sharesV2, { group: 'weight' }),
  row('cpu', 'idle', at('cpu.idle', String), at('cpu.idle', String), { group: 'weight' }),
  // burst ≤ quota, and quota/period may not exceed the parent's.
  row('cpu', 'period', at('cpu.cfs_period_us', String), periodV2, { group: 'bandwidth' }),
  row('cpu', 'quota', at('cpu.cfs_quota_us', orMinusOne), quotaV2, { group: 'bandwidth' }),
  row('cpu', 'burst', at('cpu.cfs_burst_us', String), at('cpu.max.burst', String), { group: 'bandwidth' }),
  row('cpu', 'realtimePeriod', at('cpu.rt_period_us', String), NO_REAL_TIME, { group: 'real-time' }),
  row('cpu', 'realtimeRuntime', at('cpu.rt_runtime_us', String), NO_REAL_TIME, { group: 'real-time' }),
  row('cpu', 'cpus', at('cpuset.cpus', String), at('cpuset.cpus', String), { controller: 'cpuset' }),
  row('cpu', 'mems', at('cpuset.mems', String), at('cpuset.mems', String), { controller: 'cpuset' }),
  row('pids', 'limit', at('pids.max', mostPids), at('pids.max', mostPids)),
]

/**
 * What to write for resources, in order.
 * @param asked for an update, what of them is new; of a group with something new in it all is written again
 * @throws RuntError 'cgroup' naming the value that this host can't have
 */
export function renderSettings(
  resources: Resources,
  versionOf: VersionOf,
  asked: Resources = resources,
): readonly Setting[] {
  const settings: Setting[] = []
  const fresh = asked === resources
  const groups = fresh ? undefined : groupsOf(asked)
  for (const { isAsked, render, ...rest } of ROWS) {
    if (!isAsked(asked) && !(groups?.has(rest.group) === true && isAsked(resources))) continue
    const version = requireVersion(versionOf, rest.controller, rest.pointer)
    const rendered = renderOr(rest.pointer, () => render(resources, version, fresh))
    if (typeof rendered === 'string') throw refuse(rest.pointer, rendered)
    if (rendered === undefined) continue
    const [file, value, optional] = rendered
    settings.push({ ...rest, version, file, value, ...(optional === undefined ? {} : { optional }) })
  }
  const { blockIO, hugepageLimits, network, rdma } = asked
  if (blockIO !== undefined) settings.push(...blockIOSettings(blockIO, versionOf))
  if (hugepageLimits !== undefined) settings.push(...hugepageSettings(hugepageLimits, versionOf))
  if (network !== undefined) settings.push(...networkSettings(network, versionOf))
  if (rdma !== undefined) settings.push(...rdmaSettings(rdma, versionOf))
  return settings.concat(renderUnified(asked, versionOf))
}

function groupsOf(asked: Resources): Set<string | undefined> {
  const groups = new Set(ROWS.filter(({ isAsked }) => isAsked(asked)).map(({ group }) => group))
  groups.delete(undefined)
  return groups
}

/** Files of the unified hierarchy that steer runt's own work: they are no resources. */
const NOT_RESOURCES = new Set(
  'cgroup.procs cgroup.threads cgroup.subtree_control cgroup.freeze cgroup.kill cgroup.type'.split(' '),
)

/** The prefix of the files that every v2 cgroup has; no controller of v1 bears that name. */
const UNIFIED_ITSELF = 'cgroup'

/** linux.resources.unified: files of cgroup v2 as they are, a write for each line. */
function renderUnified({ unified }: Resources, versionOf: VersionOf): Setting[] {
  return Object.entries(unified).flatMap(([file, text]) => {
    const pointer = `/linux/resources/unified/${file.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const [, controller] = /^([a-z0-9_]+)(?:\.[A-Za-z0-9_-]+)+$/.exec(file) ?? []
    if (controller === undefined) throw refuse(pointer, 'not the name of a cgroup v2 file')
    if (versionOf(UNIFIED_ITSELF) === undefined)
      throw refuse(pointer, `${INVALID_CONFIGURATION}: this host has no cgroup v2 hierarchy`)
    if (versionOf(controller) === 'v1')
      throw refuse(pointer, `${INVALID_CONFIGURATION}: the ${controller} controller is on cgroup v1 here`)
    if (NOT_RESOURCES.has(file)) throw refuse(pointer, 'not a resource')
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.map((value): Setting => ({ controller, version: 'v2', file, value, pointer }))
  })
}

function at<T>(file: string, text: (value: T) => string): (value: T) => Rendered {
  return (value) => [file, text(value)]
}

function swapV1(both: bigint): Rendered {
  const file = 'memory.memsw.limit_in_bytes'
  return both < 0n ? [file, '-1', NO_SWAP_ACCOUNTING] : [file, String(both)]
}

function swapV2(both: bigint, { memory }: Resources): Rendered {
  const alone = swapAlone(both, memory.limit)
  const file = 'memory.swap.max'
  return alone === 'max' || alone === '0' ? [file, alone, NO_SWAP_ACCOUNTING] : [file, alone]
}

/** Memory without limit and nothing said of swap: an older swap limit must not hold it back. */
function swapAfterLimitV1(limit: bigint, { memory }: Resources): Rendered {
  return limit < 0n && memory.swap === undefined ? swapV1(-1n) : undefined
}

function swapAfterLimitV2(limit: bigint, { memory }: Resources): Rendered {
  return limit < 0n && memory.swap === undefined ? ['memory.swap.max', 'max', NO_SWAP_ACCOUNTING] : undefined
}

function kernelTcpV2(limit: bigint): Rendered {
  if (limit >= 0n) throw new RangeError('cgroup v2 counts TCP buffers as memory: limit /linux/resources/memory/limit')
  return undefined
}

function oomKillerV1(disable: boolean, _: Resources, fresh: Fresh): Rendered {
  return fresh && !disable ? undefined : ['memory.oom_control', disable ? '1' : '0']
}

function oomKillerV2(disable: boolean): Rendered {
  if (disable) throw new RangeError('cgroup v2 has no switch for the OOM killer')
  return undefined
}

/** Since Linux 5.11 v1 knows only 1, as v2 always did. */
function hierarchical(use: boolean): Rendered {
  if (!use) throw new RangeError(ALWAYS_ON)
  return undefined
}

/** The kernel would move a value outside to the nearest bound, in silence. */
function sharesV1(shares: bigint, { cpu }: Resources): Rendered {
  if (shares < 2n || shares > 262144n) throw new RangeError(`${shares} is not in 2 … 262144`)
  return cpu.idle === 1n ? undefined : ['cpu.shares', String(shares)]
}

function sharesV2(shares: bigint, { cpu }: Resources): Rendered {
  return cpu.idle === 1n ? undefined : ['cpu.weight', String(sharesToWeight(shares))]
}

/** None is one: the container's init is there in any case, and systemd knows no 0. */
function mostPids(limit: bigint): string {
  return limit === 0n ? '1' : orMax(limit)
}

/** cpu.max holds both; a quota alone leaves the period as it is. */
function quotaV2(quota: bigint, { cpu }: Resources): Rendered {
  return ['cpu.max', cpu.period !== undefined ? `${orMax(quota)} ${cpu.period}` : orMax(quota)]
}

function periodV2(period: bigint, { cpu }: Resources): Rendered {
  return cpu.quota !== undefined ? undefined : ['cpu.max', `max ${period}`]
}

function renderOr<T>(pointer: string, render: () => T): T {
  try {
    return render()
  } catch (error) {
    if (error instanceof RangeError) throw refuse(pointer, error.message)
    throw error
  }
}
