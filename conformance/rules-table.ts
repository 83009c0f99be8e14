// rules.md: how runtimes fare, rule by rule. bun conformance/rules-table.ts RUNTIME…

import { writeFileSync } from 'node:fs'
import { missingForBundles } from './bundle.ts'
import type { Outcome } from './outcome.ts'
import { RULES, type Rule } from './rules.ts'
import { findRuntime } from './runtime.ts'
import { runCases } from './suite.ts'

const FILE = new URL('rules.md', import.meta.url)

interface Run {
  readonly version: string
  readonly outcomes: ReadonlyMap<string, readonly Outcome[]>
}

const missing = missingForBundles()
if (missing !== undefined) throw new Error(missing)
const runs: Run[] = []
for (const text of process.argv.slice(2)) {
  const runtime = findRuntime(text)
  const outcomes = await runCases(runtime, [])
  const failed = outcomes.filter(({ ending }) => ending.kind === 'fail')
  if (failed.length > 0) throw new Error(`${runtime.version} fails ${failed.map(({ name }) => name).join('; ')}`)
  runs.push({ version: runtime.version, outcomes: groupBy(outcomes, ({ name }) => name.split(' ')[0] ?? '') })
}
writeFileSync(FILE, table(runs))

function table(all: readonly Run[]): string {
  const names = all.map(({ version }) => version.replace(' version', ''))
  return `# Rule by rule

Made by \`make rules\`: how many cases of each rule pass, of those that this machine could show. What the others fail is listed with the
reason in [deviations](deviations/). Rules without cases of their own say where they are proved.

| rule | demands | ${names.join(' | ')} |
| --- | --- |${names.map(() => ' --- |').join('')}
${RULES.map((rule) => row(rule, all)).join('\n')}

${skipped(all)}`
}

function row({ name, demand, elsewhere }: Rule, all: readonly Run[]): string {
  const cells: string[] = all.map(({ outcomes }) => cell(outcomes.get(name) ?? []))
  if (elsewhere !== undefined && cells.every((each) => each.length === 0)) cells[0] = elsewhere
  return `| ${name} | ${demand} | ${cells.join(' | ')} |`
}

function cell(outcomes: readonly Outcome[]): string {
  const shown = outcomes.filter(({ ending }) => ending.kind !== 'skip')
  const passed = shown.filter(({ ending }) => ending.kind === 'pass' || ending.kind === 'surprise')
  if (outcomes.length === 0) return ''
  return shown.length === 0 ? 'skipped' : `${passed.length} of ${shown.length}`
}

/** What the machine, or the runtime, could not show. */
function skipped(all: readonly Run[]): string {
  return all
    .map(({ version, outcomes }) => {
      const skips = [...outcomes.values()].flat().filter(({ ending }) => ending.kind === 'skip')
      const reasons = groupBy(skips, ({ ending }) => ('reason' in ending ? ending.reason : ''))
      const lines = [...reasons].map(([reason, cases]) => `- ${reason}: ${cases.map(({ name }) => name).join('; ')}`)
      return `## Skipped on ${version}\n\n${lines.length === 0 ? 'Nothing.' : lines.join('\n')}\n`
    })
    .join('\n')
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}
