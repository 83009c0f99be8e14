// Checks of /linux/resources (runtime-spec config-linux.md, Control groups).

import { step } from '../pointer.ts'
import type { Check, Checks } from './checks.ts'

const AT = '/linux/resources'

const MEMORY_SIZES = ['limit', 'reservation', 'swap', 'kernel', 'kernelTCP'] as const

/** -1 is "no limit" for sizes, and as an unsigned number "not set" for swappiness: engines write that. */
const memory: Check = ({ linux }, report) => {
  const given = linux?.resources?.memory
  if (given === undefined) return
  for (const name of MEMORY_SIZES) {
    const size = given[name]
    if (size !== undefined && size < -1) report(`${AT}/memory/${name}`, size, 'must be a size, or -1 for no limit')
  }
  const { limit = 0, swap = 0, swappiness = 0 } = given
  if (swap > 0 && limit > 0 && swap < limit) {
    report(`${AT}/memory/swap`, swap, `is memory and swap together, so not below the limit, ${limit}`)
  }
  if (swap > 0 && limit === -1)
    report(`${AT}/memory/swap`, swap, 'is memory and swap together, and memory has no limit')
  if (swappiness > 100 && BigInt(swappiness) !== 2n ** 64n - 1n) {
    report(`${AT}/memory/swappiness`, swappiness, 'must be 0 to 100')
  }
}

const cpu: Check = ({ linux }, report) => {
  const { quota = 0, burst = 0, idle = 0 } = linux?.resources?.cpu ?? {}
  if (quota > 0 && burst > quota) report(`${AT}/cpu/burst`, burst, `must not be above the quota, ${quota}`)
  if (idle < 0 || idle > 1) report(`${AT}/cpu/idle`, idle, 'must be 0 or 1')
}

const pids: Check = ({ linux }, report) => {
  const limit = linux?.resources?.pids?.limit
  if (limit !== undefined && limit < -1) report(`${AT}/pids/limit`, limit, 'must be a number, or -1 for no limit')
}

const LARGEST_NUMBER = 0xffffffff

/** Numbers of a rule: a device's, or -1 for any. */
const deviceRules: Check = ({ linux }, report) => {
  linux?.resources?.devices?.forEach((rule, index) => {
    for (const name of ['major', 'minor'] as const) {
      const value = rule[name]
      if (value === undefined || (value >= -1 && value <= LARGEST_NUMBER)) continue
      report(`${AT}/devices/${index}/${name}`, value, 'must be the number of a device, or -1 for any')
    }
  })
}

const THROTTLES = [
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
] as const

const LEAST_WEIGHT = 10

/** 0 is what engines write for a weight that isn't set. */
const blockIO: Check = ({ linux }, report) => {
  const given = linux?.resources?.blockIO ?? {}
  const checkWeight = (pointer: string, weight: number | undefined) => {
    if (weight !== undefined && weight > 0 && weight < LEAST_WEIGHT) report(pointer, weight, 'must be 10 to 1000')
  }
  const checkNumbers = (pointer: string, device: { major: number | bigint; minor: number | bigint }) => {
    for (const name of ['major', 'minor'] as const) {
      const value = device[name]
      if (value < 0 || value > LARGEST_NUMBER) report(`${pointer}/${name}`, value, 'must be the number of a device')
    }
  }
  checkWeight(`${AT}/blockIO/weight`, given.weight)
  checkWeight(`${AT}/blockIO/leafWeight`, given.leafWeight)
  given.weightDevice?.forEach((device, index) => {
    const pointer = `${AT}/blockIO/weightDevice/${index}`
    checkNumbers(pointer, device)
    checkWeight(`${pointer}/weight`, device.weight)
    checkWeight(`${pointer}/leafWeight`, device.leafWeight)
    if (device.weight === undefined && device.leafWeight === undefined) {
      report(pointer, undefined, 'must have a weight or a leafWeight')
    }
  })
  for (const name of THROTTLES) {
    given[name]?.forEach((device, index) => {
      checkNumbers(`${AT}/blockIO/${name}/${index}`, device)
    })
  }
}

/** The kernel's files have a line a device, and a blank behind its name. */
const network: Check = ({ linux }, report) => {
  linux?.resources?.network?.priorities?.forEach(({ name }, index) => {
    if (!/[\s/]/.test(name)) return
    report(`${AT}/network/priorities/${index}/name`, name, 'must be the name of a network device')
  })
}

const rdma: Check = ({ linux }, report) => {
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(linux?.resources?.rdma ?? {})) {
    if (/[\s/]/.test(device)) report(`${AT}/rdma/${step(device)}`, device, 'must be the name of an RDMA device')
    if (hcaHandles !== undefined || hcaObjects !== undefined) continue
    report(`${AT}/rdma/${step(device)}`, undefined, 'must have hcaHandles or hcaObjects')
  }
}

export const RESOURCE_CHECKS: Checks = { memory, cpu, pids, deviceRules, blockIO, network, rdma }
