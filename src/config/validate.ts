// The text of config.json → a config that may be normalised, or everything that is wrong with it.
// The usual case is synchronous and small; what explains problems is loaded once there are some.

import { runChecks } from './checks.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { config as fitsSchema } from './generated/validators.js'
import { parseJson } from './json.ts'
import type { ConfigProblem, Finding } from './problems.ts'
import { findUnsupported } from './unsupported.ts'

export type Verdict =
  | { readonly kind: 'valid'; readonly config: OciConfig }
  | { readonly kind: 'invalid' | 'unsupported'; readonly problems: readonly ConfigProblem[] }

/** JSON has two ways only to write what no C string can hold, NUL and half a surrogate pair: these escapes. */
export const ODD_ESCAPE = /\\u(0000|[dD][89a-fA-F])/

/** JSON.parse rounds whole numbers from 16 digits on. */
const LONG_NUMBER = /\d{16}/

export async function validateText(text: string): Promise<Verdict> {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (error) {
    const { syntaxProblem } = await import('./locate.ts')
    return { kind: 'invalid', problems: [await syntaxProblem(text, error)] }
  }
  if (!fitsSchema(value) || ODD_ESCAPE.test(text)) {
    const { explainBy } = await import('./explain.ts')
    const findings = explainBy('config', value)
    if (findings.length > 0) return refuse('invalid', text, findings)
  }
  const config = value as OciConfig // the schema says so
  if (LONG_NUMBER.test(text)) {
    const { restoreIntegers } = await import('./integers.ts')
    const findings = await restoreIntegers(config, text)
    if (findings.length > 0) return refuse('invalid', text, findings)
  }
  const findings = runChecks(config)
  if (findings.length > 0) return refuse('invalid', text, findings)
  const unsupported = findUnsupported(config)
  if (unsupported.length > 0) return refuse('unsupported', text, unsupported)
  return { kind: 'valid', config }
}

async function refuse(
  kind: 'invalid' | 'unsupported',
  text: string,
  findings: readonly Finding[],
): Promise<Exclude<Verdict, { kind: 'valid' }>> {
  const { locate } = await import('./locate.ts')
  return { kind, problems: await locate(text, findings) }
}
