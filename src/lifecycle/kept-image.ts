// An image that does all by itself is kept, with a ticket that says what it depends on: the next call with the same words, on the
// same files and machine, is answered by the front from it (front/run.ts). There are 64 places a command, and calls share them.

import { capabilityData } from '../host/probe.ts'
import type { ProcessFacts } from '../lowering/facts.ts'
import { status } from '../native/file.ts'
import {
  ABSENT,
  ANY_WORD,
  encodeTicket,
  type FileGuard,
  type KeptCommand,
  SAME_CONTENTS,
  SAME_INODE,
  type StatGuard,
  slotOf,
  TICKET_OFFSET,
} from '../plan/ticket.ts'
import type { Store } from './store.ts'

/** What a plan takes for granted of the call's surroundings. */
const NAMESPACES = ['mnt', 'user', 'pid', 'cgroup'].map((name) => `/proc/self/ns/${name}`)

/** What is particular of a call. */
export interface KeptCall {
  readonly command: KeptCommand
  /** As the engine got them. */
  readonly words: readonly string[]
  /** Positions of words that may be any the next time. */
  readonly anyWords?: readonly number[]
  /** Files that must not have changed since, by size and time. */
  readonly unchanged: readonly string[]
  /** Files that must say the same. */
  readonly files: readonly FileGuard[]
}

/** Keep an image for the next call like this one. One that can't be kept is no loss. */
export function keepImage(
  store: Store,
  { command, words, anyWords = [], unchanged, files }: KeptCall,
  { preservedFds, nofile }: ProcessFacts,
  image: Uint8Array,
): void {
  if (preservedFds > 0 || nofile === undefined || process.geteuid?.() !== 0 || words.includes(ANY_WORD)) return
  const limits = new BigUint64Array([nofile.soft, nofile.hard])
  const ticket = encodeTicket({
    words: words.map((word, index) => (anyWords.includes(index) ? ANY_WORD : word)),
    directory: process.cwd(),
    stats: [
      ...[process.execPath, ...unchanged].map((path) => guard(path, SAME_CONTENTS)),
      ...NAMESPACES.map((path) => guard(path, SAME_INODE)),
    ],
    files,
    capabilities: capabilityData(),
    nofile: new Uint8Array(limits.buffer),
  })
  if (ticket === undefined) return
  const start = (image.length + 7) & ~7
  const file = new Uint8Array(start + ticket.length)
  file.set(image)
  file.set(ticket, start)
  new DataView(file.buffer).setUint32(TICKET_OFFSET, start, true)
  store.keepImage(slotOf(command, words), file)
}

function guard(path: string, kind: number): StatGuard {
  const found = status(path)
  if (found === undefined) return { path, kind: ABSENT, inode: 0n, length: 0n, seconds: 0n, nanoseconds: 0 }
  const { inode, size, modified } = found
  return { path, kind, inode, length: size, seconds: modified.seconds, nanoseconds: modified.nanoseconds }
}
