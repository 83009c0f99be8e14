// Files of the host that no container may touch: what is in them is noted, and compared afterwards.

import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'

export class Canary {
  readonly folder: string
  readonly #before: readonly string[]

  /** @param folder to be made */
  constructor(folder: string) {
    this.folder = folder
    mkdirSync(`${folder}/folder`, { recursive: true })
    writeFileSync(`${folder}/file`, 'the host\n')
    writeFileSync(`${folder}/folder/file`, 'the host, too\n')
    this.#before = describe(folder)
  }

  assertUntouched(when: string): void {
    assert.equal(describe(this.folder), this.#before, `the host's files after ${when}`)
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    assert.not.ok(mounts.includes(this.folder), `mounted over the host's files after ${when}`)
  }
}

/** Names, types, modes, owners and contents of a tree. */
function describe(folder: string): string[] {
  const names = [
    '',
    ...readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .sort()
      .map((name) => `/${name}`),
  ]
  return names.map((name) => {
    const path = `${folder}${name}`
    const { mode, uid, gid } = lstatSync(path)
    return `${name} ${mode.toString(8)} ${uid}:${gid} ${contents(path)}`
  })
}

function contents(path: string): string {
  const found = lstatSync(path)
  if (found.isSymbolicLink()) return readlinkSync(path)
  return found.isFile() ? digest(path) : ''
}

/** SHA-256 of a file, in hexadecimal digits. */
export function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
