// The annotation runt.exit-record: leave a process that waits for the end of a detached container's init, so that `state` can
// tell it. Off unless asked for; the specification has no property for it.

import type { Check } from './checks.ts'

export const EXIT_RECORD_ANNOTATION = 'runt.exit-record'

export const exitRecord: Check = ({ annotations }, report) => {
  const text = annotations?.[EXIT_RECORD_ANNOTATION]
  if (text !== undefined && text !== 'true' && text !== 'false')
    report(`/annotations/${EXIT_RECORD_ANNOTATION}`, text, 'must be "true" or "false"')
}
