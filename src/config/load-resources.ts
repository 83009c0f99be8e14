// The resources of an update → Resources: a bare resources object in a file or on the standard input, or one made from flags.

import { RESOURCE_CHECKS } from './check-resources.ts'
import type { OciConfig, OciResources } from './generated/oci.d.ts'
import { resources as fitsSchema } from './generated/validators.js'
import { normalizeResources } from './normalize-resources.ts'
import { findingsOf, type Part, readPart } from './part.ts'
import type { Finding } from './problems.ts'
import { readConfigFile, readConfigInput } from './read.ts'
import type { Resources } from './types.ts'
import { findUnsupported } from './unsupported.ts'

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
 * @throws RuntError 'config-invalid', 'config-unsupported' with the places in the file; SyscallError when it can't be read
 */
export async function loadResources(path: string): Promise<Resources> {
  const name = path === '-' ? 'standard input' : path
  const text = path === '-' ? readConfigInput(name) : readConfigFile(path, name)
  const { linux } = await readPart(text, name, PART)
  return normalizeResources(linux?.resources ?? {})
}

/**
 * Resources that fit the schema, and what is wrong with them after all.
 * @returns findings with pointers from /linux/resources on
 */
export function checkResources(given: OciResources): { readonly resources: Resources; readonly findings: Finding[] } {
  const config = wrap(given)
  return {
    resources: normalizeResources(given),
    findings: [...findingsOf(config, RESOURCE_CHECKS), ...findUnsupported(config)],
  }
}
