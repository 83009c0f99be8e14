import { type Profile, Recorder } from '../../lifecycle/profile.ts'
import { writeAll } from '../../native/file.ts'

const STDERR = 2

/** The table of --profile, on stderr: stdout is the container's. */
export function printProfile(profile: Profile): void {
  if (profile instanceof Recorder) writeAll(STDERR, profile.print())
}
