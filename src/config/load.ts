// STOPGAP until the full loader lands
import { readFile } from '../native/file.ts'
import { normalize } from './normalize.ts'
import type { Config } from './types.ts'
export async function loadConfig(bundle: string): Promise<Config> {
  return normalize(JSON.parse(readFile(`${bundle}/config.json`)), bundle)
}
export async function validateBundle(_bundle: string): Promise<never[]> {
  return []
}
export function describeProblem(_problem: unknown): string {
  return ''
}
