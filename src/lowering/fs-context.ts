// A file system by the mount API of fsopen(2): configured parameter by parameter, so that each can be refused by name.

import { FSCONFIG, FSOPEN_CLOEXEC } from '../linux/mount-flags.ts'
import type { Label, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import type { FsParameter } from './fs-parameters.ts'

/** What of a value is worth to be shown. */
const SHOWN = 80

/**
 * fsopen(2) to FSCONFIG_CMD_CREATE; a parameter that the file system refuses is a failure of its own.
 * @param refused where to go on when we may not open one
 */
export function lowerFsContext(
  { plan }: Pick<Context, 'plan'>,
  type: string,
  parameters: readonly FsParameter[],
  refused?: Label,
): Value {
  const onError = refused === undefined ? {} : { onError: { EPERM: refused } }
  const fs = plan.syscall('fsopen', [type, FSOPEN_CLOEXEC], { name: 'fs', about: `file system ${type}`, ...onError })
  for (const [key, value] of parameters) {
    const about = aboutParameter(key, value)
    if (value === undefined) plan.syscall('fsconfig', [fs, FSCONFIG.SET_FLAG, key, 0, 0], { about })
    else plan.syscall('fsconfig', [fs, FSCONFIG.SET_STRING, key, value, 0], { about })
  }
  plan.syscall('fsconfig', [fs, FSCONFIG.CMD_CREATE, 0, 0, 0], { about: `mount ${type}` })
  return fs
}

function aboutParameter(key: string, value: string | undefined): string {
  if (value === undefined) return `option ${key}`
  return `option ${key}=${value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value}`
}
