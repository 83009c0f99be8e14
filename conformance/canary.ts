// Files of the host that no container may touch: what is in them is noted, and compared afterwards.

import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
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

/** Cases that look at the host's devices take turns. */
let turn: Promise<unknown> = Promise.resolve()

/** Mode, owner and times of a device of the host are the same after what is done in between; put right again if not. */
export function assertDeviceUntouched(path: string, act: () => Promise<void>): Promise<void> {
  const mine = turn.then(() => compareDevice(path, act))
  turn = mine.catch(() => {})
  return mine
}

async function compareDevice(path: string, act: () => Promise<void>): Promise<void> {
  const before = statSync(path)
  try {
    await act()
    const { mode, uid, gid, mtimeMs } = statSync(path)
    assert.equal({ mode, uid, gid }, { mode: before.mode, uid: before.uid, gid: before.gid }, path)
    assert.ok(mtimeMs >= before.mtimeMs, `${path} is older than before`)
  } finally {
    chmodSync(path, before.mode)
    chownSync(path, before.uid, before.gid)
    utimesSync(path, new Date(), new Date())
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
