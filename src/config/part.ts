// A whole config, or a part of one that has a file of its own: both are held to the same rules.

import type { Checks } from './checks.ts'
import type { OciConfig } from './generated/oci.d.ts'

/** What a file may hold. */
export interface Part {
  readonly kind: 'config' | 'process' | 'resources'
  /** JSON pointer of what it stands under in a config. */
  readonly root: string
  readonly fitsSchema: (value: unknown) => boolean
  /** A config with the part, and with what its checks take for granted. */
  readonly wrap: (value: unknown) => OciConfig
  /** What a config that fits the schema stands for, where that isn't what it says. */
  readonly meant?: (config: OciConfig) => OciConfig
  readonly checks: Checks
}
