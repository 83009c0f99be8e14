// ps: which processes a container has, and what the host's ps(1) says of them.

import { RuntError } from '../errors.ts'
import { callerEnvironment } from '../native/caller.ts'
import { runProgram } from '../process/run-program.ts'
import { findProgram } from '../process/search.ts'
import { checkId } from './id.ts'
import { processesOf } from './processes.ts'
import type { Store } from './store.ts'

/** Pids of all processes of a container as the caller sees them, also of those in cgroups that it made itself. */
export function containerPids(store: Store, id: string): number[] {
  checkId(id)
  return processesOf(store.load(id))
}

/**
 * What ps(1) says of these processes, below its line of titles.
 * @param options of ps; they must show the pid
 * @throws RuntError 'host' when there is no ps or it fails, or shows no pid
 */
export function psTable(pids: readonly number[], options: readonly string[]): string {
  return linesOf(runPs(options), pids)
}

/** The lines of a table of ps(1) that are about these processes. @throws RuntError 'host' when it shows no pid */
export function linesOf(table: string, pids: readonly number[]): string {
  const [titles = '', ...lines] = table.split('\n')
  const pidOf = pidReader(titles)
  const wanted = new Set(pids.map(String))
  return [titles, ...lines.filter((line) => wanted.has(pidOf(line)))].map((line) => `${line}\n`).join('')
}

/** Pids stand below the last letter of their title; where a wider column pushed them away, in the word of the same number. */
function pidReader(titles: string): (line: string) => string {
  const column = wordsOf(titles).indexOf('PID')
  if (column < 0) {
    throw new RuntError('host', "couldn't find PID field in ps output", { hint: 'let the ps options show the pid' })
  }
  const end = titles.search(/\bPID(?!\S)/) + 'PID'.length
  return (line) => {
    const isWhole = /^\s|^$/.test(line.slice(end, end + 1))
    const below = isWhole ? (wordsOf(line.slice(0, end)).at(-1) ?? '') : ''
    return /^\d+$/.test(below) ? below : (wordsOf(line)[column] ?? '')
  }
}

function wordsOf(line: string): string[] {
  return line.trim().split(/\s+/)
}

function runPs(options: readonly string[]): string {
  const path = findProgram('ps', callerEnvironment().PATH)
  if (path === undefined) {
    throw new RuntError('host', 'ps: executable file not found in $PATH', {
      hint: 'install it (procps), or ask for --format json',
    })
  }
  const { status, output } = runProgram(path, options, 'stderr')
  if (status !== 0) throw new RuntError('host', `${path} ${options.join(' ')}: exit status ${status}`)
  return output
}
