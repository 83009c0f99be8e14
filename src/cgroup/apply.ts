// Settings → the cgroup's files.

import type { Resources } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { REJECTING_MEMORY, REJECTING_SWAP } from '../words.ts'
import { type Cgroup, UNIFIED, v1DirectoryOf } from './cgroup.ts'
import { describeWrite, readKnob, readKnobIfPresent, tryWriteKnob } from './knob.ts'
import { remedyFor } from './remedy.ts'
import { type FileValue, refuse, type Setting, type VersionOf } from './setting.ts'

/** Which controller is where in a cgroup: in a v1 hierarchy if one has it, else in the unified one. */
export interface Places {
  readonly versionOf: VersionOf
  readonly directoryOf: (setting: Pick<Setting, 'controller' | 'version'>) => string
}

export function placesOf(cgroup: Cgroup): Places {
  const unified = cgroup.directories[UNIFIED]
  return {
    versionOf: (controller) => {
      if (v1DirectoryOf(cgroup, controller) !== undefined) return 'v1'
      return unified === undefined ? undefined : 'v2'
    },
    directoryOf: ({ controller, version }) => {
      const directory = version === 'v1' ? v1DirectoryOf(cgroup, controller) : unified
      if (directory === undefined) throw new RuntError('cgroup', `no cgroup ${version} hierarchy has ${controller}`)
      return directory
    },
  }
}

/**
 * Write settings in order. Those of a group are tried until no more of them get through, since which order the kernel
 * takes depends on the values that were there before.
 * @throws RuntError 'cgroup': "/linux/resources/pids/limit: write "x" to FILE: EINVAL: invalid argument"
 */
export function writeSettings(settings: readonly Setting[], places: Places): void {
  for (const group of groupsIn(settings)) writeGroup(group, places)
}

/** Neighbours that belong together. */
export function groupsIn(settings: readonly Setting[]): Setting[][] {
  const groups: Setting[][] = []
  for (const setting of settings) {
    const last = groups.at(-1)
    if (last !== undefined && setting.group !== undefined && last[0]?.group === setting.group) last.push(setting)
    else groups.push([setting])
  }
  return groups
}

function writeGroup(group: readonly Setting[], places: Places): void {
  for (let pending = group; pending.length > 0; ) {
    const failed = pending.filter((setting) => !write(setting, places, { final: group.length === 1 }))
    const [first] = failed
    if (first !== undefined && failed.length === pending.length) write(first, places, { final: true })
    pending = failed
  }
}

/** @returns false when the kernel said EINVAL, and this wasn't the last word */
function write(setting: Setting, places: Places, { final }: { readonly final: boolean }): boolean {
  const { pointer, optional } = setting
  const directory = places.directoryOf(setting)
  const { file, value, result } = writeOne(directory, setting)
  if (result === 0 || (result === -ERRNO.ENOENT && optional !== undefined)) return true
  if (result === -ERRNO.EINVAL && !final) return false
  throw refuse(pointer, describeWrite(`${directory}/${file}`, value, result), remedyFor(setting, directory, -result))
}

/** Errors after which the fallback is tried: no such file, or not for this device. */
const NOT_THERE = [-ERRNO.ENOENT, -ERRNO.EOPNOTSUPP]

/** @returns which file it came to, and 0 or -errno */
function writeOne(
  directory: string,
  { file, value, fallback }: Setting,
): { readonly file: string; readonly value: string; readonly result: number } {
  const attempt = ([file, value]: FileValue) => ({ file, value, result: tryWriteKnob(`${directory}/${file}`, value) })
  const first = attempt([file, value])
  if (fallback === undefined || !NOT_THERE.includes(first.result)) return first
  const second = attempt(fallback)
  // The file that is there is the one to speak of.
  return second.result === -ERRNO.ENOENT && first.result !== -ERRNO.ENOENT ? first : second
}

/** On v2 the kernel takes a limit below what is used, and kills: linux.resources.memory.checkBeforeUpdate asks us to look. */
export function checkMemoryUse({ memory }: Resources, places: Places): void {
  const { limit = -1n, swap = -1n } = memory
  if (memory.checkBeforeUpdate !== true || (limit < 0n && swap < 0n)) return
  if (places.versionOf('memory') !== 'v2') return // v1 refuses by itself: EBUSY
  const folder = places.directoryOf({ controller: 'memory', version: 'v2' })
  const used = BigInt(readKnob(`${folder}/memory.current`))
  const both = used + BigInt(readKnobIfPresent(`${folder}/memory.swap.current`) ?? 0)
  if (swap >= 0n && both > swap) {
    throw refuse('/linux/resources/memory/swap', `${REJECTING_SWAP} ${swap}: ${both} are in use`)
  }
  if (limit >= 0n && used > limit) {
    throw refuse('/linux/resources/memory/limit', `${REJECTING_MEMORY} ${limit}: ${used} are in use`)
  }
}
