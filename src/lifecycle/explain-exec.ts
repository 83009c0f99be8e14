// Why the kernel doesn't execute a program that is there: said when it has refused to.

import type { ProcessConfig } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { missingOfProgram } from '../host/program-file.ts'
import { candidates } from '../lowering/execve.ts'
import { printable } from '../printable.ts'

const LANDLOCK =
  'the rules of annotations["runt.landlock"] must allow execute and read_file for the program, its interpreter and its libraries'

/**
 * The error of a failed execve with what is known of its cause.
 * @param root the container's, as a path on the host
 * @returns any other error as it is
 */
export function explainExec(error: unknown, root: string, config: ProcessConfig): unknown {
  if (!(error instanceof RuntError) || error.hint !== undefined) return error
  const { syscall, errno, pointer } = error.data
  if (syscall !== 'execve' || pointer !== '/process/args') return error
  const why =
    errno === 'ENOENT' ? missing(root, config) : isConfined(config) && errno === 'EACCES' ? LANDLOCK : undefined
  if (why === undefined) return error
  return new RuntError(error.code, `${error.message}: ${why}`, { ...error, cause: error.cause })
}

function isConfined({ linux }: ProcessConfig): boolean {
  return linux.landlock !== undefined
}

function missing(root: string, { process }: ProcessConfig): string | undefined {
  if (process === undefined) return undefined
  const [name = ''] = process.args
  const files = name.includes('/') ? [name] : candidates(name, process.env)
  const lacking = missingOfProgram(root, files, process.cwd)
  if (lacking === undefined) return undefined
  const { file, kind, path } = lacking
  const is = kind === 'interpreter' ? 'is a script for' : 'is loaded by'
  return printable(`${file} ${is} ${path}, which the container does not have`)
}
