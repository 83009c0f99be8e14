// One write to one file of a cgroup.

import { propertyError, type RuntError } from '../errors.ts'

export type Version = 'v1' | 'v2'

/** Where the host has a controller; undefined: nowhere. */
export type VersionOf = (controller: string) => Version | undefined

export interface Setting {
  readonly controller: string
  readonly version: Version
  readonly file: string
  readonly value: string
  /** Where in config.json it was asked for. */
  readonly pointer: string
  /** Neighbours with the same group constrain each other: what fails with EINVAL is written again after the others. */
  readonly group?: string
  /** Why it doesn't matter if the file isn't there. */
  readonly optional?: string
  /** What says the same to a kernel that has no such file, or can't do it for that device. */
  readonly fallback?: FileValue
  /** The file has a line for each device: how this one's begins, and the line of a device of which nothing is said. */
  readonly line?: { readonly key: string; readonly unset: string }
}

export type FileValue = readonly [file: string, value: string]

/** "linux.resources.pids.limit: no cgroup hierarchy has the pids controller" */
export function refuse(pointer: string, why: string, hint?: string): RuntError {
  return propertyError('cgroup', pointer, why, hint === undefined ? {} : { hint })
}

/** @throws RuntError when no hierarchy has the controller */
export function requireVersion(versionOf: VersionOf, controller: string, pointer: string): Version {
  const version = versionOf(controller)
  if (version === undefined) throw refuse(pointer, `no cgroup hierarchy has the ${controller} controller`)
  return version
}
