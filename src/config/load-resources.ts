// The resources of an update → Resources: a bare resources object in a file or on the standard input, or one made from flags.

import { RESOURCE_CHECKS } from './check-resources.ts'
import type { OciConfig, OciResources } from './generated/oci.d.ts'
import { resources as fitsSchema } from './generated/validators.js'
import { normalizeResources } from './normalize-resources.ts'
import { findUnknown } from './oddities.ts'
import type { Part } from './part.ts'
import { below, describeFindings, type Finding, reporter } from './problems.ts'
import { readGivenFile } from './read.ts'
import type { Resources } from './types.ts'
import { findBeyondSchema, requireValid } from './validate.ts'

const PART: Part = {
  kind: 'resources',
  root: '/linux/resources',
  fitsSchema,
  wrap: (resources) => wrap(resources as OciResources), // the schema says so
  checks: RESOURCE_CHECKS,
}

function wrap(resources: OciResources): OciConfig {
  return { ociVersion: '1.0.0', linux: { resources } }
}

/**
 * Read, validate and normalise resources (config-linux.md, Control groups).
 * @param path of the file; "-" for the standard input
 * @param warnings gets what the resources have and nobody knows, or ask for and can't have, but may go on without
 * @throws RuntError 'config-invalid', 'config-unsupported' with the places in the file; SyscallError when it can't be read
 */
export async function loadResources(path: string, warnings: string[]): Promise<Resources> {
  const name = path === '-' ? 'standard input' : path
  const text = readGivenFile(path, name)
  const { linux } = await requireValid(text, name, PART)
  const findings = findUnknown(linux?.resources, PART.root)
  const normal = normalizeResources(linux?.resources ?? {}, reporter(findings, 'ignored'))
  warnings.push(...(await describeFindings(below(findings, PART.root), text, name)))
  return normal
}

/**
 * Resources that fit the schema, and what is wrong with them after all.
 * @returns findings with pointers from /linux/resources on; what is ignored is no error
 */
export function checkResources(given: OciResources): {
  readonly resources: Resources
  readonly findings: Finding[]
  readonly ignored: readonly Finding[]
} {
  const ignored: Finding[] = []
  return {
    resources: normalizeResources(given, reporter(ignored, 'ignored')),
    findings: findBeyondSchema(wrap(given), PART),
    ignored,
  }
}
