// Settings (settings.ts) → properties of a unit, for those files that systemd knows of: then it writes the same as runt, also
// when it is told to read its units anew. One table a version of cgroups. Pure.

import { cpuMask } from '../../linux/cpu-list.ts'
import type { Setting } from '../setting.ts'
import { type Property, property } from './property.ts'

/** What "no limit" and "not set" are in systemd's 64 bits. */
export const INFINITY = 0xffff_ffff_ffff_ffffn

/** First releases of systemd that have a property. */
const SINCE = { quotaPeriod: 242, cpuset: 244, idle: 252, zswap: 253 } as const

interface Row {
  readonly name: string
  readonly signature: string
  readonly since?: number
  /** The kernel's text → the property's value; undefined: this text is nothing that systemd could say. */
  readonly read: (text: string) => bigint | Uint8Array | undefined
}

const limit = (name: string, since = 0): Row => ({ name, signature: 't', since, read: numberOrMax })
const list = (name: string): Row => ({ name, signature: 'ay', since: SINCE.cpuset, read: cpuMask })

/** Files with one value. */
const ROWS: Readonly<Record<Setting['version'], Readonly<Record<string, Row>>>> = {
  v2: {
    'cpu.weight': limit('CPUWeight'),
    'cpu.idle': {
      name: 'CPUWeight',
      signature: 't',
      since: SINCE.idle,
      read: (text) => (text === '1' ? 0n : undefined),
    },
    'cpuset.cpus': list('AllowedCPUs'),
    'cpuset.mems': list('AllowedMemoryNodes'),
    'memory.max': limit('MemoryMax'),
    'memory.high': limit('MemoryHigh'),
    'memory.low': limit('MemoryLow'),
    'memory.min': limit('MemoryMin'),
    'memory.swap.max': limit('MemorySwapMax'),
    'memory.zswap.max': limit('MemoryZSwapMax', SINCE.zswap),
    'io.weight': limit('IOWeight'),
    'pids.max': { ...limit('TasksMax'), read: tasksOf },
  },
  v1: {
    'cpu.shares': limit('CPUShares'),
    'memory.limit_in_bytes': limit('MemoryLimit'),
    'blkio.weight': limit('BlockIOWeight'),
    'pids.max': { ...limit('TasksMax'), read: tasksOf },
  },
}

/** Files with a line for each device: "8:0 rbps=1000" or "8:0 1000". */
const DEVICE_ROWS: Readonly<Record<string, string>> = {
  'io.max rbps': 'IOReadBandwidthMax',
  'io.max wbps': 'IOWriteBandwidthMax',
  'io.max riops': 'IOReadIOPSMax',
  'io.max wiops': 'IOWriteIOPSMax',
  'io.weight': 'IODeviceWeight',
  'blkio.weight_device': 'BlockIODeviceWeight',
  'blkio.throttle.read_bps_device': 'BlockIOReadBandwidth',
  'blkio.throttle.write_bps_device': 'BlockIOWriteBandwidth',
}

/** Types of properties that name devices. */
const PER_DEVICE = 'a(st)'

/**
 * @param settings in the order in which they are written: the last one to speak of something counts
 * @param release systemd's: what is younger is left out, and is in the files alone
 */
export function resourceProperties(settings: readonly Setting[], release: number): Property[] {
  const single = new Map<string, Property>()
  const devices = new Map<string, Map<string, bigint>>()
  for (const setting of settings) {
    for (const { file, value } of spellings(setting)) {
      const row = ROWS[setting.version][file]
      if (row !== undefined && !value.includes(' ')) {
        const read = row.read(value)
        if (read !== undefined && (row.since ?? 0) <= release) {
          single.set(row.name, property(row.name, row.signature, read))
        }
      }
      for (const { name, device, limit } of deviceLimits(file, value)) {
        devices.set(name, (devices.get(name) ?? new Map()).set(device, limit))
      }
    }
  }
  for (const each of bandwidth(settings, release)) single.set(each.name, each)
  const lists = [...devices].map(([name, limits]) =>
    property(
      name,
      PER_DEVICE,
      [...limits].map(([device, limit]) => [`/dev/block/${device}`, limit]),
    ),
  )
  return [...single.values(), ...lists]
}

/** What to say for a property that isn't there any more. */
export function unset({ name, value: { signature } }: Property): Property {
  if (signature === 't') return property(name, 't', name === 'MemoryLow' || name === 'MemoryMin' ? 0n : INFINITY)
  return property(name, signature, signature === 'ay' ? new Uint8Array(0) : [])
}

/** The words of a setting that systemd may know: of the two for weights it speaks of one. */
function spellings({ file, value, fallback }: Setting): { readonly file: string; readonly value: string }[] {
  return [{ file, value }, ...(fallback === undefined ? [] : [{ file: fallback[0], value: fallback[1] }])]
}

function numberOrMax(text: string): bigint | undefined {
  if (text === 'max' || text === '-1') return INFINITY
  return /^\d+$/.test(text) ? BigInt(text) : undefined
}

/** systemd takes no 0; with one, too, nothing more can be forked. */
function tasksOf(text: string): bigint | undefined {
  return text === '0' ? 1n : numberOrMax(text)
}

interface DeviceLimit {
  readonly name: string
  readonly device: string
  readonly limit: bigint
}

function deviceLimits(file: string, text: string): DeviceLimit[] {
  const [device = '', ...words] = text.split(' ')
  if (!/^\d+:\d+$/.test(device)) return []
  return words.flatMap((word) => {
    const [, key, value] = /^(?:([a-z]+)=)?(\d+|max)$/.exec(word) ?? []
    const name = DEVICE_ROWS[key === undefined ? file : `${file} ${key}`]
    const limit = value === undefined ? undefined : numberOrMax(value)
    return name === undefined || limit === undefined ? [] : [{ name, device, limit }]
  })
}

const SECOND = 1_000_000n
/** What the kernel begins with. cgroup-v2.rst, cpu.max */
const USUAL_PERIOD = 100_000n
/** systemd keeps percents: what is more precise is rounded up, so that no group below gets less than it may ask for. */
const PERCENT = 10_000n

/** cpu.max, or v1's two files: microseconds in a second. */
function bandwidth(settings: readonly Setting[], release: number): Property[] {
  let quota: string | undefined
  let period: string | undefined
  for (const { file, value } of settings) {
    if (file === 'cpu.max') [quota, period = period] = value.split(' ')
    else if (file === 'cpu.cfs_quota_us') quota = value
    else if (file === 'cpu.cfs_period_us') period = value
  }
  if (quota === undefined) return []
  const microseconds = numberOrMax(quota)
  const every = numberOrMax(period ?? String(USUAL_PERIOD))
  if (microseconds === undefined || every === undefined || every === 0n) return []
  const perSecond = (microseconds * SECOND + every - 1n) / every
  const rounded = ((perSecond + PERCENT - 1n) / PERCENT) * PERCENT
  return [
    property('CPUQuotaPerSecUSec', 't', microseconds === INFINITY ? INFINITY : rounded),
    ...(release < SINCE.quotaPeriod || period === undefined ? [] : [property('CPUQuotaPeriodUSec', 't', every)]),
  ]
}
