// Processes whose parents have gone come to us instead of to the machine's init, so that none can be overlooked.

import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { callNative } from '../src/native/ffi.ts'

const PR_SET_CHILD_SUBREAPER = 36
const WNOHANG = 1
const EVERY_MS = 50

export interface Orphans extends AsyncDisposable {
  /** Living processes that the tests started and left, as "PID NAME". */
  list(): readonly string[]
}

/** Adopt, and bury the dead among the adopted, as an init does, until disposed of. */
export function adoptOrphans(): Orphans {
  if (callNative('prctl', PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0).value !== 0n) throw new Error('can not adopt orphans')
  const timer = setInterval(bury, EVERY_MS)
  return {
    list: () => adopted().flatMap((pid) => (stateOf(pid) === 'Z' ? [] : [`${pid} ${nameOf(pid)}`])),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      callNative('prctl', PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    },
  }
}

function bury(): void {
  for (const pid of adopted()) if (stateOf(pid) === 'Z') callNative('waitpid', pid, 0, WNOHANG)
}

/** Our children but the engine's own, which it waits for itself: those are test files. */
function adopted(): number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim()
  if (children === '') return []
  return children
    .split(' ')
    .map(Number)
    .filter((pid) => !own.has(pid))
}

const own = new Set<number>()

/** A child that the engine itself waits for. Once it has, its pid may be an orphan's: pids come round within a run. */
export function isOwn(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined) return
  own.add(pid)
  child.once('exit', () => own.delete(pid))
}

function stateOf(pid: number): string | undefined {
  const stat = readStat(pid)
  return stat?.slice(stat.lastIndexOf(')') + 2)[0]
}

function nameOf(pid: number): string {
  return readStat(pid)?.match(/\((.*)\)/)?.[1] ?? '?'
}

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
}
