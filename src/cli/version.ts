// What this build is, and runt --version, in the lines that Docker reads.

import packageJson from '../../package.json' with { type: 'json' }
import { OCI_VERSION } from '../lifecycle/container.ts'

/** Set when the executable is built. */
declare const RUNT_COMMIT: string

export const BUILD = {
  version: packageJson.version,
  commit: typeof RUNT_COMMIT === 'string' ? RUNT_COMMIT : 'unknown',
} as const

export function versionText(): string {
  return `runt version ${BUILD.version}\ncommit: ${BUILD.commit}\nspec: ${OCI_VERSION}\n`
}
