// A bundle → its Config. Nothing after this looks at config.json.

import { RuntError } from '../errors.ts'
import { failedWith, type SyscallError } from '../native/syscall.ts'
import { normalize } from './normalize.ts'
import { cleanPath } from './path.ts'
import { type ConfigProblem, describeProblem } from './problems.ts'
import { readConfigFile } from './read.ts'
import type { Config } from './types.ts'
import { validateText } from './validate.ts'

export { type ConfigProblem, describeProblem } from './problems.ts'

/** So many problems are told in one error; a config with more has one cause. */
const TOLD = 40

/**
 * Read, validate and normalise the config.json of a bundle (runtime-spec bundle.md, config.md).
 * @param bundle absolute
 * @throws RuntError 'bundle' when there is no readable file, 'config-invalid', 'config-unsupported'
 */
export async function loadConfig(bundle: string): Promise<Config> {
  const text = readConfig(bundle)
  const verdict = await validateText(text)
  if (verdict.kind === 'valid') return normalize(verdict.config, cleanPath(bundle), text)
  const { problems } = verdict
  const lines = problems.slice(0, TOLD).map((problem) => describeProblem(problem))
  if (problems.length > TOLD) lines.push(`config.json: and ${problems.length - TOLD} more problems`)
  throw new RuntError(`config-${verdict.kind}`, lines.join('\n'), { data: { bundle, problems } })
}

/**
 * All that is wrong with the config.json of a bundle, in the order of the file; nothing when it can be run.
 * @throws RuntError 'bundle' when there is no readable file
 */
export async function validateBundle(bundle: string): Promise<readonly ConfigProblem[]> {
  const verdict = await validateText(readConfig(bundle))
  return verdict.kind === 'valid' ? [] : verdict.problems
}

function readConfig(bundle: string): string {
  try {
    return readConfigFile(`${bundle}/config.json`, `bundle ${bundle}: config.json`)
  } catch (error) {
    throw error instanceof RuntError ? error : unreadable(bundle, error)
  }
}

function unreadable(bundle: string, error: unknown): unknown {
  if (failedWith(error, 'ENOENT', 'ENOTDIR')) {
    return new RuntError('bundle', `bundle ${bundle}: config.json not found`, { cause: error })
  }
  if (failedWith(error, 'EISDIR')) {
    return new RuntError('bundle', `bundle ${bundle}: config.json is a directory`, { cause: error })
  }
  if (!failedWith(error, (error as Partial<SyscallError>).code ?? '')) return error
  return new RuntError('bundle', `bundle ${bundle}: ${(error as Error).message}`, { cause: error })
}
