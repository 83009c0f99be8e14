// The grammar of container ids: one path component, nothing else.

import { RuntError } from '../errors.ts'

const ID = /^[A-Za-z0-9_+.-]+$/
const LONGEST = 255 // one file name

/** @throws RuntError with the words that engines know */
export function checkId(id: string): void {
  if (ID.test(id) && id !== '.' && id !== '..' && id.length <= LONGEST) return
  throw new RuntError('id-invalid', `invalid container ID format: ${JSON.stringify(id)}`, {
    hint: `an id is 1 to ${LONGEST} characters of A-Z a-z 0-9 _ + . -`,
  })
}
