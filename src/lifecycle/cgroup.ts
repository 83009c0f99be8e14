// Where a container's cgroup is to be, and by whom: what the config, the call and this user's rights say.

import { type Cgroup, planCgroup } from '../cgroup/cgroup.ts'
import type { Hierarchies } from '../cgroup/hierarchy.ts'
import { type PlannedCgroup, plannedInFiles } from '../cgroup/manager.ts'
import { besideUs, ownFolders } from '../cgroup/own.ts'
import { cgroupPath } from '../cgroup/path.ts'
import { permittedPart } from '../cgroup/permitted.ts'
import type { ScopeRequest } from '../cgroup/systemd/scope.ts'
import type { Config } from '../config/types.ts'
import { propertyError } from '../errors.ts'
import { inFirstUserNamespace } from '../host/probe.ts'
import { debug, warn } from '../log.ts'
import { has, isNew } from '../lowering/context.ts'
import { CGROUP_NOT_APPLIED } from '../words.ts'

export interface CgroupOptions {
  readonly id: string
  /** Go on without cgroups where they may not be used. */
  readonly rootless: boolean
  /** Let systemd make the cgroup. */
  readonly systemdCgroup: boolean
  /** Make none: the container stays in the caller's. */
  readonly noCgroups?: boolean
}

/**
 * Nothing is made. systemd is asked where its units are.
 * @throws RuntError for a place that can't be, or that this user may not use, or when systemd doesn't answer
 */
export async function planFor(
  hierarchies: Hierarchies,
  config: Config,
  options: CgroupOptions,
): Promise<PlannedCgroup> {
  const { id, rootless } = options
  if (options.noCgroups === true) return withoutCgroups(hierarchies, config, id)
  if (options.systemdCgroup) {
    const { PlannedScope } = await import('../cgroup/systemd/scope.ts')
    return PlannedScope.plan(hierarchies, requestOf(config, id), { rootless })
  }
  if (rootless) return permittedFor(hierarchies, config, id)
  return plannedInFiles(hierarchies, planCgroup(hierarchies, cgroupPath(config.linux.cgroupsPath, id)), {})
}

/** Where it would be as a rule, without asking anybody. */
export async function placeFor(
  hierarchies: Hierarchies,
  config: Config,
  { id, systemdCgroup }: Pick<CgroupOptions, 'id' | 'systemdCgroup'>,
): Promise<Cgroup> {
  if (!systemdCgroup) return planCgroup(hierarchies, cgroupPath(config.linux.cgroupsPath, id))
  const { placeScope } = await import('../cgroup/systemd/scope.ts')
  const request = requestOf(config, id)
  const uid = process.geteuid?.() ?? 0
  const root = request.kind === 'system' ? '' : `/user.slice/user-${uid}.slice/user@${uid}.service`
  return placeScope(hierarchies, request, root)
}

/** The user's own systemd where the machine's wouldn't listen to us. */
function requestOf({ annotations, linux }: Config, id: string): ScopeRequest {
  const kind = process.geteuid?.() === 0 && inFirstUserNamespace() ? 'system' : 'user'
  return { id, kind, cgroupsPath: linux.cgroupsPath, annotations }
}

/**
 * A user who may not make cgroups goes without them, unless he has named a place: then it must be one that he may use. runc does
 * the same.
 */
function permittedFor(hierarchies: Hierarchies, config: Config, id: string): PlannedCgroup {
  const path = config.linux.cgroupsPath ?? ''
  const whole = planCgroup(hierarchies, cgroupPath(path, id), path === '' ? besideUs(hierarchies) : {})
  const { cgroup: planned, refused } = permittedPart(whole, ownFolders(hierarchies))
  const cgroup = plannedInFiles(hierarchies, planned, { rootless: true, refused })
  const [first] = refused
  if (first === undefined) return cgroup
  const none = Object.keys(planned.directories).length === 0
  if (none && path !== '') {
    throw propertyError(
      'cgroup',
      '/linux/cgroupsPath',
      `${JSON.stringify(path)}: ${CGROUP_NOT_APPLIED}: ${first.why}`,
      {
        hint: 'leave it out to go without cgroups, or let root give you a folder (chown)',
      },
    )
  }
  // Root of a user namespace is an engine's, as a rule, and the engine knows.
  const tell = process.geteuid?.() === 0 ? debug : warn
  const isAlone = isNew(config, 'pid')
  const end =
    none && !isAlone ? '; with no pid namespace of its own either, only its first process is ended with it' : ''
  const which = none ? '' : ` in ${refused.map(({ name }) => name).join(', ')}`
  tell(`container ${id}: no cgroup${which}: this user may not make one (${first.why})${end}`)
  return cgroup
}

/** No folder at all. Limits can't be had then, and are refused; what keeps a container from devices is told when it is gone. */
function withoutCgroups(hierarchies: Hierarchies, config: Config, id: string): PlannedCgroup {
  const makesDevices = config.process?.capabilities?.bounding.includes('CAP_MKNOD') === true && !has(config, 'user')
  if (makesDevices && config.linux.resources.devices.length > 0) {
    warn(`container ${id}: without a cgroup its rules for devices don't hold, and it has CAP_MKNOD`)
  }
  const planned = { ...planCgroup(hierarchies, cgroupPath('', id)), directories: {} }
  return plannedInFiles(hierarchies, planned, { rootless: true })
}
