import { noProfile, type Profile } from '../../lifecycle/profile.ts'
import { writeAll } from '../../native/file.ts'

const STDERR = 2

/** What --profile asks for. */
export async function startProfile(wanted: boolean): Promise<Profile> {
  return wanted ? new (await import('../../lifecycle/recorder.ts')).Recorder() : noProfile
}

/** The table of --profile, on stderr: stdout is the container's. */
export function printProfile(profile: Profile): void {
  const text = profile.print()
  if (text !== '') writeAll(STDERR, text)
}
