// A ticket: what a kept image depends on, as bytes that the front compares with what it finds. It stands behind the image in
// the same file. When all of it is as it was, the image is what compiling would give again.

/** Layout of a ticket, little-endian; lists are offsets from its start. */
export const TICKET = {
  magic: 0,
  /** The words of the call behind the program's name, and the working directory, as C strings up to an empty one. */
  words: 4,
  directory: 8,
  /** See STAT_GUARD; a path of 0 ends the list. */
  stats: 12,
  /** See FILE_GUARD; contents of 0 end the list. */
  files: 16,
  /** capget(2)'s two data structures, and RLIMIT_NOFILE. */
  capabilities: 24,
  nofile: 48,
  size: 64,
} as const

/** A path that must lead to the same file. kind: SAME_INODE, SAME_CONTENTS (and so size and time of change), ABSENT */
export const STAT_GUARD = { path: 0, kind: 4, inode: 8, length: 16, seconds: 24, nanoseconds: 32, size: 40 } as const

/** A file that must have just these contents, padded with zeros: at this path, or where this word of the call says (not 0). */
export const FILE_GUARD = { path: 0, word: 4, length: 8, contents: 12, size: 16 } as const

/** A word of the call that may be any: what it names is looked at. No word of a call that is kept is this one. */
export const ANY_WORD = '\x01'

/** Flags whose values differ from call to call and may be any word. */
export const ANY_VALUE_FLAGS = ['--process', '-p', '--pid-file'] as const

export const SAME_INODE = 1
export const SAME_CONTENTS = 2
export const ABSENT = 3

export const TICKET_MAGIC = 0x32746b74 // "tkt2"
export const TICKET_ROOM = 98304
export const FILE_ROOM = 65536

/** Where an ELF header says where the ticket begins: e_shoff, which images have no other use for. */
export const TICKET_OFFSET = 40

/** Kept images lie below the state root; no container can have that name. */
export const IMAGES_FOLDER = '@images'
/** Commands whose images are kept. Their first letters differ. */
export const KEPT_COMMANDS = ['run', 'create', 'exec'] as const
export type KeptCommand = (typeof KEPT_COMMANDS)[number]
/** One image a slot, many calls to one: a power of two. */
export const SLOTS = 64

export interface StatGuard {
  readonly path: string
  readonly kind: number
  readonly inode: bigint
  readonly length: bigint
  readonly seconds: bigint
  readonly nanoseconds: number
}

export interface FileGuard {
  /** The path, or which word of the call, from 1. */
  readonly at: string | number
  readonly contents: Uint8Array
}

export interface Ticket {
  readonly words: readonly string[]
  readonly directory: string
  readonly stats: readonly StatGuard[]
  readonly files: readonly FileGuard[]
  readonly capabilities: Uint8Array
  readonly nofile: Uint8Array
}

const encoder = new TextEncoder()

/**
 * Which slot a call has: the sum of its words' bytes, but for values that may be any, as the front computes it.
 * @param command each has slots of its own, which its first letter tells
 */
export function slotOf(command: KeptCommand, words: readonly string[]): string {
  let sum = 0
  let skip = false
  for (const word of words) {
    if (!skip) for (const byte of encoder.encode(word)) sum += byte
    skip = !skip && ANY_VALUE_FLAGS.some((flag) => flag === word)
  }
  return slotName(sum & (SLOTS - 1)) + command.charAt(0)
}

/** The first character of a slot's file name. */
function slotName(slot: number): string {
  return String.fromCharCode(FIRST_SLOT_NAME + slot)
}

/** "@", and on to DEL: none of them is a slash. */
export const FIRST_SLOT_NAME = 64

/** @returns undefined when it has no room */
export function encodeTicket(ticket: Ticket): Uint8Array | undefined {
  const bytes = new Uint8Array(TICKET_ROOM)
  const view = new DataView(bytes.buffer)
  const files = TICKET.size + STAT_GUARD.size * ticket.stats.length + 8
  let end: number = files + FILE_GUARD.size * (ticket.files.length + 1)
  const put = (contents: Uint8Array): number => {
    const start = (end + 7) & ~7
    end = start + ((contents.length + 15) & ~7)
    if (end <= TICKET_ROOM) bytes.set(contents, start)
    return start
  }
  const putText = (text: string): number => put(encoder.encode(`${text}\0`))
  view.setUint32(TICKET.magic, TICKET_MAGIC, true)
  view.setUint32(TICKET.words, putText(ticket.words.map((word) => `${word}\0`).join('')), true)
  view.setUint32(TICKET.directory, putText(ticket.directory), true)
  view.setUint32(TICKET.stats, TICKET.size, true)
  for (const [index, guard] of ticket.stats.entries()) {
    const at = TICKET.size + STAT_GUARD.size * index
    view.setUint32(at + STAT_GUARD.path, putText(guard.path), true)
    view.setUint32(at + STAT_GUARD.kind, guard.kind, true)
    view.setBigUint64(at + STAT_GUARD.inode, guard.inode, true)
    view.setBigUint64(at + STAT_GUARD.length, guard.length, true)
    view.setBigUint64(at + STAT_GUARD.seconds, guard.seconds, true)
    view.setUint32(at + STAT_GUARD.nanoseconds, guard.nanoseconds, true)
  }
  view.setUint32(TICKET.files, files, true)
  for (const [index, { at, contents }] of ticket.files.entries()) {
    const guard = files + FILE_GUARD.size * index
    if (typeof at === 'number') view.setUint32(guard + FILE_GUARD.word, at, true)
    else view.setUint32(guard + FILE_GUARD.path, putText(at), true)
    view.setUint32(guard + FILE_GUARD.length, contents.length, true)
    view.setUint32(guard + FILE_GUARD.contents, put(contents), true)
  }
  bytes.set(ticket.capabilities, TICKET.capabilities)
  bytes.set(ticket.nofile, TICKET.nofile)
  const fits = end <= TICKET_ROOM && ticket.files.every(({ contents }) => contents.length < FILE_ROOM)
  return fits && !ticket.words.includes('') ? bytes.subarray(0, end) : undefined
}
