// The resources of an update → Resources: a bare resources object in a file or on the standard input, or one made from flags.

import { RESOURCE_CHECKS } from './check-resources.ts'
import type { OciConfig, OciResources } from './generated/oci.d.ts'
import { resources as fitsSchema } from './generated/validators.js'
import { normalizeResources } from './normalize-resources.ts'
import { findingsOf, type Part, readPart } from './part.ts'
import type { Finding } from './problems.ts'
import { readConfigFile, readConfigInput } from './read.ts'
import type { Resources } from './types.ts'

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
 * @param warnings gets what the resources ask for and can't have, but may go on without
 * @throws RuntError 'config-invalid', 'config-unsupported' with the places in the file; SyscallError when it can't be read
 */
export async function loadResources(path: string, warnings: string[]): Promise<Resources> {
  const name = path === '-' ? 'standard input' : path
  const text = path === '-' ? readConfigInput(name) : readConfigFile(path, name)
  const { linux } = await readPart(text, name, PART)
  const ours: string[] = []
  const normal = normalizeResources(linux?.resources ?? {}, ours)
  for (const warning of ours) warnings.push(warning.replace('config.json: /linux/resources', `${name}: `))
  return normal
}

/**
 * Resources that fit the schema, and what is wrong with them after all.
 * @returns findings with pointers from /linux/resources on, and warnings as of a config.json
 */
export function checkResources(given: OciResources): {
  readonly resources: Resources
  readonly findings: Finding[]
  readonly warnings: readonly string[]
} {
  const warnings: string[] = []
  return {
    resources: normalizeResources(given, warnings),
    findings: findingsOf(wrap(given), RESOURCE_CHECKS),
    warnings,
  }
}
