// What a case is; files of cases add theirs by check().

import { release } from 'node:os'
import type { Box } from './box.ts'
import { Skip } from './outcome.ts'

export interface Case {
  /** The rule of the specification or of the command line that it checks, as listed in conformance/README.md. */
  readonly rule: string
  readonly title: string
  readonly body: (box: Box) => Promise<void> | void
}

const cases: Case[] = []

/** All that were added, in that order. */
export function allCases(): readonly Case[] {
  return cases
}

/** Add a case. It gets a box of its own and ends well, fails an assertion, or skips. */
export function check(rule: string, title: string, body: Case['body']): void {
  const name = `${rule} ${title}`
  if (cases.some((other) => nameOf(other) === name)) throw new Error(`two cases are called ${name}`)
  cases.push({ rule, title, body })
}

/** End the case here: this machine can't show it. */
export function skip(reason: string): never {
  throw new Skip(reason)
}

/** End the case here on a kernel that is older. @param what it lacks */
export function needsKernel(oldest: string, what: string): void {
  const [major = 0, minor = 0] = oldest.split('.').map(Number)
  const [ours = 0, least = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10))
  if (ours < major || (ours === major && least < minor)) skip(`${what}: Linux ${oldest}`)
}

export function nameOf({ rule, title }: Case): string {
  return `${rule} ${title}`
}
