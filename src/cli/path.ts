// Paths of the command line.

import { callerDirectory } from '../native/caller.ts'

/** A path that counts from the working directory, as one that doesn't. */
export function absolute(path: string): string {
  return path.startsWith('/') ? path : `${callerDirectory()}/${path}`
}
