// A bundle → its Config. Nothing after this looks at config.json.

import { RuntError } from '../errors.ts'
import { exists, readFileIfPresent } from '../native/file.ts'
import { failedWith, type SyscallError } from '../native/syscall.ts'
import { normalize } from './normalize.ts'
import { cleanPath } from './path.ts'
import { type ConfigProblem, describeFindings, type Finding, reporter } from './problems.ts'
import { readConfigFile } from './read.ts'
import type { Config } from './types.ts'
import { bundleConfig, requireValid, validateText } from './validate.ts'

export { type ConfigProblem, describeProblem } from './problems.ts'

const NAME = 'config.json'

/**
 * Read, validate and normalise the config.json of a bundle (runtime-spec bundle.md, config.md).
 * @param bundle absolute
 * @param file instead of the config.json in it
 * @throws RuntError 'bundle' when there is no readable file, 'config-invalid', 'config-unsupported'
 */
export async function loadConfig(bundle: string, file?: string): Promise<Config> {
  const text = readConfig(bundle, file)
  const name = file ?? NAME
  const given = await requireValid(text, name, bundleConfig(bundle), { bundle })
  const findings: Finding[] = []
  const config = normalize(given, cleanPath(bundle), text, reporter(findings, 'ignored'))
  return { ...config, warnings: await describeFindings(findings, text, name) }
}

/** What `validate` tells: a problem is an error, or a warning of what is allowed and hardly meant. */
export type Told = ConfigProblem & { readonly severity: 'error' | 'warning' }

/**
 * All that is wrong with the config.json of a bundle, in the order of the file; no errors when it can be run.
 * @throws RuntError 'bundle' when there is no readable file
 */
export async function validateBundle(bundle: string): Promise<readonly Told[]> {
  const text = readConfig(bundle)
  const verdict = await validateText(text, bundleConfig(bundle))
  const errors = verdict.kind === 'valid' ? [] : verdict.problems
  const findings: Finding[] = []
  if (verdict.kind === 'valid') normalize(verdict.config, cleanPath(bundle), text, reporter(findings, 'ignored'))
  const { findOddities } = await import('./oddities.ts')
  const { locate } = await import('./locate.ts')
  const odd = await findOddities(text)
  const more = findings.filter(({ pointer }) => !odd.some((other) => other.pointer === pointer))
  const warnings = await locate(text, [...odd, ...more])
  return [
    ...errors.map((problem) => ({ ...problem, severity: 'error' as const })),
    ...warnings.map((problem) => ({ ...problem, severity: 'warning' as const })),
  ].sort((one, other) => one.line - other.line || one.column - other.column)
}

/**
 * An error about a property, with its place in the bundle's config.json, or another file, as it is now.
 * @returns any other error as it is
 */
export async function withPlace(error: unknown, bundle: string, file?: string): Promise<unknown> {
  if (!(error instanceof RuntError) || typeof error.data.pointer !== 'string') return error
  const text = readFileIfPresent(file ?? `${bundle}/${NAME}`)
  if (text === undefined) return error
  const { locateError } = await import('./locate.ts')
  return locateError(error, text, file ?? NAME)
}

function readConfig(bundle: string, file?: string): string {
  const path = file ?? `${bundle}/${NAME}`
  try {
    return readConfigFile(path, path)
  } catch (error) {
    throw error instanceof RuntError ? error : unreadable(bundle, file, error)
  }
}

function unreadable(bundle: string, file: string | undefined, cause: unknown): unknown {
  const path = file ?? `${bundle}/${NAME}`
  if (failedWith(cause, 'ENOENT', 'ENOTDIR')) {
    if (file !== undefined) return new RuntError('bundle', `${path}: not found`, { cause })
    if (!exists(`${bundle}/.`)) return new RuntError('bundle', `${bundle}: there is no such bundle folder`, { cause })
    return new RuntError('bundle', `${path}: not found`, { cause, hint: `runt spec --bundle ${bundle} writes one` })
  }
  if (failedWith(cause, 'EISDIR')) return new RuntError('bundle', `${path}: is a directory`, { cause })
  if (!failedWith(cause, (cause as Partial<SyscallError>).code ?? '')) return cause
  return new RuntError('bundle', `${path}: ${(cause as Error).message}`, { cause })
}
