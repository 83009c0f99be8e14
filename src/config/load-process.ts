// The file of exec --process → a Process: a bare process object, held to the same rules as the one in a config.json.

import { RuntError } from '../errors.ts'
import { PROCESS_CHECKS } from './check-process.ts'
import { explainBy } from './explain.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { process as fitsSchema } from './generated/validators.js'
import { restoreIntegers } from './integers.ts'
import { locate, syntaxProblem } from './locate.ts'
import { normalizeProcess } from './normalize.ts'
import { describeProblem, type Finding, reporter } from './problems.ts'
import { readConfigFile } from './read.ts'
import type { Process } from './types.ts'
import { findUnsupported } from './unsupported.ts'
import { ODD_ESCAPE } from './validate.ts'

/** What the process stands under, so that checks of a config can look at it. */
const ROOT = '/process'

/**
 * Read, validate and normalise a process (config.md, Process).
 * @param path of the file
 * @param warnings gets what the process asks for and can't have, but may go on without
 * @throws RuntError 'config-invalid', 'config-unsupported' with the places in the file
 */
export async function loadProcess(path: string, warnings: string[]): Promise<Process> {
  const text = readConfigFile(path, path)
  const value = await parse(path, text)
  if (!fitsSchema(value) || ODD_ESCAPE.test(text)) await refuse('invalid', path, text, explainBy('process', value))
  const linux = { namespaces: [{ type: 'mount' }] } // whether a terminal can be had is for the plan to say
  const config = { ociVersion: '1.0.0', process: value, linux } as OciConfig // the schema says so
  await refuse('invalid', path, text, relative(await restoreIntegers(config, text, ROOT)))
  const findings: Finding[] = []
  for (const [name, check] of Object.entries(PROCESS_CHECKS)) check(config, reporter(findings, name), new Map())
  await refuse('invalid', path, text, relative(findings))
  await refuse('unsupported', path, text, relative(findUnsupported(config)))
  if (config.process === undefined) throw new RuntError('config-invalid', `${path}: holds no process`)
  const ours: string[] = []
  const normal = normalizeProcess(config.process, ours)
  for (const warning of ours) warnings.push(warning.replace('config.json: /process', `${path}: `))
  return normal
}

async function parse(path: string, text: string): Promise<unknown> {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new RuntError('config-invalid', describeProblem(await syntaxProblem(text, error), path))
  }
}

/** Pointers into the file. */
function relative(findings: readonly Finding[]): Finding[] {
  return findings.map((finding) => ({ ...finding, pointer: finding.pointer.slice(ROOT.length) }))
}

async function refuse(
  kind: 'invalid' | 'unsupported',
  path: string,
  text: string,
  findings: readonly Finding[],
): Promise<void> {
  if (findings.length === 0) return
  const problems = await locate(text, findings)
  const lines = problems.map((problem) => describeProblem(problem, path))
  throw new RuntError(`config-${kind}`, lines.join('\n'), { data: { problems } })
}
