// From root to the program's user, in the order in which rights are needed and go: the same for init and for exec.

import type { ProcessContext } from './context.ts'
import { lowerChildUser, lowerNoNewPrivileges, lowerRlimits, lowerStandardStreams, lowerUser } from './credentials.ts'
import { lowerFindProgram, lowerHomeIfUnset, type Program } from './execve.ts'
import { lowerLandlock } from './landlock.ts'
import { lowerLabels } from './lsm.ts'
import { type CwdEntry, lowerPersonality } from './process-setup.ts'
import { lowerIoPriority, lowerMemoryPolicy, lowerScheduler } from './scheduling.ts'

/** @returns undefined when the config has no process */
export function lowerIdentity(context: ProcessContext, cwd: CwdEntry): Program | undefined {
  lowerRlimits(context)
  lowerStandardStreams(context)
  lowerScheduler(context)
  return lowerInherited(context, cwd, 'own')
}

/** The same as far as a child inherits it, in the process that forks it. The child goes on with lowerChildIdentity(). */
export function lowerIdentityForChild(context: ProcessContext, cwd: CwdEntry): Program | undefined {
  lowerRlimits(context)
  lowerStandardStreams(context)
  return lowerInherited(context, cwd, 'child')
}

/** The rest of it. What may reset the scheduler on a fork, or forbid one, is set after it. */
export function lowerChildIdentity(context: ProcessContext): void {
  lowerScheduler(context)
  lowerChildUser(context)
}

function lowerInherited(context: ProcessContext, cwd: CwdEntry, whose: 'own' | 'child'): Program | undefined {
  const home = lowerHomeIfUnset(context)
  lowerIoPriority(context)
  lowerMemoryPolicy(context)
  lowerPersonality(context)
  lowerLabels(context)
  lowerLandlock(context)
  lowerNoNewPrivileges(context)
  lowerUser(context, whose)
  cwd.retry()
  return lowerFindProgram(context, home)
}
