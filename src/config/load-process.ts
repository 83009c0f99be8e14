// The file of exec --process → a Process: a bare process object.

import { RuntError } from '../errors.ts'
import { PROCESS_CHECKS } from './check-process.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { process as fitsSchema } from './generated/validators.js'
import { normalizeProcess } from './normalize.ts'
import type { Part } from './part.ts'
import { below, describeFindings, type Finding, reporter } from './problems.ts'
import { readGivenFile } from './read.ts'
import type { Process } from './types.ts'
import { requireValid } from './validate.ts'

/** Whether a terminal can be had is for the plan to say. */
const linux = { namespaces: [{ type: 'mount' }] }

const PART: Part = {
  kind: 'process',
  root: '/process',
  fitsSchema,
  wrap: (process) => ({ ociVersion: '1.0.0', process, linux }) as OciConfig, // the schema says so
  checks: PROCESS_CHECKS,
}

/**
 * Read, validate and normalise a process (config.md, Process).
 * @param path of the file
 * @param warnings gets what the process asks for and can't have, but may go on without
 * @throws RuntError 'config-invalid', 'config-unsupported' with the places in the file
 */
export async function loadProcess(path: string, warnings: string[]): Promise<Process> {
  const text = readGivenFile(path, path)
  const config = await requireValid(text, path, PART)
  if (config.process === undefined) throw new RuntError('config-invalid', `${path}: holds no process`)
  const findings: Finding[] = []
  const normal = normalizeProcess(config.process, reporter(findings, 'ignored'))
  warnings.push(...(await describeFindings(below(findings, PART.root), text, path)))
  return normal
}
