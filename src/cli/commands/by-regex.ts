// --regex of kill and delete: one call for many containers.

import { RuntError } from '../../errors.ts'
import { warn } from '../../log.ts'
import type { Flag, Parsed } from '../args.ts'
import type { Globals } from '../command.ts'

export const REGEX_FLAG: Flag = {
  name: 'regex',
  short: 'r',
  kind: 'boolean',
  help: 'to all containers of this root whose ids it matches, as a regular expression',
}

/**
 * Do something with the container of the first operand, or with --regex with all that it means. One that it can't be done with
 * doesn't keep it from the others.
 * @throws the last error; those before are warnings
 */
export async function forEachContainer(
  args: Parsed,
  { store }: Globals,
  action: (id: string) => Promise<void> | void,
): Promise<void> {
  const [operand = ''] = args.operands
  if (!args.boolean('regex')) return action(operand)
  const pattern = compiled(operand)
  let last: unknown
  for (const id of store.ids().filter((each) => pattern.test(each))) {
    try {
      await action(id)
    } catch (error) {
      if (last instanceof Error) warn(last.message)
      last = error
    }
  }
  if (last !== undefined) throw last
}

function compiled(text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (cause) {
    throw new RuntError('usage', `${JSON.stringify(text)} is no regular expression`, { cause })
  }
}
