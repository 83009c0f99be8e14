// A run of the cases: two at a time, judged by the runtime's list of deviations, told as TAP.

import './cases/all.ts'
import { existsSync, readFileSync } from 'node:fs'
import { Box, Ground } from './box.ts'
import { allCases, type Case, nameOf, Skip } from './case.ts'
import type { Runtime } from './runtime.ts'

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

const AT_ONCE = 2

/** Run the cases whose names have one of the words; two at a time. */
export async function runCases(runtime: Runtime, words: readonly string[]): Promise<Outcome[]> {
  const deviations = readDeviations(runtime.name)
  using ground = new Ground(runtime)
  const chosen = allCases().filter((each) => words.length === 0 || words.some((word) => nameOf(each).includes(word)))
  const outcomes = new Map<Case, Outcome>()
  const waiting = [...chosen]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const started = performance.now()
      const ending = judge(await runCase(next, ground), deviations.get(nameOf(next)))
      outcomes.set(next, { name: nameOf(next), ending, milliseconds: performance.now() - started })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return chosen.flatMap((each) => outcomes.get(each) ?? [])
}

async function runCase(next: Case, ground: Ground): Promise<Ending> {
  try {
    await using box = new Box(ground)
    await next.body(box)
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
  const line = error.stack?.match(/cases\/\w+\.ts:\d+/)?.[0]
  return `${error.message}${sides}${line === undefined ? '' : `\nat ${line}`}`
}

function judge(ending: Ending, listed: string | undefined): Ending {
  if (listed === undefined) return ending
  if (ending.kind === 'fail') return { kind: 'deviation', reason: listed }
  if (ending.kind === 'pass') return { kind: 'surprise', reason: listed }
  return ending
}

/** The table in deviations/NAME.md: case → reason. */
function readDeviations(runtime: string): Map<string, string> {
  const file = new URL(`deviations/${runtime}.md`, import.meta.url)
  if (!existsSync(file)) return new Map()
  const rows = readFileSync(file, 'utf8').matchAll(/^\| (.+?) \| (.+?) \|$/gm)
  return new Map([...rows].slice(1).map(([, name = '', reason = '']) => [name, reason]))
}

/** As TAP 14, for a person as well. */
export function tap(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map(({ name, ending }, index) => {
    const title = `${index + 1} - ${name}`
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
  })
  return ['TAP version 14', `1..${outcomes.length}`, ...lines].join('\n')
}

export function countOf(outcomes: readonly Outcome[], kind: Ending['kind']): number {
  return outcomes.filter(({ ending }) => ending.kind === kind).length
}
