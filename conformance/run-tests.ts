// Runs every *.test.ts, each in a process of its own, and sums up; the last line is "N passed, N failed, N skipped".
//
//   bun conformance/run-tests.ts [--pure] [--engine bun|node] [WORD …]
//
// src/ and spec-schemas/ hold pure tests: two at a time, under Bun and then under Node. What touches the kernel is in
// conformance/: one at a time, under Bun, and nothing may be left of it. WORDs select files by a part of their path.

import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import { choose } from './choose.ts'
import { type Machine, observe } from './leaks.ts'
import { adoptOrphans, isOwn } from './orphans.ts'
import { PATIENCE } from './patience.ts'

type Engine = 'bun' | 'node'

interface Job {
  readonly file: string
  readonly engine: Engine
  readonly seconds: number
}

interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly output: string
  readonly seconds: number
}

interface Report extends Outcome {
  readonly title: string
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PURE_ROOTS = ['src', 'spec-schemas']
const KERNEL_ROOT = 'conformance'
const PURE_SECONDS = 180 * PATIENCE
const KERNEL_SECONDS = 600 * PATIENCE
const AT_ONCE = 2
const SKIPPED = /^skipped.*: .*$/gm
/** Of the test files' processes. */
const pids = new Set<number>()
const DOTS = /^(?:[•✘] )+.*$/gm
const COMMANDS: Readonly<Record<Engine, readonly string[]>> = {
  bun: ['node_modules/.bin/bun'],
  node: ['node', '--import', 'tsx'],
}

const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { pure: { type: 'boolean', default: false }, engine: { type: 'string' } },
})

async function main(): Promise<number> {
  process.chdir(ROOT)
  const engines: readonly Engine[] = options.engine === undefined ? ['bun', 'node'] : [engine(options.engine)]
  const roots = options.pure || !engines.includes('bun') ? PURE_ROOTS : [...PURE_ROOTS, KERNEL_ROOT]
  const files = choose(roots.flatMap(findTests), words, (file) => file)
  const touchesKernel = (file: string) => file.startsWith(`${KERNEL_ROOT}/`)
  const pure = files.filter((file) => !touchesKernel(file))
  const jobs = engines.flatMap((engine) => pure.map((file) => ({ file, engine, seconds: PURE_SECONDS })))
  const kernelJobs = files
    .filter(touchesKernel)
    .map((file) => ({ file, engine: 'bun' as const, seconds: KERNEL_SECONDS }))
  const outcomes = [...(await runAll(jobs, AT_ONCE)), ...(await runGuarded(kernelJobs))]
  return summarize(outcomes)
}

function engine(name: string): Engine {
  if (name === 'bun' || name === 'node') return name
  throw new Error(`--engine ${name} is none of bun, node`)
}

function findTests(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `${folder}/${name}`)
    .sort()
}

/** The kernel-touching ones, with a look at the machine before and after. */
async function runGuarded(jobs: readonly Job[]): Promise<Report[]> {
  if (jobs.length === 0) return []
  await using orphans = adoptOrphans()
  const folder = mkdtempSync(`${tmpdir()}/runt-tests-`)
  chmodSync(folder, 0o1777) // as the machine's: some tests are an ordinary user's
  const before = observe({ folder, pids })
  const outcomes = await runAll(jobs, 1, { TMPDIR: folder })
  const left = report('nothing is left on the machine', await leakOutcome(before, orphans.list))
  if (left.failed === 0) rmSync(folder, { recursive: true, force: true })
  return [...outcomes, left]
}

async function leakOutcome(before: Machine, orphans: () => readonly string[]): Promise<Outcome> {
  const started = performance.now()
  const left = [...(await before.newSince()), ...orphans().map((process) => `process ${process}`)]
  const seconds = (performance.now() - started) / 1000
  return left.length === 0
    ? { passed: 1, failed: 0, skipped: 0, output: '', seconds }
    : { passed: 0, failed: 1, skipped: 0, seconds, output: left.map((what) => `left behind: ${what}`).join('\n') }
}

/** @param env for them, beside ours */
async function runAll(jobs: readonly Job[], atOnce: number, env: NodeJS.ProcessEnv = {}): Promise<Report[]> {
  const waiting = [...jobs]
  const outcomes: Report[] = []
  const worker = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      outcomes.push(report(`${job.file} (${job.engine})`, await run(job, env)))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return outcomes
}

/** One file in one process. It counts as failed, too, when it crashes, hangs, or runs no test. */
async function run({ file, engine, seconds }: Job, env: NodeJS.ProcessEnv): Promise<Outcome> {
  const started = performance.now()
  const [command = '', ...args] = COMMANDS[engine]
  const child = spawn(command, [...args, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env, FORCE_COLOR: '0', NO_COLOR: '1' },
  })
  let output = ''
  isOwn(child)
  if (child.pid !== undefined) pids.add(child.pid)
  const append = (chunk: Buffer): void => {
    output += chunk.toString()
  }
  child.stdout.on('data', append)
  child.stderr.on('data', append)
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, seconds * 1000)
  const ending = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? code}`))
  })
  clearTimeout(timer)
  const verdict = judge(stripVTControlCharacters(output), late ? `took longer than ${seconds} s` : ending)
  return { ...verdict, seconds: (performance.now() - started) / 1000 }
}

function judge(output: string, ending: string | undefined): Omit<Outcome, 'seconds'> {
  const total = count(output, 'Total')
  const passed = count(output, 'Passed')
  const skipped = count(output, 'Skipped')
  const failed = total - passed
  if (failed > 0 && ending === 'ended with 1') return { passed, failed, skipped, output }
  const unexplained = skipped > 0 && output.match(SKIPPED) === null ? 'skips without a line that says why' : undefined
  const trouble = ending ?? (total + skipped === 0 ? 'ran no test' : unexplained)
  if (trouble === undefined) return { passed, failed, skipped, output }
  return { passed, failed: failed + 1, skipped, output: `${output}\n${trouble}` }
}

/** A line of uvu's summary. */
function count(output: string, word: string): number {
  return Number(output.match(new RegExp(`^ {2}${word}: +(\\d+)$`, 'm'))?.[1] ?? 0)
}

function report(title: string, outcome: Outcome): Report {
  const { passed, failed, skipped, output, seconds } = outcome
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`
  console.log(`${failed > 0 ? 'FAILED' : 'ok'}  ${title}: ${counts}, ${seconds.toFixed(1)} s`)
  for (const line of output.match(SKIPPED) ?? []) console.log(`    ${line}`)
  return { ...outcome, title }
}

/** What failed comes last, where it is seen; uvu's dots say nothing. */
function summarize(outcomes: readonly Report[]): number {
  for (const { title, failed, output } of outcomes) {
    if (failed === 0) continue
    const details = output
      .replace(SKIPPED, '')
      .replace(DOTS, '')
      .replace(/\n{2,}/g, '\n')
    console.log(`FAILED  ${title}\n${details.replace(/^(?=.)/gm, '    ')}`)
  }
  const sum = (key: 'passed' | 'failed' | 'skipped'): number => outcomes.reduce((total, each) => total + each[key], 0)
  const passed = sum('passed')
  const failed = sum('failed')
  const line = `${passed} passed, ${failed} failed, ${sum('skipped')} skipped`
  if (!existsSync('dist')) mkdirSync('dist')
  writeFileSync('dist/test-summary', `${line.replaceAll(',', '')}\n`)
  console.log(line)
  return failed > 0 || passed === 0 ? 1 : 0
}

process.exitCode = await main()
