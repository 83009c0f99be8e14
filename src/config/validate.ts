// The text of a config, or of a file that holds a part of one → what may be normalised, or everything that is wrong with it.
// The usual case is synchronous and small; what explains problems is loaded once there are some.

import { RuntError } from '../errors.ts'
import { withForeign } from './annotations.ts'
import { CHECKS, runChecks } from './checks.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { config as fitsSchema } from './generated/validators.js'
import { parseJson } from './json.ts'
import { rootPath } from './normalize.ts'
import type { Part } from './part.ts'
import { absolutePath, pathInRoot } from './path.ts'
import { below, type ConfigProblem, describeProblem, type Finding } from './problems.ts'
import { findUnsupported } from './unsupported.ts'

export type Verdict =
  | { readonly kind: 'valid'; readonly config: OciConfig }
  | { readonly kind: 'invalid' | 'unsupported'; readonly problems: readonly ConfigProblem[] }

const WHOLE: Part = {
  kind: 'config',
  root: '',
  fitsSchema,
  wrap: (config) => withForeign(config as OciConfig), // the schema says so
  checks: CHECKS,
}

/** The config of a bundle. @param bundle absolute */
export function bundleConfig(bundle: string): Part {
  return { ...WHOLE, meant: (config) => withInnerDestinations(config, bundle) }
}

/** A destination that begins with the host's path of the root is one in the container, as runc takes it. */
function withInnerDestinations(config: OciConfig, bundle: string): OciConfig {
  const root = rootPath(config, bundle)
  const mounts = config.mounts?.map((mount) => {
    const given = absolutePath(mount.destination, '/')
    const destination = pathInRoot(given, root)
    return destination === given ? mount : { ...mount, destination }
  })
  return mounts === undefined ? config : { ...config, mounts }
}

/** JSON has two ways only to write what no C string can hold, NUL and half a surrogate pair: these escapes. */
const ODD_ESCAPE = /\\u(0000|[dD][89a-fA-F])/

/** JSON.parse rounds whole numbers from 16 digits on. */
const LONG_NUMBER = /\d{16}/

/** So many problems are told in one error; a config with more has one cause. */
const TOLD = 40

/** Everything that is wrong with a text, or the config that it is. */
export async function validateText(text: string, part = WHOLE): Promise<Verdict> {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (error) {
    const { syntaxProblem } = await import('./locate.ts')
    return { kind: 'invalid', problems: [await syntaxProblem(text, error)] }
  }
  const { meant = (config: OciConfig) => config } = part
  const beyond = (config: OciConfig) => findBeyondSchema(meant(config), part)
  const isPlain = part.fitsSchema(value) && !ODD_ESCAPE.test(text)
  const findings = isPlain ? [] : await (await import('./faults.ts')).findFaults(value, text, part, beyond)
  if (isPlain || findings.length === 0) {
    const config = part.wrap(value)
    if (LONG_NUMBER.test(text)) {
      const { restoreIntegers } = await import('./integers.ts')
      findings.push(...(await restoreIntegers(config, text, part.root)))
    }
    findings.push(...beyond(config))
    if (findings.length === 0) return { kind: 'valid', config: meant(config) }
  }
  const { locate } = await import('./locate.ts')
  return {
    kind: findings.every(({ rule }) => rule === 'unsupported') ? 'unsupported' : 'invalid',
    problems: await locate(text, below(findings, part.root)),
  }
}

/**
 * The config that a file's text is.
 * @param file how errors speak of it
 * @param data of an error, beside the problems
 * @throws RuntError 'config-invalid', 'config-unsupported' with the places in the file
 */
export async function requireValid(text: string, file: string, part = WHOLE, data = {}): Promise<OciConfig> {
  const verdict = await validateText(text, part)
  if (verdict.kind === 'valid') return verdict.config
  const { kind, problems } = verdict
  const lines = problems.slice(0, TOLD).map((problem) => describeProblem(problem, file))
  if (problems.length > TOLD) lines.push(`${file}: and ${problems.length - TOLD} more problems`)
  throw new RuntError(`config-${kind}`, lines.join('\n'), { data: { ...data, problems } })
}

/** What no schema can say of a config that fits it. */
export function findBeyondSchema(config: OciConfig, { checks }: Part): Finding[] {
  return [...runChecks(config, checks), ...findUnsupported(config)]
}
