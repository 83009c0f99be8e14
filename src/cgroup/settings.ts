// linux.resources → the files to write, in order. One table says what each value is on v1 and on v2; which of the two
// is asked for depends on where the controller lives on this host. Pure: writing is apply.ts's.

import type { Resources } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { orMax, orMinusOne, sharesToWeight, swapAlone } from './convert.ts'

export type Version = 'v1' | 'v2'

export interface Setting {
  readonly controller: string
  readonly version: Version
  readonly file: string
  readonly value: string
  /** Where in config.json it was asked for. */
  readonly pointer: string
  /** Neighbours with the same group constrain each other: what fails with EINVAL is written again after the others. */
  readonly group?: string
  /** Why it doesn't matter if the file isn't there. */
  readonly optional?: string
}

/** A file and its value; undefined when the value is what the kernel does anyway. */
type FileValue = readonly [file: string, value: string] | undefined
/** A text is the reason why this version can't do it. */
type Renderer<T> = string | ((value: T, resources: Resources) => FileValue)

interface Row {
  readonly controller: string
  readonly pointer: string
  readonly group?: string
  readonly optional?: string
  readonly isAsked: (resources: Resources) => boolean
  /** Call it only when the value is asked for. */
  readonly render: (resources: Resources, version: Version) => FileValue | string
}

type Scope = 'memory' | 'cpu' | 'pids'

interface RowOptions {
  readonly controller?: string
  readonly group?: string
  readonly optional?: string
}

function row<S extends Scope, K extends keyof Resources[S] & string>(
  scope: S,
  key: K,
  v1: Renderer<NonNullable<Resources[S][K]>>,
  v2: Renderer<NonNullable<Resources[S][K]>>,
  { controller = scope, group, optional }: RowOptions = {},
): Row {
  const get = (resources: Resources) => resources[scope][key]
  return {
    controller,
    pointer: `/linux/resources/${scope}/${key}`,
    ...(group === undefined ? {} : { group }),
    ...(optional === undefined ? {} : { optional }),
    isAsked: (resources) => get(resources) !== undefined,
    render: (resources, version) => {
      const renderer = version === 'v1' ? v1 : v2
      if (typeof renderer === 'string') return renderer
      return renderer(get(resources) as NonNullable<Resources[S][K]>, resources) // isAsked: not undefined
    },
  }
}

const ALWAYS_ON = 'the kernel accounts hierarchically and can no longer be told otherwise'
const NO_REAL_TIME = 'cgroup v2 has no real-time budgets'

const ROWS: readonly Row[] = [
  // A memory limit may not exceed memory+swap at any moment: raising needs swap first, lowering needs memory first.
  row('memory', 'limit', at('memory.limit_in_bytes', orMinusOne), at('memory.max', orMax), { group: 'memory' }),
  row('memory', 'swap', at('memory.memsw.limit_in_bytes', orMinusOne), swapV2, { group: 'memory' }),
  row('memory', 'limit', swapAfterLimitV1, swapAfterLimitV2, {
    group: 'memory',
    optional: 'without swap accounting there is nothing to lift',
  }),
  row('memory', 'reservation', at('memory.soft_limit_in_bytes', orMinusOne), at('memory.low', orMax)),
  row('memory', 'swappiness', at('memory.swappiness', String), 'cgroup v2 has no swappiness'),
  row('memory', 'disableOOMKiller', (disable) => (disable ? ['memory.oom_control', '1'] : undefined), oomKillerV2),
  row('memory', 'useHierarchy', hierarchical, hierarchical),
  // An idle group refuses shares.
  row('cpu', 'shares', sharesV1, (shares) => ['cpu.weight', String(sharesToWeight(shares))], { group: 'weight' }),
  row('cpu', 'idle', at('cpu.idle', String), at('cpu.idle', String), { group: 'weight' }),
  // burst ≤ quota, and quota/period may not exceed the parent's.
  row('cpu', 'period', at('cpu.cfs_period_us', String), periodV2, { group: 'bandwidth' }),
  row('cpu', 'quota', at('cpu.cfs_quota_us', orMinusOne), quotaV2, { group: 'bandwidth' }),
  row('cpu', 'burst', at('cpu.cfs_burst_us', String), at('cpu.max.burst', String), { group: 'bandwidth' }),
  row('cpu', 'realtimePeriod', at('cpu.rt_period_us', String), NO_REAL_TIME, { group: 'real-time' }),
  row('cpu', 'realtimeRuntime', at('cpu.rt_runtime_us', String), NO_REAL_TIME, { group: 'real-time' }),
  row('cpu', 'cpus', at('cpuset.cpus', String), at('cpuset.cpus', String), { controller: 'cpuset' }),
  row('cpu', 'mems', at('cpuset.mems', String), at('cpuset.mems', String), { controller: 'cpuset' }),
  row('pids', 'limit', at('pids.max', orMax), at('pids.max', orMax)),
]

/**
 * What to write for resources, in order.
 * @param versionOf where the host has a controller; undefined: nowhere
 * @throws RuntError 'cgroup' naming the value that this host can't have
 */
export function renderSettings(
  resources: Resources,
  versionOf: (controller: string) => Version | undefined,
): readonly Setting[] {
  const settings: Setting[] = []
  for (const { isAsked, render, ...rest } of ROWS) {
    if (!isAsked(resources)) continue
    const version = versionOf(rest.controller)
    if (version === undefined) throw refuse(rest.pointer, `no cgroup hierarchy has the ${rest.controller} controller`)
    const rendered = renderOr(rest.pointer, () => render(resources, version))
    if (typeof rendered === 'string') throw refuse(rest.pointer, rendered)
    if (rendered !== undefined) settings.push({ ...rest, version, file: rendered[0], value: rendered[1] })
  }
  return settings.concat(renderUnified(resources, versionOf))
}

/** Files of the unified hierarchy that steer runt's own work: they are no resources. */
const NOT_RESOURCES = new Set(
  'cgroup.procs cgroup.threads cgroup.subtree_control cgroup.freeze cgroup.kill cgroup.type'.split(' '),
)

/** The prefix of the files that every v2 cgroup has; no controller of v1 bears that name. */
const UNIFIED_ITSELF = 'cgroup'

/** linux.resources.unified: files of cgroup v2 as they are, a write for each line. */
function renderUnified({ unified }: Resources, versionOf: (controller: string) => Version | undefined): Setting[] {
  return Object.entries(unified).flatMap(([file, text]) => {
    const pointer = `/linux/resources/unified/${file.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const [, controller] = /^([a-z0-9_]+)(?:\.[A-Za-z0-9_-]+)+$/.exec(file) ?? []
    if (controller === undefined) throw refuse(pointer, 'not the name of a cgroup v2 file')
    if (versionOf(UNIFIED_ITSELF) === undefined) throw refuse(pointer, 'this host has no cgroup v2 hierarchy')
    if (versionOf(controller) === 'v1') throw refuse(pointer, `the ${controller} controller is on cgroup v1 here`)
    if (NOT_RESOURCES.has(file)) throw refuse(pointer, 'not a resource')
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.map((value): Setting => ({ controller, version: 'v2', file, value, pointer }))
  })
}

function at<T>(file: string, text: (value: T) => string): (value: T) => FileValue {
  return (value) => [file, text(value)]
}

function swapV2(both: bigint, { memory }: Resources): FileValue {
  return ['memory.swap.max', swapAlone(both, memory.limit)]
}

/** Memory without limit and nothing said of swap: an older swap limit must not hold it back. */
function swapAfterLimitV1(limit: bigint, { memory }: Resources): FileValue {
  return limit < 0n && memory.swap === undefined ? ['memory.memsw.limit_in_bytes', '-1'] : undefined
}

function swapAfterLimitV2(limit: bigint, { memory }: Resources): FileValue {
  return limit < 0n && memory.swap === undefined ? ['memory.swap.max', 'max'] : undefined
}

function oomKillerV2(disable: boolean): FileValue {
  if (disable) throw new RangeError('cgroup v2 has no switch for the OOM killer')
  return undefined
}

/** Since Linux 5.11 v1 knows only 1, as v2 always did. */
function hierarchical(use: boolean): FileValue {
  if (!use) throw new RangeError(ALWAYS_ON)
  return undefined
}

/** The kernel would move a value outside to the nearest bound, in silence. */
function sharesV1(shares: bigint): FileValue {
  if (shares < 2n || shares > 262144n) throw new RangeError(`${shares} is not in 2 … 262144`)
  return ['cpu.shares', String(shares)]
}

/** cpu.max holds both; a quota alone leaves the period as it is. */
function quotaV2(quota: bigint, { cpu }: Resources): FileValue {
  return ['cpu.max', cpu.period !== undefined ? `${orMax(quota)} ${cpu.period}` : orMax(quota)]
}

function periodV2(period: bigint, { cpu }: Resources): FileValue {
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

function refuse(pointer: string, why: string): RuntError {
  return new RuntError('cgroup', `${pointer}: ${why}`)
}
