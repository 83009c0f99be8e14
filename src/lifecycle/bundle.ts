// A bundle's config as this machine and this caller can have it.

import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/types.ts'
import { isNew } from '../lowering/context.ts'
import { withHeededLabels } from './facts.ts'

/**
 * @param file the config's file, absolute, where it isn't the bundle's config.json
 * @throws RuntError as loadConfig()
 */
export async function loadBundle(bundle: string, file?: string): Promise<Config> {
  const config = withHeededLabels(await loadConfig(bundle, file))
  // Only who makes a user namespace pays for what is known of id maps.
  return isNew(config, 'user') ? (await import('./id-maps.ts')).withOwnIds(config) : config
}
