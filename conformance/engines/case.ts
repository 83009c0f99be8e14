// A case on one or more engines.

import type { EngineName, Session } from './engine.ts'

export interface EngineCase {
  readonly engine: EngineName
  readonly title: string
  readonly body: (session: Session) => Promise<void>
  /** Part of `make test`. */
  readonly short: boolean
  /** It needs a CRIU that works. */
  readonly criu: boolean
}

/** The two with nearly one command line. */
export const BOTH: readonly EngineName[] = ['podman', 'docker']

const cases: EngineCase[] = []

export function allCases(): readonly EngineCase[] {
  return cases
}

/** Add a case for each of these engines. */
export function on(
  engines: EngineName | readonly EngineName[],
  title: string,
  body: EngineCase['body'],
  { short = false, criu = false }: { short?: boolean; criu?: boolean } = {},
): void {
  for (const engine of [engines].flat()) {
    const each = { engine, title, body, short, criu }
    if (cases.some((other) => nameOf(other) === nameOf(each))) throw new Error(`two cases are called ${nameOf(each)}`)
    cases.push(each)
  }
}

export function nameOf({ engine, title }: EngineCase): string {
  return `${engine} ${title}`
}
