// One class for every error that a person may see. Thrown where it happens, printed once in cli/main.ts.

import type { ErrorCode } from './error-codes.ts'
import { pointerText } from './pointer.ts'

export interface RuntErrorOptions {
  readonly cause?: unknown
  /** The cure, when it is known: printed on a line of its own. */
  readonly hint?: string | undefined
  /** Facts for the JSON log line: paths, pointers, errno. */
  readonly data?: Readonly<Record<string, unknown>>
}

export class RuntError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly data: Readonly<Record<string, unknown>>

  /**
   * @param code stable word for programs
   * @param message lower case, no full stop, the path or pointer first
   */
  constructor(code: ErrorCode, message: string, options: RuntErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RuntError'
    this.code = code
    this.hint = options.hint
    this.data = options.data ?? {}
  }
}

/**
 * An error about a property of config.json.
 * @param pointer of the property
 */
export function propertyError(
  code: ErrorCode,
  pointer: string,
  why: string,
  options: RuntErrorOptions = {},
): RuntError {
  return new RuntError(code, `${pointerText(pointer)}: ${why}`, { ...options, data: { pointer, ...options.data } })
}

/** What the JSON log line of an error has beside level, msg and time. */
export function logFields(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof RuntError) {
    return {
      code: error.code,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...callOf(error.cause),
      ...error.data,
    }
  }
  const call = callOf(error)
  return call === undefined
    ? { code: 'internal' satisfies ErrorCode }
    : { code: 'syscall' satisfies ErrorCode, ...call }
}

/** native/'s SyscallError, known by its members: this file is below that room. */
function callOf(error: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return undefined
  return { syscall: error.syscall, errno: error.code }
}
