// Hooks of the runtime namespaces: prestart, createRuntime, poststart, poststop. The others are steps of the plan.

import type { Hook, HookKind } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { debug } from '../log.ts'
import { memoryFile } from '../native/descriptors.ts'
import { close, readAll } from '../native/file.ts'
import { SyscallError, syscall, trySyscall } from '../native/syscall.ts'
import { spawn } from '../process/spawn.ts'
import { describeStatus, reap, waitForEnd } from '../process/wait.ts'
import type { State } from './container.ts'

const LONGEST_OUTPUT = 2048

/**
 * Run hooks one after the other, each with the state on stdin and with just its own environment.
 * @throws RuntError of the first that fails; the others don't run. config.md, POSIX-platform Hooks
 */
export function runHooks(kind: HookKind, hooks: readonly Hook[], state: State): void {
  if (hooks.length === 0) return
  const text = new TextEncoder().encode(JSON.stringify(state))
  for (const [index, hook] of hooks.entries()) runHook(`hooks.${kind}[${index}] (${hook.path})`, hook, text)
}

/** poststop hooks: all run, a failure is a warning. @returns the warnings */
export function runAllHooks(kind: HookKind, hooks: readonly Hook[], state: State): string[] {
  const warnings: string[] = []
  for (const [index, hook] of hooks.entries()) {
    try {
      runHook(`hooks.${kind}[${index}] (${hook.path})`, hook, new TextEncoder().encode(JSON.stringify(state)))
    } catch (error) {
      warnings.push(error instanceof Error ? error.message : `${error}`)
    }
  }
  return warnings
}

function runHook(name: string, hook: Hook, state: Uint8Array): void {
  // Files in memory: a hook that reads or writes little or much never waits for runt.
  debug(`${name}: runs`)
  const input = memoryFile('state', state)
  const output = memoryFile('hook output', new Uint8Array(0))
  try {
    const pid = start(name, hook, input, output)
    if (hook.timeout !== undefined && !waitForEnd(pid, hook.timeout * 1000)) {
      syscall('kill', pid, 9)
      reap(pid)
      throw new RuntError('hook-timeout', `${name}: did not end within ${hook.timeout} s${printed(output)}`)
    }
    const status = reap(pid)
    if (status === 0) return
    const how = status === undefined ? 'lost' : describeStatus(status)
    throw new RuntError('hook', `${name}: hook failed: ${how}${printed(output)}`)
  } finally {
    close(input)
    close(output)
  }
}

function start(name: string, hook: Hook, input: number, output: number): number {
  try {
    const descriptors = [
      [input, 0],
      [output, 1],
      [output, 2],
    ] as const
    return spawn({ path: hook.path, args: hook.args, env: hook.env, descriptors })
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    throw new RuntError('hook', `${name}: ${error.message}`, { cause: error })
  }
}

/** What a hook said, as the end of the sentence about it. */
function printed(output: number): string {
  trySyscall('lseek', output, 0, 0)
  const text = new TextDecoder().decode(readAll(output)).trim()
  if (text === '') return ''
  return `: ${text.length > LONGEST_OUTPUT ? `${text.slice(0, LONGEST_OUTPUT)}…` : text}`
}
