// The runtime under test in a PATH: BuildKit looks for "runc" there, and a shim of containerd for what it is told.

import { mkdirSync, writeFileSync } from 'node:fs'
import type { World } from './engine.ts'

/** What the runtime under test is called there, and in dockerd ("runc" is a name that dockerd keeps for its own). */
export const RUNTIME_NAME = 'tested'

/**
 * @param folder of a daemon: calls by either name are listed in its file runc.log
 * @returns the PATH for this daemon
 */
export function pathWithRuntime({ runtime }: World, folder: string): string {
  const bin = `${folder}/bin`
  mkdirSync(bin, { recursive: true })
  for (const name of ['runc', RUNTIME_NAME]) {
    const script = `#!/bin/sh\necho ${name} "$@" >>${folder}/runc.log\nexec ${runtime.path} "$@"\n`
    writeFileSync(`${bin}/${name}`, script, { mode: 0o755 })
  }
  return `${bin}:${process.env.PATH}`
}
