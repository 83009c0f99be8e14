// What the kernel's Landlock can do.

import { propertyError, type RuntError } from '../errors.ts'
import {
  LANDLOCK_CREATE_RULESET_VERSION,
  LANDLOCK_FS,
  LANDLOCK_NET,
  LANDLOCK_SCOPES,
  landlockAbiOf,
} from '../linux/landlock.ts'
import { trySyscall } from '../native/syscall.ts'

/** The rights that rules speak of. */
export interface LandlockNeeds {
  readonly handledAccessFS: readonly string[] | undefined
  readonly handledAccessNet: readonly string[]
  readonly scoped: readonly string[]
  readonly paths: readonly { readonly access: readonly string[] }[]
}

/** @returns the kernel's ABI @throws RuntError when it has no Landlock, or an older one than the rules need */
export function requireLandlock(needs: LandlockNeeds): number {
  const abi = trySyscall('landlock_create_ruleset', 0, 0, LANDLOCK_CREATE_RULESET_VERSION)
  if (abi <= 0) throw failure("this kernel's Landlock is not there, or switched off", 'boot with lsm=landlock,…')
  const needed = abiNeeded(needs)
  if (abi < needed) throw failure(`the rules need version ${needed} of Landlock's ABI, and this kernel has ${abi}`)
  return abi
}

/** The oldest ABI that knows all that is named. */
export function abiNeeded({ handledAccessFS = [], handledAccessNet, scoped, paths }: LandlockNeeds): number {
  return Math.max(
    landlockAbiOf([...handledAccessFS, ...paths.flatMap(({ access }) => access)], LANDLOCK_FS),
    landlockAbiOf(handledAccessNet, LANDLOCK_NET),
    landlockAbiOf(scoped, LANDLOCK_SCOPES),
  )
}

function failure(what: string, hint?: string): RuntError {
  return propertyError('host', '/annotations/runt.landlock', what, hint === undefined ? {} : { hint })
}
