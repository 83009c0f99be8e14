// New limits and device rules for a cgroup with processes in it: all of them, or none.

import type { DeviceRule, Resources } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { checkMemoryUse, type Places, placesOf, writeSettings } from './apply.ts'
import { type Cgroup, UNIFIED } from './cgroup.ts'
import { enableControllers } from './controllers.ts'
import { updateDevices } from './devices-update.ts'
import type { Hierarchies } from './hierarchy.ts'
import { renderSettings } from './settings.ts'
import { restoreValues, type Value, valuesOf } from './undo.ts'

export interface Update {
  /** What the container has. */
  readonly before: Resources
  /** What is to be changed of it. */
  readonly asked: Resources
  /** What it will have: mergeResources(). */
  readonly after: Resources
}

/**
 * Change what an update mentions, and what depends on it.
 * @returns how to take all of it back
 * @throws RuntError 'cgroup'; what was written is taken back then, or what couldn't be is named
 */
export function updateCgroup(hierarchies: Hierarchies, cgroup: Cgroup, update: Update): () => void {
  const { before, asked, after } = update
  const places = placesOf(cgroup)
  const settings = renderSettings(after, places.versionOf, asked)
  if (asked.memory.limit !== undefined) checkMemoryUse(after, places)
  const unified = cgroup.directories[UNIFIED]
  if (unified !== undefined && hierarchies.unified !== undefined) {
    const onV2 = settings.filter(({ version }) => version === 'v2')
    enableControllers(hierarchies.unified.mountpoint, unified, onV2, { others: false })
  }
  const values = valuesOf(settings, places)
  attempt(
    () => writeSettings(settings, places),
    () => restoreValues(values, places),
  )
  const undoDevices = () => applyDevices(cgroup, after.devices, before.devices)
  if (asked.devices.length > 0) {
    attempt(
      () => applyDevices(cgroup, before.devices, after.devices),
      () => [...tried(undoDevices), ...restoreValues(values, places)],
    )
  }
  return () => undoAll(values, places, asked.devices.length > 0 ? undoDevices : undefined)
}

function applyDevices(cgroup: Cgroup, before: readonly DeviceRule[], after: readonly DeviceRule[]): void {
  if (JSON.stringify(before) !== JSON.stringify(after)) updateDevices(cgroup, before, after)
}

function undoAll(values: readonly Value[], places: Places, undoDevices: (() => void) | undefined): void {
  const left = [...(undoDevices === undefined ? [] : tried(undoDevices)), ...restoreValues(values, places)]
  if (left.length > 0) throw new RuntError('cgroup', `could not be taken back: ${left.join('; ')}`)
}

/** @returns what went wrong, if anything did */
function tried(run: () => void): string[] {
  try {
    run()
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : `${error}`]
  }
}

/** @param undo @returns what stays changed */
function attempt(run: () => void, undo: () => readonly string[]): void {
  try {
    run()
  } catch (error) {
    const left = undo()
    if (left.length === 0 || !(error instanceof RuntError)) throw error
    throw new RuntError('cgroup', `${error.message}; could not be taken back: ${left.join('; ')}`, { cause: error })
  }
}
