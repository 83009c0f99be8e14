// What a container's processes are by now: after a start the shell must still start, fork and execute.

import { readFileSync } from 'node:fs'
import { waitUntil } from './patience.ts'

/**
 * Wait until each of these command lines is that of init or of a child of it.
 * @param pid init's
 */
export async function waitForPrograms(pid: number, ...commands: string[]): Promise<void> {
  let running: string[] = []
  const areThere = (): boolean => {
    running = [pid, ...children(pid)].map(commandLine)
    return commands.every((command) => running.includes(command))
  }
  await waitUntil(areThere, () => `${commands.join(' and ')} should run, and there is ${running.join(', ')}`)
}

/** Those of its first thread; none, of a process that is no more. */
export function children(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number)
}

function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
}

/** Nothing, of a process that is no more. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
