// Hooks of the runtime namespaces: prestart, createRuntime, poststart, poststop. The others are steps of the plan.

import type { Hook, HookKind } from '../config/types.ts'
import type { ErrorCode } from '../error-codes.ts'
import { propertyError, type RuntError } from '../errors.ts'
import { debug } from '../log.ts'
import { callerVariables } from '../native/caller.ts'
import { memoryFile, pipe, poll } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { SyscallError, syscall } from '../native/syscall.ts'
import { pointerText, stepsOf } from '../pointer.ts'
import { printable } from '../printable.ts'
import { spawn } from '../process/spawn.ts'
import { describeStatus, reap } from '../process/wait.ts'
import { hookWords } from '../words.ts'
import type { State } from './container.ts'
import { Excerpt } from './excerpt.ts'

/** What a pipe holds at most. pipe(7) */
const PIPE_ROOM = 65536

/**
 * Run hooks one after the other, each with the state on stdin and with just its own environment; one that lists none has runt's.
 * @throws RuntError of the first that fails; the others don't run. config.md, POSIX-platform Hooks
 */
export function runHooks(kind: HookKind, hooks: readonly Hook[], state: State): void {
  if (hooks.length === 0) return
  const text = new TextEncoder().encode(JSON.stringify(state))
  for (const [index, hook] of hooks.entries()) runHook(`/hooks/${kind}/${index}`, hook, text)
}

/** poststop hooks: all run, a failure is a warning. @returns the warnings */
export function runAllHooks(kind: HookKind, hooks: readonly Hook[], state: State): string[] {
  const warnings: string[] = []
  for (const [index, hook] of hooks.entries()) {
    try {
      runHook(`/hooks/${kind}/${index}`, hook, new TextEncoder().encode(JSON.stringify(state)))
    } catch (error) {
      warnings.push(error instanceof Error ? error.message : `${error}`)
    }
  }
  return warnings
}

/** @param pointer of the hook in config.json */
function runHook(pointer: string, hook: Hook, state: Uint8Array): void {
  debug(`${pointerText(pointer)}: ${printable(hook.path)} runs`)
  // A file in memory: a hook that reads little or nothing never waits for runt.
  const input = memoryFile('state', state)
  const [output, theirs] = pipe()
  try {
    const pid = start(pointer, hook, input, theirs)
    const said = new Excerpt()
    if (!listen(pid, output, said, hook.timeout)) {
      syscall('kill', pid, 9)
      reap(pid)
      throw failure('hook-timeout', pointer, hook, `did not end within ${hook.timeout} s${printed(said)}`)
    }
    const status = reap(pid)
    if (status === 0) return
    const how = status === undefined ? 'lost' : describeStatus(status)
    throw failure('hook', pointer, hook, `${how}${printed(said)}`)
  } finally {
    close(input)
    close(output)
  }
}

function failure(code: ErrorCode, pointer: string, { path }: Hook, why: string, cause?: unknown): RuntError {
  const [, kind = '', index = ''] = stepsOf(pointer)
  return propertyError(code, pointer, `${printable(path)}: ${hookWords(kind, index)}: ${why}`, { cause })
}

function start(pointer: string, hook: Hook, input: number, output: number): number {
  try {
    const descriptors = [
      [input, 0],
      [output, 1],
      [output, 2],
    ] as const
    return spawn({ path: hook.path, args: hook.args, env: hook.env ?? callerVariables(), descriptors })
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    throw failure('hook', pointer, hook, error.message, error)
  } finally {
    close(output)
  }
}

/**
 * Hear what a hook says until it ends; what it leaves running is not waited for.
 * @param timeout seconds
 * @returns false when it goes on after that
 */
function listen(pid: number, output: number, said: Excerpt, timeout: number | undefined): boolean {
  const deadline = timeout === undefined ? undefined : performance.now() + timeout * 1000
  const pidfd = syscall('pidfd_open', pid, 0)
  const buffer = new Uint8Array(PIPE_ROOM)
  let sources = [pidfd, output]
  try {
    for (;;) {
      const left = deadline === undefined ? undefined : deadline - performance.now()
      if (left !== undefined && left <= 0) return false
      const ready = poll(sources, left)
      if (ready.includes(output)) {
        const length = syscall('read', output, buffer, buffer.length)
        said.add(buffer.subarray(0, length))
        if (length === 0) sources = [pidfd]
      }
      // All that it wrote was in the pipe then, and one read takes it; others may hold the pipe open and write on.
      if (ready.includes(pidfd)) return true
    }
  } finally {
    close(pidfd)
  }
}

/** What a hook said, as the end of the sentence about it. */
function printed(said: Excerpt): string {
  const text = said.text().trim()
  return text === '' ? '' : `: ${printable(text)}`
}
