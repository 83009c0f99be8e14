// A container's card: what the front must know of it to answer by itself, as bytes that it need not parse. It lies beside
// state.json as soon as the container is created; where there is none, the engine does the work.

import { encodeName } from '../linux/names.ts'

/** Layout of a card, little-endian. A text is {u32 offset, u32 length}, a list {u32 offset}, from the card's start. */
export const CARD = {
  magic: 0,
  abilities: 4,
  /** Init's, and the inode of its pidfd: the kernel gives each process one of its own, and never again. */
  pid: 8,
  inode: 16,
  /** The pid in decimal, as eight bytes, and how many of them count. */
  digits: 24,
  digitsLength: 32,
  /** The state as JSON: what stands before the pid, between pid and status, and behind the status. */
  head: 36,
  middle: 44,
  tail: 52,
  /** What can be read when the container is not frozen: see CHECK. */
  checks: 60,
  /** Cgroup folders to remove on delete, as C strings up to an empty one: the container's own, and those above. */
  own: 64,
  above: 68,
  size: 72,
} as const

/** An element of `checks`: this file has this byte there. A path of 0 ends the list. */
export const CHECK = { path: 0, position: 4, byte: 8, size: 12 } as const

export const CARD_MAGIC = 0x31746e72 // "rnt1"

/** What the front may do by itself, as bits. */
export const ABILITY = { start: 1, delete: 2 } as const

/** A card that is longer is of no use to the front. */
export const CARD_ROOM = 32768

/** Files in a container's folder. `failure` is there for a moment only. */
export const CARD_FILE = 'card'
export const FAILURE_FILE = 'failure'
export const INIT_FILE = 'init'
/** How init ended: four bytes, a wait(2) status. */
export const EXIT_FILE = 'exit'

/** What lies there to the end. The record goes first: whoever looks then finds no container. */
export const FOLDER_FILES = ['state.json', INIT_FILE, EXIT_FILE, CARD_FILE, 'gate', 'verdict', 'lock'] as const

export interface Card {
  /** ABILITY bits. */
  readonly abilities: number
  /** The state as runt prints it, without pid and status. */
  readonly head: string
  readonly middle: string
  readonly tail: string
  readonly checks: readonly { readonly path: string; readonly position: number; readonly byte: string }[]
  /** Innermost first. */
  readonly own: readonly string[]
  readonly above: readonly string[]
}

const encoder = new TextEncoder()

/** @returns a card's bytes, without the process; undefined when it would be too long */
export function encodeCard(card: Card): Uint8Array | undefined {
  const bytes = new Uint8Array(CARD_ROOM)
  const view = new DataView(bytes.buffer)
  const checks = CARD.size
  let end = checks + CHECK.size * card.checks.length + 4
  let fits = end < CARD_ROOM
  const put = (text: string): number => {
    const start = end
    const more = encodeName(text)
    end += more.length
    fits &&= end < CARD_ROOM
    if (fits) bytes.set(more, start)
    return start
  }
  view.setUint32(CARD.magic, CARD_MAGIC, true)
  view.setUint32(CARD.abilities, card.abilities, true)
  const texts = [
    [CARD.head, card.head],
    [CARD.middle, card.middle],
    [CARD.tail, card.tail],
  ] as const
  for (const [field, text] of texts) {
    const start = put(text)
    view.setUint32(field, start, true)
    view.setUint32(field + 4, end - start, true)
  }
  view.setUint32(CARD.checks, checks, true)
  for (const [index, { path, position, byte }] of card.checks.entries()) {
    const at = checks + CHECK.size * index
    view.setUint32(at + CHECK.path, put(`${path}\0`), true)
    view.setUint32(at + CHECK.position, position, true)
    view.setUint32(at + CHECK.byte, byte.charCodeAt(0), true)
  }
  view.setUint32(CARD.own, put(cStrings(card.own)), true)
  view.setUint32(CARD.above, put(cStrings(card.above)), true)
  return fits ? bytes.subarray(0, end) : undefined
}

function cStrings(texts: readonly string[]): string {
  return `${texts.map((text) => `${text}\0`).join('')}\0`
}

/** Write into a card which process it is about. */
export function nameProcess(card: Uint8Array, pid: number, inode: bigint): void {
  const view = new DataView(card.buffer, card.byteOffset)
  view.setUint32(CARD.pid, pid, true)
  view.setBigUint64(CARD.inode, inode, true)
  const digits = encoder.encodeInto(`${pid}`, card.subarray(CARD.digits, CARD.digitsLength)).written
  view.setUint32(CARD.digitsLength, digits, true)
}
