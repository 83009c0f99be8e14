// From root to the program's user, in the order in which rights are needed and go: the same for init and for exec.

import type { Field } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'
import { lowerNoNewPrivileges, lowerRlimits, lowerStandardStreams, lowerUser } from './credentials.ts'
import { lowerFindProgram } from './execve.ts'
import { lowerLandlock } from './landlock.ts'
import { lowerLabels } from './lsm.ts'
import { type CwdEntry, lowerPersonality } from './process-setup.ts'
import { lowerIoPriority, lowerMemoryPolicy, lowerScheduler } from './scheduling.ts'

/** @returns where the program's path stands; undefined when the config has no process */
export function lowerIdentity(context: ProcessContext, cwd: CwdEntry): Field | undefined {
  lowerRlimits(context)
  lowerStandardStreams(context)
  lowerScheduler(context)
  lowerIoPriority(context)
  lowerMemoryPolicy(context)
  lowerPersonality(context)
  lowerLabels(context)
  lowerLandlock(context)
  lowerNoNewPrivileges(context)
  lowerUser(context)
  cwd.retry()
  return lowerFindProgram(context)
}
