// One class for every error that a person may see. Thrown where it happens, printed once in cli/main.ts.

export type ErrorCode =
  | 'usage'
  | 'bundle'
  | 'config-invalid'
  | 'config-unsupported'
  | 'container-exists'
  | 'container-not-found'
  | 'container-status'
  | 'id-invalid'
  | 'host'
  | 'init'
  | 'hook'
  | 'cgroup'
  | 'state'
  | 'signal'
  | 'syscall'
  | 'internal'

export interface RuntErrorOptions {
  readonly cause?: unknown
  /** Exit status of runt for this error; 1 unless told. */
  readonly exitStatus?: number
  /** The cure, when it is known: printed on a line of its own. */
  readonly hint?: string
  /** Facts for the JSON log line: paths, pointers, errno. */
  readonly data?: Readonly<Record<string, unknown>>
}

export class RuntError extends Error {
  readonly code: ErrorCode
  readonly exitStatus: number
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
    this.exitStatus = options.exitStatus ?? 1
    this.hint = options.hint
    this.data = options.data ?? {}
  }
}
