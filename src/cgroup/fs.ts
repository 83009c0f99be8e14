// The cgroupfs manager: runt makes, limits and removes a container's cgroup folders itself.

import type { Resources } from '../config/types.ts'
import { propertyError, RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { AT } from '../linux/open-flags.ts'
import { exists, isGone, tryRemoveDirectory } from '../native/file.ts'
import { SyscallError, trySyscall } from '../native/syscall.ts'
import { placesOf, writeSettings } from './apply.ts'
import { type Cgroup, removals, UNIFIED, v1DirectoryOf } from './cgroup.ts'
import { enableControllers, fillCpuset } from './controllers.ts'
import { attachDeviceProgram, writeV1Devices } from './devices.ts'
import { checkNotFrozen } from './freezer.ts'
import type { Hierarchies } from './hierarchy.ts'
import { waitUntil } from './knob.ts'
import { delegationHint, type Refusal } from './permitted.ts'
import { checkEmpty, checkType } from './processes.ts'
import { renderSettings } from './settings.ts'
import { visitBelow } from './tree.ts'

export { freeze, isFrozen, thaw } from './freezer.ts'
export { killCgroup, pidsOf } from './processes.ts'

export interface CreateOptions {
  /** Go on without device rules where this user may not set them: he can't make devices either. */
  readonly rootless?: boolean
  /** What of the plan was left out beforehand, as permittedPart() says. */
  readonly refused?: readonly Refusal[]
}

/**
 * Make the folders, refuse those that are in use or frozen, write limits and device rules.
 * @param planned from planCgroup()
 * @returns the cgroup with what was made
 * @throws RuntError 'cgroup'; what was made is removed again
 */
export function createCgroup(
  hierarchies: Hierarchies,
  planned: Cgroup,
  resources: Resources,
  { rootless = false, refused = [] }: CreateOptions = {},
): Cgroup {
  const made: string[] = []
  try {
    const cgroup = makeFolders(planned, made)
    checkEmpty(Object.values(cgroup.directories).filter((directory) => !made.includes(directory)))
    checkNotFrozen(cgroup, 'linux.cgroupsPath', { pointer: '/linux/cgroupsPath' })
    limitCgroup(hierarchies, cgroup, resources, { rootless })
    const unified = cgroup.directories[UNIFIED]
    if (unified !== undefined && planned.path.lastIndexOf('/') > 0) checkType(unified)
    return cgroup
  } catch (error) {
    for (const directory of made.reverse()) tryRemoveDirectory(directory)
    if (error instanceof SyscallError) {
      throw new RuntError('cgroup', `cgroup ${planned.path}: ${error.message}`, { cause: error })
    }
    const [first] = refused
    if (!(error instanceof RuntError) || first === undefined) throw error
    throw new RuntError(error.code, error.message, { cause: error, hint: delegationHint(first), data: error.data })
  }
}

/**
 * What of a plan isn't there yet: the record for a create that may be cut short. Whatever stands in these folders later is
 * the container's, to be killed and removed; a folder that is there already is somebody else's.
 */
export function missingOf(planned: Cgroup): Cgroup {
  const directories: Record<string, string> = {}
  const made: string[] = []
  const { mode, path, scope } = planned
  const depth = path.split('/').length - 1
  for (const [name, directory] of Object.entries(planned.directories)) {
    if (exists(directory)) continue
    directories[name] = directory
    const missing = [directory]
    for (let above = parentOf(directory); missing.length < depth && !exists(above); above = parentOf(above)) {
      missing.unshift(above)
    }
    // Folders above a scope's are those of slices, which are systemd's.
    made.push(...(scope === undefined ? missing : [directory]))
  }
  // A unit whose folder is there isn't the container's.
  const isNew = scope !== undefined && Object.keys(directories).length === Object.keys(planned.directories).length
  return { mode, path, directories, made, ...(isNew ? { scope } : {}) }
}

function parentOf(directory: string): string {
  return directory.slice(0, directory.lastIndexOf('/'))
}

/** @param made gets the folders that were not there */
export function makeFolders(planned: Cgroup, made: string[]): Cgroup {
  const directories: Record<string, string> = {}
  const depth = planned.path.split('/').length - 1
  for (const [name, directory] of Object.entries(planned.directories)) {
    const result = makeFolder(directory, depth, made)
    if (result < 0) throw new SyscallError('mkdirat', -result, directory)
    directories[name] = directory
  }
  return { mode: planned.mode, path: planned.path, directories, made }
}

/** How often a parent may go under our hands, with the delete of another container that was its last. */
const RACES = 8

/**
 * mkdir -p, in one call when the parent is there.
 * @param depth how many folders below the mount point
 * @returns 0, also when it was there, or -errno
 */
function makeFolder(directory: string, depth: number, made: string[]): number {
  for (let attempt = 0; ; attempt++) {
    const result = trySyscall('mkdirat', AT.FDCWD, directory, 0o755)
    if (result === 0) made.push(directory)
    if (result === -ERRNO.EEXIST) return 0
    if (result !== -ERRNO.ENOENT || depth <= 1 || attempt === RACES) return result
    const parent = makeFolder(parentOf(directory), depth - 1, made)
    if (parent < 0) return parent
  }
}

/** Write limits and device rules into folders that are there. @throws RuntError 'cgroup' */
export function limitCgroup(
  hierarchies: Hierarchies,
  cgroup: Cgroup,
  resources: Resources,
  { rootless = false }: CreateOptions,
): void {
  const places = placesOf(cgroup)
  const settings = renderSettings(resources, places.versionOf)
  fillNewCpuset(hierarchies, cgroup)
  const unified = cgroup.directories[UNIFIED]
  if (unified !== undefined && hierarchies.unified !== undefined) {
    const mine = settings.filter(({ version }) => version === 'v2')
    enableControllers(hierarchies.unified.mountpoint, unified, mine, {
      others: cgroup.mode === 'v2' && cgroup.scope === undefined,
    })
  }
  writeSettings(settings, places)
  limitDevices(cgroup, resources, rootless)
}

function fillNewCpuset(hierarchies: Hierarchies, cgroup: Cgroup): void {
  const directory = v1DirectoryOf(cgroup, 'cpuset')
  const hierarchy = hierarchies.v1.find(({ controllers }) => controllers.includes('cpuset'))
  if (directory === undefined || hierarchy === undefined) return
  fillCpuset(hierarchy.mountpoint, directory, { fresh: cgroup.made.includes(directory) })
}

function limitDevices(cgroup: Cgroup, { devices }: Resources, rootless: boolean): void {
  const v1 = v1DirectoryOf(cgroup, 'devices')
  const unified = cgroup.directories[UNIFIED]
  if (v1 !== undefined) writeV1Devices(v1, devices, { rootless })
  else if (unified !== undefined)
    attachDeviceProgram(unified, devices, { fresh: cgroup.made.includes(unified), rootless })
  // Without any cgroup nothing holds back a device that the container makes; only a user who can't make one may go on.
  else if (!rootless && devices.length > 0) {
    throw propertyError('cgroup', '/linux/resources/devices', `no cgroup hierarchy for ${cgroup.path}`)
  }
}

/** How long the kernel may take to let go of processes that have ended, in milliseconds. */
const PATIENCE = 2000

/**
 * Remove the folders that runt made, and those that the container made below its own. Kills nothing. Folders above the
 * container's own stay as long as others use them.
 * @throws RuntError 'cgroup' naming what can't be removed
 */
export function removeCgroup(cgroup: Cgroup): void {
  const { own, above } = removals(cgroup)
  let left = own
  const isDone = () => {
    left = left.filter((directory) => !removeTree(directory))
    return left.length === 0
  }
  if (!waitUntil(isDone, PATIENCE))
    throw new RuntError('cgroup', `cgroup ${cgroup.path}: still in use: ${left.join(' ')}`)
  for (const directory of above) tryRemoveDirectory(directory)
}

/** @returns false when something in it is busy @throws SyscallError when it may not be removed at all */
function removeTree(directory: string): boolean {
  return removed(directory) || (visitBelow(directory, removed) && removed(directory))
}

function removed(directory: string): boolean {
  const result = tryRemoveDirectory(directory)
  if (result === 0 || isGone(directory)) return true
  if (result === -ERRNO.EBUSY || result === -ERRNO.ENOTEMPTY) return false
  throw new SyscallError('unlinkat', -result, directory)
}
