// runt --version, in the lines that Docker reads.

import packageJson from '../../package.json' with { type: 'json' }
import { OCI_VERSION } from '../lifecycle/container.ts'

/** Set when the executable is built. */
declare const RUNT_COMMIT: string

export function versionText(): string {
  const commit = typeof RUNT_COMMIT === 'string' ? RUNT_COMMIT : 'unknown'
  return `runt version ${packageJson.version}\ncommit: ${commit}\nspec: ${OCI_VERSION}\n`
}
