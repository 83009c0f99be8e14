// --format of the commands that have several.

import { RuntError } from '../../errors.ts'
import type { Parsed } from '../args.ts'

/**
 * @param formats the first is the one without the flag
 * @throws RuntError 'usage' for another word
 */
export function formatOf<T extends string>(args: Parsed, formats: readonly [T, ...T[]]): T {
  const given = args.string('format') ?? formats[0]
  const format = formats.find((each) => each === given)
  if (format !== undefined) return format
  throw new RuntError('usage', `--format ${JSON.stringify(given)} is none of ${formats.join(', ')}`)
}
