// An image that does all by itself is kept, with a ticket that says what it depends on: the next call with the same words, on the same
// config and machine, is answered by the front from it (front/run.ts). There are 64 places, and calls share them.

import type { Config } from '../config/types.ts'
import { capabilityData } from '../host/probe.ts'
import { needsHome } from '../lowering/execve.ts'
import type { Facts } from '../lowering/facts.ts'
import { status } from '../native/file.ts'
import {
  ABSENT,
  encodeTicket,
  SAME_CONTENTS,
  SAME_INODE,
  type StatGuard,
  slotOf,
  TICKET_OFFSET,
} from '../plan/ticket.ts'
import type { SeccompFilter } from '../seccomp/filter.ts'
import type { Store } from './store.ts'

/** What a plan takes for granted of the call's surroundings. */
const NAMESPACES = ['mnt', 'user', 'pid', 'cgroup'].map((name) => `/proc/self/ns/${name}`)

/** What of a call is looked at. */
interface Made {
  readonly config: Config
  readonly filter: SeccompFilter | undefined
}

/**
 * Keep an image for the next call like this one.
 * @param words those of the call, as the engine got them
 */
export function keepImage(
  store: Store,
  { config, filter }: Made,
  facts: Facts,
  image: Uint8Array,
  words: readonly string[],
): void {
  if (facts.preservedFds > 0 || facts.nofile === undefined || process.geteuid?.() !== 0) return
  const limits = new BigUint64Array([facts.nofile.soft, facts.nofile.hard])
  const ticket = encodeTicket({
    words,
    directory: process.cwd(),
    stats: [
      guard(process.execPath, SAME_CONTENTS),
      ...NAMESPACES.map((path) => guard(path, SAME_INODE)),
      ...(filter === undefined ? [] : [guard(filter.library, SAME_CONTENTS)]),
      ...(needsHome(config.process?.env ?? []) ? [guard(`${config.root.path}/etc/passwd`, SAME_CONTENTS)] : []),
    ],
    file: { path: `${config.bundle}/config.json`, contents: new TextEncoder().encode(config.text) },
    capabilities: capabilityData(),
    nofile: new Uint8Array(limits.buffer),
  })
  if (ticket === undefined) return
  const start = (image.length + 7) & ~7
  const file = new Uint8Array(start + ticket.length)
  file.set(image)
  file.set(ticket, start)
  new DataView(file.buffer).setUint32(TICKET_OFFSET, start, true)
  store.keepImage(slotOf(words), file)
}

function guard(path: string, kind: number): StatGuard {
  const found = status(path)
  if (found === undefined) return { path, kind: ABSENT, inode: 0n, length: 0n, seconds: 0n, nanoseconds: 0 }
  const { inode, size, modified } = found
  return { path, kind, inode, length: size, seconds: modified.seconds, nanoseconds: modified.nanoseconds }
}
