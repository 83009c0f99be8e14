// Moves a running container from one host to another, in each way that CRIU knows, and tells how long it stood:
// bun conformance/migration.ts [--runtime PATH]… [--megabytes N] [--runs N] [WORD …]
//
// The hosts are network namespaces, state roots and bundles of this machine. Runtimes and ways are interleaved, and medians are
// told: ratios are worth quoting, absolute times are this machine's. A run that does not arrive as it left is a failure.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ground } from './box.ts'
import { missingForBundles } from './bundle.ts'
import { migrate } from './migration/migrate.ts'
import type { Figures } from './migration/move.ts'
import { WAYS, type Way } from './migration/ways.ts'
import { Skip } from './outcome.ts'
import { findRuntime, type Runtime } from './runtime.ts'

/** A machine that has not done it yet is slower. */
const WARM_UP = 1
const RUNT = fileURLToPath(new URL('../dist/runt', import.meta.url))

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: 'string', multiple: true, default: [RUNT] },
    megabytes: { type: 'string', default: '64' },
    runs: { type: 'string', default: '3' },
  },
})
const [megabytes, runs] = [Number(values.megabytes), Number(values.runs)]

/** What came of one way under one runtime. */
interface Row {
  readonly way: Way
  readonly runtime: Runtime
  readonly figures: Figures[]
  skipped?: string
  failed?: string
}

async function main(): Promise<number> {
  const missing = missingForBundles() ?? values.runtime.find((path) => !existsSync(path.split(' ')[0] ?? ''))
  if (missing !== undefined) {
    console.log(`no migration: ${missing}`)
    return 1
  }
  const runtimes = values.runtime.map(findRuntime)
  const ways = WAYS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
  const rows = ways.flatMap((way) => runtimes.map((runtime): Row => ({ way, runtime, figures: [] })))
  for (let run = -WARM_UP; run < runs; run++) {
    const all = run < 0 ? rows.filter(({ way }) => way === ways[0]) : rows
    // What the one before leaves to the kernel to do hits both alike.
    for (const row of run % 2 === 0 ? all : all.toReversed()) await measure(row, run >= 0)
  }
  console.log(`${megabytes} MiB of memory at the start, and more of it with every tick; medians of ${runs} runs.\n`)
  print(rows)
  return rows.length === 0 || rows.some(({ failed }) => failed !== undefined) ? 1 : 0
}

async function measure(row: Row, counts: boolean): Promise<void> {
  if (row.skipped !== undefined || row.failed !== undefined) return
  using ground = new Ground(row.runtime)
  try {
    const figures = await migrate(ground, row.way, megabytes)
    if (counts) row.figures.push(figures)
  } catch (error) {
    if (error instanceof Skip) row.skipped = error.message
    else row.failed = error instanceof Error ? error.message : `${error}`
  }
}

const COLUMNS: readonly (readonly [title: string, unit: 'ms' | 'MB', key: keyof Figures])[] = [
  ['stood', 'ms', 'stood'],
  ['silence', 'ms', 'silence'],
  ['checkpoint', 'ms', 'checkpoint'],
  ['restore', 'ms', 'restore'],
  ['all', 'ms', 'total'],
  ['before', 'MB', 'before'],
  ['stopped', 'MB', 'during'],
  ['after', 'MB', 'after'],
]

function print(rows: readonly Row[]): void {
  const titles = ['way', 'runtime', ...COLUMNS.map(([title, unit]) => `${title}, ${unit}`)]
  const lines = rows.map((row) => [row.way.name, row.runtime.name, ...cells(row)])
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...lines.filter((line) => line.length > 3).map((line) => line[column]?.length ?? 0)),
  )
  for (const line of [titles, ...lines]) {
    console.log(line.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('  '))
  }
  console.log(`
stood       the longest time between two ticks of the program, by its own clock
silence     the longest time without an answer, at the other end of its TCP connection
checkpoint  from the begin of the last checkpoint until all is there that the restore needs
restore     until it goes on, on the other host
all         from the first command to the end of the last
before, stopped, after: images written while it ran and while it stood, memory fetched when it ran again`)
}

/** Words to the left, numbers to the right. */
function pad(cell: string, width: number, column: number): string {
  return column < 2 ? cell.padEnd(width) : cell.padStart(width)
}

function cells({ figures, skipped, failed }: Row): string[] {
  if (failed !== undefined) return [`FAILED: ${failed}`]
  if (skipped !== undefined) return [`skipped: ${skipped}`]
  return COLUMNS.map(([, unit, key]) => {
    const value = median(figures.map((each) => each[key]))
    return unit === 'ms' ? value.toFixed(0) : (value / 1e6).toFixed(1)
  })
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

process.exitCode = await main()
