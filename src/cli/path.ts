// Paths of the command line.

import { RuntError } from '../errors.ts'
import { callerDirectory } from '../native/caller.ts'
import type { Parsed } from './args.ts'

/** A path that counts from the working directory, as one that doesn't. */
export function absolute(path: string): string {
  return path.startsWith('/') ? path : `${callerDirectory()}/${path}`
}

/** The bundle of a command that takes it as an operand or as a flag. */
export function bundleOf(args: Parsed): string {
  const [operand] = args.operands
  const flag = args.string('bundle')
  if (operand !== undefined && flag !== undefined) throw new RuntError('usage', 'the bundle is given twice')
  return absolute(operand ?? flag ?? '.')
}
