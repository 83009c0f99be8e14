// The built executable, as tests of it need it: a link of their own, so that a build meanwhile doesn't change it.

import { copyFileSync, existsSync, linkSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { missingForBundles } from './bundle.ts'

const DIST = fileURLToPath(new URL('../dist', import.meta.url))

/** @returns why tests of the executable can't run here */
export function missingForTests(): string | undefined {
  return missingForBundles() ?? (existsSync(`${DIST}/runt`) ? undefined : 'needs dist/runt: make build')
}

/** @param folder to be made, for the executable and its addon @returns the executable's path */
export function linkBuilt(folder: string): string {
  mkdirSync(folder)
  for (const name of ['runt', 'runt-engine', 'ffi-rs.node']) {
    try {
      linkSync(`${DIST}/${name}`, `${folder}/${name}`)
    } catch {
      copyFileSync(`${DIST}/${name}`, `${folder}/${name}`) // another file system
    }
  }
  return `${folder}/runt`
}
