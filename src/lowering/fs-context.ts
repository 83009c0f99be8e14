// A file system by the mount API of fsopen(2): configured parameter by parameter, so that each can be refused by name.

import { FSCONFIG, FSOPEN_CLOEXEC } from '../linux/mount-flags.ts'
import type { PlanBuilder } from '../plan/builder.ts'
import type { Label, Routine, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import type { FsParameter } from './fs-parameters.ts'

/** What of a value is worth to be shown. */
const SHOWN = 80

/**
 * fsopen(2) to FSCONFIG_CMD_CREATE; a parameter that the file system refuses is a failure of its own.
 * @param refused where to go on when we may not open one
 * @param more further parameters, known when it runs
 */
export function lowerFsContext(
  { plan }: Pick<Context, 'plan'>,
  type: string,
  parameters: readonly FsParameter[],
  refused?: Label,
  more: (fs: Value) => void = () => {},
): Value {
  const onError = refused === undefined ? {} : { onError: { EPERM: refused } }
  const fs = plan.syscall('fsopen', [type, FSOPEN_CLOEXEC], { name: 'fs', about: `file system ${type}`, ...onError })
  for (const [key, value] of parameters) {
    const about = aboutParameter(key, value)
    if (value === undefined) plan.syscall('fsconfig', [fs, FSCONFIG.SET_FLAG, key, 0, 0], { about })
    else plan.syscall('fsconfig', [fs, FSCONFIG.SET_STRING, key, value, 0], { about })
  }
  more(fs)
  plan.syscall('fsconfig', [fs, FSCONFIG.CMD_CREATE, 0, 0, 0], { about: `mount ${type}` })
  return fs
}

/** What of st_mode a file system takes as its root's mode. */
const DIGITS = 4

/** Parameters: a file system's context, and the st_mode that its root is to have: "mode=0755". */
export function modeRoutine(plan: PlanBuilder): Routine {
  return plan.routine('set_mode', ['fs', 'mode'], (fs, mode) => {
    const text = plan.buffer('mode', DIGITS + 1)
    for (let index = 0; index < DIGITS; index++) {
      const digit = plan.compute('and', plan.compute('shr', mode, 3 * (DIGITS - 1 - index)), 7)
      plan.store(text.at(index), 1, plan.add(digit, '0'.charCodeAt(0)))
    }
    plan.syscall('fsconfig', [fs, FSCONFIG.SET_STRING, 'mode', text.address, 0], { about: 'option mode' })
  })
}

function aboutParameter(key: string, value: string | undefined): string {
  if (value === undefined) return `option ${key}`
  return `option ${key}=${value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value}`
}
