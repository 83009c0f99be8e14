// What a new folder needs before it can hold limits and processes: v2's controllers switched on above it, v1's cpuset filled.

import { propertyError, RuntError } from '../errors.ts'
import { describeWrite, readKnob, readKnobIfPresent, tryWriteKnob } from './knob.ts'
import type { Setting } from './setting.ts'

/** Names in a cgroup.controllers file. */
export function controllersOf(directory: string): string[] {
  return readKnob(`${directory}/cgroup.controllers`)
    .split(' ')
    .filter((name) => name !== '')
}

/**
 * Switch controllers on from the mount point down to a folder: those that settings need, and as many others as the
 * hierarchy lets us, so that the container is accounted for.
 * @param settings those for the unified hierarchy
 * @param others whether to try the controllers that no setting needs
 * @throws RuntError 'cgroup' naming the value in the config whose controller can't be had
 */
export function enableControllers(
  mountpoint: string,
  directory: string,
  settings: readonly Setting[],
  { others }: { readonly others: boolean },
): void {
  const needed = new Map(
    settings.filter(({ controller }) => controller !== CORE).map((each) => [each.controller, each]),
  )
  if (needed.size === 0 && !others) return
  const available = controllersOf(mountpoint)
  const absent = [...needed.values()].find(({ controller }) => !available.includes(controller))
  if (absent !== undefined) throw refuse(absent, `cgroup v2 has no ${absent.controller} controller on this host`)
  const there = controllersOf(directory)
  const wanted = available.filter((name) => (others || needed.has(name)) && !there.includes(name))
  if (wanted.length === 0) return
  const problem = switchOn(mountpoint, directory, wanted)
  if (problem === undefined) return
  const enabled = controllersOf(directory)
  const missing = [...needed.values()].find(({ controller }) => !enabled.includes(controller))
  if (missing === undefined) return
  throw refuse(missing, `the ${missing.controller} controller can't be enabled: ${problem}`)
}

/** cgroup.max.depth and the like belong to every cgroup. */
const CORE = 'cgroup'

function refuse({ pointer }: Setting, why: string): RuntError {
  return propertyError('cgroup', pointer, why, {
    hint: 'a cgroup that has processes of its own can not give controllers to its children',
  })
}

/** @returns what went wrong first, if anything did */
function switchOn(mountpoint: string, directory: string, controllers: readonly string[]): string | undefined {
  let problem: string | undefined
  const write = (file: string, text: string) => {
    const result = tryWriteKnob(file, text)
    if (result < 0) problem ??= describeWrite(file, text, result)
    return result
  }
  for (const ancestor of ancestorsOf(mountpoint, directory)) {
    const file = `${ancestor}/cgroup.subtree_control`
    if (hasProcesses(ancestor)) {
      problem ??= `${ancestor} has processes`
      continue
    }
    const words = controllers.map((name) => `+${name}`)
    if (write(file, words.join(' ')) < 0) for (const word of words) write(file, word)
  }
  return problem
}

/**
 * Has a cgroup processes of its own, and isn't the root of all? The kernel would let it hand down those controllers that can
 * tell threads apart, and turn it into a threaded one, below which there is no place for processes. cgroup-v2.rst, Threads
 */
export function hasProcesses(directory: string): boolean {
  return (
    readKnobIfPresent(`${directory}/cgroup.type`) !== undefined && readKnobIfPresent(`${directory}/cgroup.procs`) !== ''
  )
}

/** /m, /m/a for /m/a/b below /m */
function ancestorsOf(mountpoint: string, directory: string): string[] {
  const parts = directory.slice(mountpoint.length).split('/').slice(1, -1)
  return [mountpoint, ...parts.map((_, index) => `${mountpoint}/${parts.slice(0, index + 1).join('/')}`)]
}

/**
 * A new cpuset of v1 has no CPUs and no memory nodes, and nothing can run in it: copy its parent's, level by level.
 * Folders that somebody else left empty are filled too, since no child of theirs could have any.
 * @param fresh runt has just made the folder: it is empty for sure
 */
export function fillCpuset(mountpoint: string, directory: string, { fresh }: { readonly fresh: boolean }): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const empty: string[] = []
    let at = directory
    let value = fresh ? '' : readKnob(`${at}/${file}`)
    while (value === '' && at !== mountpoint) {
      empty.push(at)
      at = at.slice(0, at.lastIndexOf('/'))
      value = readKnob(`${at}/${file}`)
    }
    for (const each of empty.reverse()) {
      const path = `${each}/${file}`
      const result = tryWriteKnob(path, value)
      if (result < 0) throw new RuntError('cgroup', describeWrite(path, value, result))
    }
  }
}
