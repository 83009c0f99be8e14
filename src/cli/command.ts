// What a command is: its words for a person, and one call into lifecycle/.

import type { Store } from '../lifecycle/store.ts'
import type { Flag, Parsed } from './args.ts'

/** The global flags, read. */
export interface Globals {
  readonly store: Store
  readonly systemdCgroup: boolean
  /** The container stays in the caller's cgroup. */
  readonly noCgroups: boolean
  readonly rootless: boolean
  readonly debug: boolean
  readonly supervised: boolean
  /** For commands that speak of all. */
  readonly commands: Commands
}

/** Name → how to load it. */
export type Commands = Readonly<Record<string, () => Promise<Command>>>

export interface Command {
  readonly name: string
  /** Operands as the usage line shows them. */
  readonly operands: string
  readonly summary: string
  /** Paragraphs for the manual and the help: what the summary can't say. */
  readonly details?: readonly string[]
  readonly flags: readonly Flag[]
  /** Lines to try, and what each does. At least one. */
  readonly examples: readonly (readonly [line: string, what: string])[]
  /** How many operands there may be. */
  readonly arity: readonly [least: number, most: number]
  /** Everything that follows the first operand belongs to another program. */
  readonly stopEarly?: boolean
  /** The exit status for an error, where 1 could be taken for another program's. */
  readonly errorStatus?: number
  /** @returns the exit status */
  run(args: Parsed, globals: Globals): Promise<number>
}
