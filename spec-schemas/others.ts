// What isn't part of the project, and tests compare with when it is at hand: folders that the environment names.

/** The runtime-spec's schemas, with their folder of vectors; '' when the environment doesn't say. */
export const OFFICIAL_SCHEMAS = folder('OCI_SCHEMAS')

/** Files config.json that engines wrote, by any name; '' when the environment doesn't say. */
export const ENGINES_CONFIGS = folder('OCI_CONFIGS')

function folder(variable: string): string {
  const path = process.env[variable] ?? ''
  return path === '' || path.endsWith('/') ? path : `${path}/`
}

export const NO_SCHEMAS = 'OCI_SCHEMAS names no folder of official schemas'
export const NO_CONFIGS = 'OCI_CONFIGS names no folder of configs that engines wrote'
