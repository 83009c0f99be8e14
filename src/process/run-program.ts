// A program of the host, run to its end for what it prints.

import { callerVariables } from '../native/caller.ts'
import { memoryFile } from '../native/descriptors.ts'
import { close, readAll } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'
import { spawn } from './spawn.ts'
import { exitStatus, reap, waitForEnd } from './wait.ts'

const FOR_EVER = 0x7fffffff
const STDIN = 0
const STDOUT = 1
const STDERR = 2

/** How a program ended, and what it had to say. */
export interface Ended {
  /** The exit status a shell would give. */
  readonly status: number
  readonly output: string
}

/**
 * Run a program with runt's own environment and standard input. Its output goes to memory, so that it never waits for us.
 * @param path absolute
 * @param args without the program's name
 * @param errors where its standard error goes: beside the output, or where ours goes
 * @throws SyscallError of execve when it can't be started
 */
export function runProgram(path: string, args: readonly string[], errors: 'output' | 'stderr'): Ended {
  const env = callerVariables()
  const output = memoryFile('output', new Uint8Array(0))
  try {
    const descriptors = [
      [STDIN, STDIN],
      [output, STDOUT],
      [errors === 'output' ? output : STDERR, STDERR],
    ] as const
    const name = path.slice(path.lastIndexOf('/') + 1)
    const pid = spawn({ path, args: [name, ...args], env, descriptors })
    waitForEnd(pid, FOR_EVER)
    const status = exitStatus(reap(pid) ?? 0)
    syscall('lseek', output, 0, 0)
    return { status, output: new TextDecoder().decode(readAll(output)) }
  } finally {
    close(output)
  }
}
