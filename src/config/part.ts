// The text of a file that holds one part of a config → that part, held to the same rules as the one in a config.json.

import { RuntError } from '../errors.ts'
import type { Checks } from './checks.ts'
import { explainBy } from './explain.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { restoreIntegers } from './integers.ts'
import { parseJson } from './json.ts'
import { locate, syntaxProblem } from './locate.ts'
import { describeProblem, type Finding, reporter } from './problems.ts'
import { findUnsupported } from './unsupported.ts'
import { ODD_ESCAPE } from './validate.ts'

export interface Part {
  readonly kind: 'process' | 'resources'
  /** What the part stands under, so that checks of a config can look at it. */
  readonly root: string
  readonly fitsSchema: (value: unknown) => boolean
  /** A config with the part, and with what its checks take for granted. */
  readonly wrap: (value: unknown) => OciConfig
  readonly checks: Checks
}

/**
 * @param name how errors speak of the file
 * @returns what wrap() made of it
 * @throws RuntError 'config-invalid', 'config-unsupported' with the places in the file
 */
export async function readPart(text: string, name: string, part: Part): Promise<OciConfig> {
  const { kind, root, fitsSchema, wrap, checks } = part
  const value = await parse(text, name)
  const refuseIf = (why: 'invalid' | 'unsupported', findings: readonly Finding[]) => refuse(why, name, text, findings)
  if (!fitsSchema(value) || ODD_ESCAPE.test(text)) await refuseIf('invalid', explainBy(kind, value))
  const config = wrap(value)
  await refuseIf('invalid', below(root, await restoreIntegers(config, text, root)))
  await refuseIf('invalid', below(root, findingsOf(config, checks)))
  await refuseIf('unsupported', below(root, findUnsupported(config)))
  return config
}

/** What checks of a part have against it. */
export function findingsOf(config: OciConfig, checks: Checks): Finding[] {
  const findings: Finding[] = []
  for (const [name, check] of Object.entries(checks)) check(config, reporter(findings, name), new Map())
  return findings
}

async function parse(text: string, name: string): Promise<unknown> {
  try {
    return parseJson(text)
  } catch (error) {
    throw new RuntError('config-invalid', describeProblem(await syntaxProblem(text, error), name))
  }
}

/** Pointers into the file. */
function below(root: string, findings: readonly Finding[]): Finding[] {
  return findings.map((finding) => ({ ...finding, pointer: finding.pointer.slice(root.length) }))
}

async function refuse(
  kind: 'invalid' | 'unsupported',
  name: string,
  text: string,
  findings: readonly Finding[],
): Promise<void> {
  if (findings.length === 0) return
  const problems = await locate(text, findings)
  const lines = problems.map((problem) => describeProblem(problem, name))
  throw new RuntError(`config-${kind}`, lines.join('\n'), { data: { problems } })
}
