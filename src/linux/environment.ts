// The environment of a process as a text. environ(7)

/**
 * What the front writes in place of the "=" of a variable that is not for the engine's own machinery: options of its parts,
 * modules to load before all others. Nobody finds it under its name then, but who knows.
 */
export const HIDING = '\x01'

const SIGN = new RegExp(`[=${HIDING}]`)

/** @param text as /proc/PID/environ has it; of two values the first counts, as for getenv(3) */
export function parseEnvironment(text: string): Readonly<Record<string, string>> {
  const variables: Record<string, string> = Object.create(null)
  for (const entry of text.split('\0')) {
    const end = entry.search(SIGN)
    if (end > 0) variables[entry.slice(0, end)] ??= entry.slice(end + 1)
  }
  return variables
}
