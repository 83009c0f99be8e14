// Settings and device rules → the cgroup's files.

import type { Resources } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { describeWrite, readKnob, tryWriteKnob } from './knob.ts'
import { type Cgroup, UNIFIED, v1DirectoryOf } from './manager.ts'
import type { Setting, Version } from './settings.ts'

/** Which controller is where in a cgroup: in a v1 hierarchy if one has it, else in the unified one. */
export interface Places {
  readonly versionOf: (controller: string) => Version | undefined
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
  for (let start = 0; start < settings.length; ) {
    const { group } = settings[start] as Setting // start < length
    let end = start + 1
    while (group !== undefined && settings[end]?.group === group) end++
    writeGroup(settings.slice(start, end), places)
    start = end
  }
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
  const { file, value, pointer, optional } = setting
  const path = `${places.directoryOf(setting)}/${file}`
  const result = tryWriteKnob(path, value)
  if (result === 0 || (result === -ERRNO.ENOENT && optional !== undefined)) return true
  if (result === -ERRNO.EINVAL && !final) return false
  throw new RuntError('cgroup', `${pointer}: ${describeWrite(path, value, result)}`)
}

/** On v2 the kernel takes a limit below what is used, and kills: linux.resources.memory.checkBeforeUpdate asks us to look. */
export function checkMemoryUse({ memory }: Resources, places: Places): void {
  const { limit } = memory
  if (memory.checkBeforeUpdate !== true || limit === undefined || limit < 0n) return
  if (places.versionOf('memory') !== 'v2') return // v1 refuses by itself: EBUSY
  const used = BigInt(readKnob(`${places.directoryOf({ controller: 'memory', version: 'v2' })}/memory.current`))
  if (used > limit)
    throw new RuntError('cgroup', `/linux/resources/memory/limit: ${limit} is less than in use: ${used}`)
}
