// The systemd manager: a container's cgroup is a scope, a unit of systemd's that runt asks for. What systemd has no property for
// is written into the cgroup, as the cgroupfs manager does; so are all other limits, which makes them exact.
//
// A scope begins with a process: the container's init is born outside, waits while systemd puts it into the scope and runt writes
// the limits, and only then goes on.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Resources } from '../../config/types.ts'
import { RuntError } from '../../errors.ts'
import { SIGNAL } from '../../linux/signals.ts'
import { warn } from '../../log.ts'
import { exists } from '../../native/file.ts'
import { SyscallError } from '../../native/syscall.ts'
import { placesOf } from '../apply.ts'
import { type Cgroup, planCgroup, type Scope, UNIFIED } from '../cgroup.ts'
import { type CreateOptions, killCgroup, limitCgroup, makeFolders, removeCgroup } from '../fs.ts'
import type { Hierarchies } from '../hierarchy.ts'
import { describeWrite, tryWriteKnob } from '../knob.ts'
import type { CgroupManager, PlannedCgroup } from '../manager.ts'
import { renderSettings } from '../settings.ts'
import { type Update, updateCgroup } from '../update.ts'
import { annotatedProperties } from './annotations.ts'
import { deviceProperties } from './device-allow.ts'
import { UnitManager } from './manager.ts'
import { resourceProperties, unset } from './properties.ts'
import { type Property, property } from './property.ts'
import { type ManagerKind, slicePath, unitPlace } from './unit.ts'

export interface ScopeRequest {
  readonly id: string
  readonly kind: ManagerKind
  /** linux.cgroupsPath: slice:prefix:name. */
  readonly cgroupsPath: string | undefined
  /** Of the config: org.systemd.property.* among them. */
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * Where a scope will be; nobody is asked.
 * @param root the cgroup below which the manager's units are
 * @throws RuntError 'cgroup' for a cgroupsPath that names none
 */
export function placeScope(hierarchies: Hierarchies, { cgroupsPath, id, kind }: ScopeRequest, root: string): Cgroup {
  const { unit, slice } = unitPlace(cgroupsPath, id, kind)
  return { ...planCgroup(hierarchies, `${root}${slicePath(slice)}/${unit}`), scope: { unit, kind } }
}

/** A scope that is asked for, and the connection to who makes it. Dispose of it. */
export class PlannedScope implements PlannedCgroup {
  readonly awaitsProcess = true
  readonly #hierarchies: Hierarchies
  readonly #options: CreateOptions
  readonly #manager: UnitManager
  readonly #request: ScopeRequest
  readonly #annotated: readonly Property[]
  readonly #slice: string
  /** Where it will be: to be put on record. */
  readonly planned: Cgroup

  private constructor(hierarchies: Hierarchies, manager: UnitManager, request: ScopeRequest, options: CreateOptions) {
    this.#hierarchies = hierarchies
    this.#options = options
    this.#annotated = annotatedProperties(request.annotations)
    this.#manager = manager
    this.#request = request
    this.#slice = unitPlace(request.cgroupsPath, request.id, request.kind).slice
    this.planned = placeScope(hierarchies, request, manager.root)
  }

  /** Nothing is made. @throws RuntError for a cgroupsPath or annotation that is none, or when systemd doesn't answer */
  static async plan(hierarchies: Hierarchies, request: ScopeRequest, options: CreateOptions): Promise<PlannedScope> {
    placeScope(hierarchies, request, '')
    annotatedProperties(request.annotations)
    if (request.kind === 'user' && hierarchies.mode !== 'v2') {
      throw new RuntError('cgroup', 'the systemd of a user has cgroups of its own on cgroup v2 alone')
    }
    if (hierarchies.mode === 'none') throw new RuntError('cgroup', '--systemd-cgroup: no cgroups are mounted here')
    const manager = await UnitManager.open(request.kind)
    try {
      return new PlannedScope(hierarchies, manager, request, options)
    } catch (error) {
      manager[Symbol.dispose]()
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#manager[Symbol.dispose]()
  }

  create(): undefined {}

  /** Start the scope with a process that waits, and limit it. */
  async join(pid: number, resources: Resources): Promise<Cgroup> {
    const { unit, kind } = scopeOf(this.planned)
    const settings = renderSettings(resources, placesOf(this.planned).versionOf)
    await this.#manager.start(unit, [
      ...this.#basics(pid),
      ...resourceProperties(settings, this.#manager.release),
      ...(kind === 'user' ? [] : deviceProperties(resources.devices)), // loading the program takes root
      ...this.#annotated,
    ])
    const made: string[] = []
    const { planned: _, ...place } = this.planned
    let cgroup: Cgroup = { ...place, made }
    try {
      const invocation = await this.#manager.invocation(unit)
      if (invocation !== undefined) cgroup = { ...cgroup, scope: { unit, kind, invocation } }
      const doors = completeFolders(cgroup, made)
      // No user may load the device program, and a user namespace has no device that its maker hasn't.
      const rootless = this.#options.rootless === true || kind === 'user'
      limitCgroup(this.#hierarchies, cgroup, resources, { rootless })
      for (const door of doors) enter(door, pid) // v1's cpuset takes nobody before it is filled
      return cgroup
    } catch (error) {
      await remove(this.#manager, cgroup)
      if (!(error instanceof SyscallError)) throw error
      throw new RuntError('cgroup', `${unit}: ${error.message}`, { cause: error })
    }
  }

  #basics(pid: number): Property[] {
    return [
      property('Description', 's', `runt container ${this.#request.id}`),
      property('Slice', 's', this.#slice),
      property('Delegate', 'b', true),
      property('PIDs', 'au', [pid]),
      property('DefaultDependencies', 'b', false),
      property('MemoryAccounting', 'b', true),
      property('CPUAccounting', 'b', true),
      property(this.planned.mode === 'v2' ? 'IOAccounting' : 'BlockIOAccounting', 'b', true),
      property('TasksAccounting', 'b', true),
    ]
  }
}

function scopeOf({ scope }: Cgroup): Scope {
  if (scope === undefined) throw new Error('not a scope')
  return scope
}

/**
 * The folders in the hierarchies that systemd doesn't use.
 * @param made gets them, and those of the scope itself, which are new and the container's
 * @returns files by which a process enters where it isn't yet: on v1
 */
function completeFolders(cgroup: Cgroup, made: string[]): string[] {
  makeFolders(cgroup, made)
  const isSystemds = (name: string, directory: string) => name === UNIFIED && !made.includes(directory)
  const doors = Object.entries(cgroup.directories)
    .filter(([name, directory]) => !isSystemds(name, directory))
    .map(([, directory]) => `${directory}/cgroup.procs`)
  made.push(...Object.values(cgroup.directories).filter((directory) => !made.includes(directory)))
  return doors
}

function enter(file: string, pid: number): void {
  const result = tryWriteKnob(file, `${pid}`)
  if (result < 0) throw new RuntError('cgroup', describeWrite(file, `${pid}`, result))
}

/** Is the scope that is there the container's? One of its name may have come since it ended. */
async function isOurs(manager: UnitManager, { unit, invocation }: Scope): Promise<boolean> {
  const now = await manager.invocation(unit)
  return now === undefined || invocation === undefined || now === invocation
}

/** What is done by systemd with a scope that is there. */
export const SYSTEMD: CgroupManager = { limit: updateScope, attach: attachToScope, destroy: destroyScope }

/**
 * Kill what runs in a container's scope, stop it, and remove what is left. Without systemd, or when it refuses, a container goes
 * as well: systemd hears from the kernel that the scope is empty.
 * @throws RuntError 'cgroup'
 */
async function destroyScope(cgroup: Cgroup): Promise<void> {
  const scope = scopeOf(cgroup)
  try {
    using manager = await UnitManager.open(scope.kind)
    if (await isOurs(manager, scope)) await remove(manager, cgroup)
  } catch (error) {
    if (!(error instanceof RuntError)) throw error
    warn(`${scope.unit} is removed without systemd: ${error.message}`)
    killCgroup(cgroup, SIGNAL.SIGKILL)
    await leaveToSystemd(cgroup)
    removeCgroup(cgroup)
  }
}

/** How long systemd has to notice that a scope is empty, in milliseconds. */
const NOTICING = 500
const PAUSE = 10

/** It removes the folder itself. Of one that is gone too soon the kernel doesn't tell it, and the unit would seem to run. */
async function leaveToSystemd({ directories }: Cgroup): Promise<void> {
  const folder = directories[UNIFIED] ?? directories.systemd
  for (const deadline = performance.now() + NOTICING; folder !== undefined && exists(folder); ) {
    if (performance.now() > deadline) return
    await sleep(PAUSE)
  }
}

/** Have systemd move a process into a container's scope. @param below placeToAttach() @throws RuntError 'cgroup' */
async function attachToScope(cgroup: Cgroup, below: string, pid: number): Promise<void> {
  const { unit, kind } = scopeOf(cgroup)
  using manager = await UnitManager.open(kind)
  await manager.attach(unit, below, [pid])
}

/** Killed first: systemd would ask politely, and the init of a pid namespace needn't hear that. */
async function remove(manager: UnitManager, cgroup: Cgroup): Promise<void> {
  killCgroup(cgroup, SIGNAL.SIGKILL)
  await manager.stop(scopeOf(cgroup).unit)
  removeCgroup(cgroup)
}

/**
 * Like updateCgroup(), with the scope's properties in step.
 * @returns how to take all of it back
 */
async function updateScope(hierarchies: Hierarchies, cgroup: Cgroup, update: Update): Promise<() => Promise<void>> {
  const scope = scopeOf(cgroup)
  using manager = await UnitManager.open(scope.kind)
  const properties = changedProperties(cgroup, update, manager.release)
  // Twice in the files: once to hear what the kernel thinks of it, and again since systemd has less precise words.
  const undo = updateCgroup(hierarchies, cgroup, update)
  try {
    if (properties.next.length > 0) await manager.setProperties(scope.unit, properties.next)
    updateCgroup(hierarchies, cgroup, update)
  } catch (error) {
    await setAgain(scope, properties.before)
    undo()
    throw error
  }
  return async () => {
    await setAgain(scope, properties.before)
    undo()
  }
}

async function setAgain({ kind, unit }: Scope, properties: readonly Property[]): Promise<void> {
  if (properties.length === 0) return
  using manager = await UnitManager.open(kind)
  await manager.setProperties(unit, properties)
}

/** What an update says to systemd, and what would take it back. */
function changedProperties(
  cgroup: Cgroup,
  { before, asked, after }: Update,
  release: number,
): { readonly next: Property[]; readonly before: Property[] } {
  const { versionOf } = placesOf(cgroup)
  const devices = asked.devices.length > 0 && cgroup.scope?.kind === 'system'
  const next = resourceProperties(renderSettings(after, versionOf, asked), release)
  const old = new Map(resourceProperties(renderSettings(before, versionOf), release).map((each) => [each.name, each]))
  return {
    next: [...next, ...(devices ? deviceProperties(after.devices) : [])],
    before: [
      ...next.map((each) => old.get(each.name) ?? unset(each)),
      ...(devices ? deviceProperties(before.devices) : []),
    ],
  }
}
