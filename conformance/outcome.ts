// How a case ended: judged by the runtime's list of deviations, told as TAP.

import { existsSync, readFileSync } from 'node:fs'

export type Ending =
  | { readonly kind: 'pass' }
  | { readonly kind: 'fail'; readonly reason: string }
  | { readonly kind: 'skip'; readonly reason: string }
  /** It failed, as the runtime's list says. */
  | { readonly kind: 'deviation'; readonly reason: string }
  /** It passed, though listed. */
  | { readonly kind: 'surprise'; readonly reason: string }

export interface Outcome {
  readonly name: string
  readonly ending: Ending
  readonly milliseconds: number
}

export class Skip extends Error {}

/** Do the work of a case. */
export async function endingOf(work: () => Promise<void>): Promise<Ending> {
  try {
    await work()
    return { kind: 'pass' }
  } catch (error) {
    if (error instanceof Skip) return { kind: 'skip', reason: error.message }
    return { kind: 'fail', reason: error instanceof Error ? describe(error) : `${error}` }
  }
}

/** The message, and for an assertion the two sides. */
function describe(error: Error & { expects?: unknown; actual?: unknown }): string {
  const { actual, expects } = error
  const sides = expects === undefined ? '' : `\nexpected ${JSON.stringify(expects)}\nfound    ${JSON.stringify(actual)}`
  const line = error.stack?.match(/cases\/[\w-]+\.ts:\d+/)?.[0]
  return `${error.message}${sides}${line === undefined ? '' : `\nat ${line}`}`
}

/** @param listed why the runtime is known to fail the case, if it is */
export function judge(ending: Ending, listed: string | undefined): Ending {
  if (listed === undefined) return ending
  if (ending.kind === 'fail') return { kind: 'deviation', reason: listed }
  if (ending.kind === 'pass') return { kind: 'surprise', reason: listed }
  return ending
}

/** The table in deviations/NAME.md: case → reason. */
export function readDeviations(runtime: string): Map<string, string> {
  const file = new URL(`deviations/${runtime}.md`, import.meta.url)
  if (!existsSync(file)) return new Map()
  const rows = readFileSync(file, 'utf8').matchAll(/^\| (.+?) \| (.+?) \|$/gm)
  return new Map([...rows].slice(1).map(([, name = '', reason = '']) => [name, reason]))
}

/** A whole run, for a person as well. */
export function tap(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map((outcome, index) => tapLine(outcome, index + 1))
  return [TAP_HEADER, `1..${outcomes.length}`, ...lines].join('\n')
}

export const TAP_HEADER = 'TAP version 14'

/** @param number counts from 1 */
export function tapLine({ name, ending }: Outcome, number: number): string {
  const title = `${number} - ${name}`
  switch (ending.kind) {
    case 'pass':
      return `ok ${title}`
    case 'surprise':
      return `ok ${title}\n  # passes, and is listed as a deviation: ${ending.reason}`
    case 'skip':
      return `ok ${title} # SKIP ${ending.reason}`
    case 'deviation':
      return `not ok ${title} # TODO known deviation: ${ending.reason}`
    case 'fail':
      return `not ok ${title}\n${ending.reason.replace(/^/gm, '  # ')}`
    default:
      return ending satisfies never
  }
}

/** The last line of a run: what was tested, and how many ended which way. */
export function summary(version: string, outcomes: readonly Outcome[], milliseconds: number): string {
  const surprises = countOf(outcomes, 'surprise')
  return (
    `# ${version}: ${countOf(outcomes, 'pass') + surprises} passed, ${countOf(outcomes, 'fail')} failed, ` +
    `${countOf(outcomes, 'deviation')} known deviations, ${countOf(outcomes, 'skip')} skipped ` +
    `in ${(milliseconds / 1000).toFixed(1)} s` +
    (surprises > 0 ? `; ${surprises} of the passed are listed as deviations` : '')
  )
}

export function countOf(outcomes: readonly Outcome[], kind: Ending['kind']): number {
  return outcomes.filter(({ ending }) => ending.kind === kind).length
}
