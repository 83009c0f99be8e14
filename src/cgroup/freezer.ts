// Pause and resume: v1's freezer where the host has it, else cgroup.freeze of the unified hierarchy.

import { RuntError } from '../errors.ts'
import { CGROUP_FROZEN } from '../words.ts'
import { type Cgroup, UNIFIED, v1DirectoryOf } from './cgroup.ts'
import { describeWrite, readKnobIfPresent, tryWriteKnob, waitUntil } from './knob.ts'

/** How long a group may take to stop, in milliseconds of sleep. */
const PATIENCE = 2000

/** v1's and v2's words for the same file. */
interface Freezer {
  readonly file: string
  readonly freeze: string
  readonly thaw: string
  readonly stateFile: string
  /** v1 gives up on processes that don't stop at once, until it is asked again. */
  readonly mustAskAgain: boolean
  /** Of the state file's text: do the processes stand still, whoever asked for it? */
  readonly isFrozen: (state: string) => boolean
  /** Is there nothing more to wait for after a thaw? */
  readonly isThawed: (state: string) => boolean
}

function freezerOf(cgroup: Cgroup): Freezer | undefined {
  const v1 = v1DirectoryOf(cgroup, 'freezer')
  if (v1 !== undefined) {
    const file = `${v1}/freezer.state`
    return {
      file,
      freeze: 'FROZEN',
      thaw: 'THAWED',
      stateFile: file,
      mustAskAgain: true,
      isFrozen: (state) => state === 'FROZEN',
      isThawed: (state) => state === 'THAWED',
    }
  }
  const v2 = cgroup.directories[UNIFIED]
  if (v2 === undefined) return undefined
  return {
    file: `${v2}/cgroup.freeze`,
    freeze: '1',
    thaw: '0',
    stateFile: `${v2}/cgroup.events`,
    mustAskAgain: false,
    isFrozen: (state) => /^frozen 1$/m.test(state),
    isThawed: (state) => /^frozen 0$/m.test(state),
  }
}

/** The folder whose processes its freezer stops; undefined when there is no freezer. */
export function freezerDirectory(cgroup: Cgroup): string | undefined {
  return v1DirectoryOf(cgroup, 'freezer') ?? cgroup.directories[UNIFIED]
}

/**
 * Is a container paused, by its own freezer or by one above it? What is asked for counts: a signal makes the kernel wake
 * a frozen process for a moment, and v2's cgroup.events then says that it isn't.
 * False when there is no freezer, or no cgroup any more.
 */
export function isFrozen(cgroup: Cgroup): boolean {
  const freezer = freezerOf(cgroup)
  if (freezer === undefined) return false
  const own = readKnobIfPresent(freezer.file)
  if (own === undefined) return false
  if (own !== freezer.thaw) return true
  return freezer.stateFile !== freezer.file && freezer.isFrozen(readKnobIfPresent(freezer.stateFile) ?? '')
}

/** A file of the kernel's has this byte there. For who can't parse it. */
export interface ByteCheck {
  readonly path: string
  readonly position: number
  readonly byte: string
}

/** What its files say, byte for byte, when a container is not frozen. Like isFrozen(). */
export function notFrozen(cgroup: Cgroup): ByteCheck[] {
  const freezer = freezerOf(cgroup)
  if (freezer === undefined) return []
  const own = { path: freezer.file, position: 0, byte: freezer.thaw.charAt(0) }
  return freezer.stateFile === freezer.file ? [own] : [own, eventsCheck(freezer.stateFile)]
}

/** cgroup.events is "populated N", "frozen N". */
function eventsCheck(path: string): ByteCheck {
  return { path, position: 'populated 1\nfrozen '.length, byte: '0' }
}

/**
 * What its files say when a process that enters runs on. A folder is born frozen below a frozen one, in every hierarchy
 * that can freeze: beside v1's freezer that may be cgroup2, too.
 */
export function openForEntry(cgroup: Cgroup): ByteCheck[] {
  const v1 = v1DirectoryOf(cgroup, 'freezer')
  const v2 = cgroup.directories[UNIFIED]
  return [
    ...(v1 === undefined ? [] : [{ path: `${v1}/freezer.state`, position: 0, byte: 'T' }]),
    ...(v2 === undefined ? [] : [eventsCheck(`${v2}/cgroup.events`)]),
  ]
}

/**
 * Refuse a cgroup in which a process would stand still as soon as it enters, and whoever waits for it with it.
 * @param about what asked for this cgroup
 * @param data of the error
 * @throws RuntError 'cgroup'
 */
export function checkNotFrozen(cgroup: Cgroup, about: string, data: RuntError['data'] = {}): void {
  for (const { path, position, byte } of openForEntry(cgroup)) {
    const text = readKnobIfPresent(path) // the root of a hierarchy has no such file, and is never frozen
    if (text === undefined || text.charAt(position) === byte) continue
    const directory = path.slice(0, path.lastIndexOf('/'))
    throw new RuntError('cgroup', `${about}: ${CGROUP_FROZEN}: ${directory}`, {
      hint: 'a process in it would stand still: thaw it, or the cgroup above it that is frozen',
      data,
    })
  }
}

/**
 * Stop every process of a container; returns when all stand still.
 * @throws RuntError 'cgroup' when they don't; they run on then
 */
export function freeze(cgroup: Cgroup): void {
  const freezer = requireFreezer(cgroup)
  write(freezer, freezer.freeze)
  let attempts = 0
  const isDone = () => {
    if (freezer.isFrozen(readKnobIfPresent(freezer.stateFile) ?? '')) return true
    attempts++
    if (freezer.mustAskAgain) {
      // A process in the middle of a fork or of a wait may need a moment of running before it can stop.
      if (attempts % 16 === 0) write(freezer, freezer.thaw)
      write(freezer, freezer.freeze)
    }
    return false
  }
  if (waitUntil(isDone, PATIENCE)) return
  tryWriteKnob(freezer.file, freezer.thaw)
  throw new RuntError('cgroup', `cgroup ${cgroup.path}: processes do not stop`)
}

/**
 * Let a container's processes go on.
 * @throws RuntError 'cgroup' when they don't, because a cgroup above theirs is frozen
 */
export function thaw(cgroup: Cgroup): void {
  const freezer = requireFreezer(cgroup)
  write(freezer, freezer.thaw)
  if (waitUntil(() => freezer.isThawed(readKnobIfPresent(freezer.stateFile) ?? ''), PATIENCE)) return
  throw new RuntError('cgroup', `cgroup ${cgroup.path}: a cgroup above it is frozen`)
}

/** Freeze as far as it goes, to signal what is there. @returns false when the group couldn't be stopped */
export function tryFreeze(cgroup: Cgroup): boolean {
  if (freezerOf(cgroup) === undefined) return false
  try {
    freeze(cgroup)
    return true
  } catch (error) {
    if (error instanceof RuntError) return false
    throw error
  }
}

/** Thaw without waiting, and without complaint when the cgroup is gone. */
export function tryThaw(cgroup: Cgroup): void {
  const freezer = freezerOf(cgroup)
  if (freezer !== undefined) tryWriteKnob(freezer.file, freezer.thaw)
}

function requireFreezer(cgroup: Cgroup): Freezer {
  const freezer = freezerOf(cgroup)
  if (freezer !== undefined) return freezer
  throw new RuntError('cgroup', `cgroup ${cgroup.path}: this host has no freezer: mount cgroup2 or v1's freezer`)
}

function write(freezer: Freezer, value: string): void {
  const result = tryWriteKnob(freezer.file, value)
  if (result < 0) throw new RuntError('cgroup', describeWrite(freezer.file, value, result))
}
