// --profile: where the time of a start goes. What measures it is in recorder.ts, loaded when somebody asks.

import type { Plan } from '../plan/step.ts'

export interface Profile {
  /** The stage that just ended. */
  mark(stage: string): void
  /** Init's time stamps, one of 8 bytes for each step of the plan that ran. */
  steps(plan: Plan, table: Uint8Array): void
  /** The table; '' when nothing was measured. */
  print(): string
}

/** What create and run use when nobody asks. */
export const noProfile: Profile = { mark() {}, steps() {}, print: () => '' }
