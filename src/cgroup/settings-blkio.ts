// linux.resources.blockIO → the files of v1's blkio controller or of v2's io. Both have two names for weights: the older one,
// and the one of the BFQ scheduler. Pure.

import type { BlockIO, ThrottleDevice } from '../config/types.ts'
import { orMaxRate, weightToIoWeight } from './convert.ts'
import { type FileValue, refuse, requireVersion, type Setting, type Version, type VersionOf } from './setting.ts'

const AT = '/linux/resources/blockIO'

const NO_LEAF_WEIGHT = 'cgroup v2 has no leaf weights: processes and child groups do not share a group there'

/** @throws RuntError 'cgroup' naming the value that this host can't have */
export function blockIOSettings(blockIO: BlockIO, versionOf: VersionOf): Setting[] {
  const settings: Setting[] = []
  const add = (pointer: string, render: (version: Version) => Omit<Setting, 'controller' | 'version' | 'pointer'>) => {
    const version = requireVersion(versionOf, 'blkio', `${AT}/${pointer}`)
    const controller = version === 'v1' ? 'blkio' : 'io'
    settings.push({ controller, version, pointer: `${AT}/${pointer}`, ...render(version) })
  }
  const { weight, leafWeight, weightDevice = [] } = blockIO
  if (weight !== undefined) add('weight', (version) => weightSetting(version, weight))
  if (leafWeight !== undefined) add('leafWeight', (version) => leafWeightSetting(version, 'leafWeight', leafWeight))
  for (const [index, { major, minor, weight, leafWeight }] of weightDevice.entries()) {
    const pointer = `weightDevice/${index}`
    const device = `${major}:${minor}`
    if (weight !== undefined) add(`${pointer}/weight`, (version) => weightSetting(version, weight, device))
    if (leafWeight !== undefined) {
      add(`${pointer}/leafWeight`, (version) => leafWeightSetting(version, `${pointer}/leafWeight`, leafWeight, device))
    }
  }
  for (const throttle of THROTTLES) {
    for (const [index, device] of (blockIO[throttle.key] ?? []).entries()) {
      add(`${throttle.key}/${index}`, (version) => throttleSetting(version, throttle, device))
    }
  }
  return settings
}

type Rendered = Pick<Setting, 'file' | 'value' | 'fallback' | 'line'>

/** @param device "major:minor"; undefined: all of them */
function weightSetting(version: Version, weight: number, device?: string): Rendered {
  const written = (value: number | bigint) => (device === undefined ? String(value) : `${device} ${value}`)
  const [[file, value], fallback]: readonly [FileValue, FileValue] =
    version === 'v1'
      ? device === undefined
        ? [
            ['blkio.weight', written(weight)],
            ['blkio.bfq.weight', written(weight)],
          ]
        : [
            ['blkio.weight_device', written(weight)],
            ['blkio.bfq.weight_device', written(weight)],
          ]
      : [
          ['io.bfq.weight', written(weight)],
          ['io.weight', written(weightToIoWeight(weight))],
        ]
  return { file, value, fallback, ...lineOf(device) }
}

function leafWeightSetting(version: Version, pointer: string, weight: number, device?: string): Rendered {
  if (version === 'v2') throw refuse(`${AT}/${pointer}`, NO_LEAF_WEIGHT)
  if (device === undefined) return { file: 'blkio.leaf_weight', value: String(weight) }
  return { file: 'blkio.leaf_weight_device', value: `${device} ${weight}`, ...lineOf(device) }
}

function lineOf(device: string | undefined): Pick<Setting, 'line'> {
  return device === undefined ? {} : { line: { key: device, unset: `${device} default` } }
}

interface Throttle {
  readonly key:
    | 'throttleReadBpsDevice'
    | 'throttleWriteBpsDevice'
    | 'throttleReadIOPSDevice'
    | 'throttleWriteIOPSDevice'
  readonly v1: string
  /** A word of io.max. */
  readonly v2: string
}

const THROTTLES: readonly Throttle[] = [
  { key: 'throttleReadBpsDevice', v1: 'blkio.throttle.read_bps_device', v2: 'rbps' },
  { key: 'throttleWriteBpsDevice', v1: 'blkio.throttle.write_bps_device', v2: 'wbps' },
  { key: 'throttleReadIOPSDevice', v1: 'blkio.throttle.read_iops_device', v2: 'riops' },
  { key: 'throttleWriteIOPSDevice', v1: 'blkio.throttle.write_iops_device', v2: 'wiops' },
]

function throttleSetting(version: Version, { v1, v2 }: Throttle, { major, minor, rate }: ThrottleDevice): Rendered {
  const key = `${major}:${minor}`
  if (version === 'v1') return { file: v1, value: `${key} ${rate}`, line: { key, unset: `${key} 0` } }
  return { file: 'io.max', value: `${key} ${v2}=${orMaxRate(rate)}`, line: { key, unset: `${key} ${v2}=max` } }
}
