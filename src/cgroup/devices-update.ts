// Other device rules for a container that runs: none of its processes may be without a device in between that it has before
// and after, or with one that it has neither before nor after.

import type { DeviceRule } from '../config/types.ts'
import { propertyError } from '../errors.ts'
import { type Cgroup, UNIFIED, v1DirectoryOf } from './cgroup.ts'
import { DEFAULT_DEVICE_RULES, devicePolicy, exceptionsFile, type V1DeviceList, v1DeviceList } from './device-policy.ts'
import { attachDeviceProgram, writeDeviceLines, writeV1Devices } from './devices.ts'
import { freeze, isFrozen, thaw } from './freezer.ts'

/**
 * @param before the rules that the cgroup has
 * @throws RuntError 'cgroup'
 */
export function updateDevices(cgroup: Cgroup, before: readonly DeviceRule[], after: readonly DeviceRule[]): void {
  const v1 = v1DirectoryOf(cgroup, 'devices')
  const unified = cgroup.directories[UNIFIED]
  if (v1 !== undefined) updateV1(cgroup, v1, before, after)
  else if (unified !== undefined)
    attachDeviceProgram(unified, after, { fresh: false, rootless: cgroup.scope?.kind === 'user' })
  else throw propertyError('cgroup', '/linux/resources/devices', `no cgroup hierarchy for ${cgroup.path}`)
}

function updateV1(
  cgroup: Cgroup,
  directory: string,
  before: readonly DeviceRule[],
  after: readonly DeviceRule[],
): void {
  const [old, next] = [listOf(before), listOf(after)]
  if (old.start !== next.start) whileFrozen(cgroup, () => writeV1Devices(directory, after))
  else changeExceptions(directory, old, next)
}

function listOf(rules: readonly DeviceRule[]): V1DeviceList {
  return v1DeviceList(devicePolicy([...rules, ...DEFAULT_DEVICE_RULES]))
}

/** The kernel has a list and its opposite: to except, write to one, and to take that back, to the other. */
function changeExceptions(directory: string, old: V1DeviceList, next: V1DeviceList): void {
  const add = () => writeDeviceLines(`${directory}/${exceptionsFile(old)}`, difference(next, old))
  const remove = () => writeDeviceLines(`${directory}/${old.start}`, difference(old, next))
  // What both have is never missing: allow before denying.
  for (const step of old.start === 'devices.deny' ? [add, remove] : [remove, add]) step()
}

/** Lines of one list without what the other has, letter by letter. */
function difference(one: V1DeviceList, other: V1DeviceList): string[] {
  const letters = new Map(other.exceptions.map(splitLine))
  return one.exceptions.map(splitLine).flatMap(([device, access]) => {
    const left = [...access].filter((letter) => letters.get(device)?.includes(letter) !== true).join('')
    return left === '' ? [] : [`${device} ${left}`]
  })
}

/** "c 1:3 rw" → "c 1:3" and "rw" */
function splitLine(line: string): [device: string, access: string] {
  const blank = line.lastIndexOf(' ')
  return [line.slice(0, blank), line.slice(blank + 1)]
}

/** From "all but" to "none but" the list has to be begun anew, and is empty for a moment: nobody may run then. */
function whileFrozen(cgroup: Cgroup, run: () => void): void {
  const wasFrozen = isFrozen(cgroup)
  if (!wasFrozen) freeze(cgroup)
  try {
    run()
  } finally {
    if (!wasFrozen) thaw(cgroup)
  }
}
