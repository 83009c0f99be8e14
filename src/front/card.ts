// A container's card: what the front must know of it to answer by itself, as bytes that it need not parse. It lies beside
// state.json as soon as the container is created; where there is none, the engine does the work.

/** Layout of a card, little-endian. A text is {u32 offset, u32 length}, a list {u32 offset}, from the card's start. */
export const CARD = {
  magic: 0,
  abilities: 4,
  /** Init's, and the inode of its pidfd: the kernel gives each process one of its own, and never again. */
  pid: 8,
  inode: 16,
  /** The state as JSON: before the status, and behind it. */
  head: 24,
  tail: 32,
  /** What can be read when the container is not frozen: see CHECK. */
  checks: 40,
  /** Cgroup folders to remove on delete, as C strings up to an empty one: the container's own, and those above. */
  own: 44,
  above: 48,
  size: 52,
} as const

/** An element of `checks`: this file has this byte there. A path of 0 ends the list. */
export const CHECK = { path: 0, position: 4, byte: 8, size: 12 } as const

export const CARD_MAGIC = 0x31746e72 // "rnt1"

/** What the front may do by itself, as bits. */
export const ABILITY = { start: 1, delete: 2 } as const

/** A card that is longer is of no use to the front. */
export const CARD_ROOM = 32768

/** Names in a container's folder that the front knows. */
export const CARD_FILE = 'card'
export const FAILURE_FILE = 'failure'

export interface Card {
  /** ABILITY bits. */
  readonly abilities: number
  readonly pid: number
  readonly inode: bigint
  /** The state as runt prints it: up to the status's word, and from there on. */
  readonly head: string
  readonly tail: string
  readonly checks: readonly { readonly path: string; readonly position: number; readonly byte: string }[]
  /** Innermost first. */
  readonly own: readonly string[]
  readonly above: readonly string[]
}

const encoder = new TextEncoder()

/** @returns a card's bytes; undefined when it would be too long */
export function encodeCard(card: Card): Uint8Array | undefined {
  const bytes = new Uint8Array(CARD_ROOM)
  const view = new DataView(bytes.buffer)
  const checks = CARD.size
  let end = checks + CHECK.size * card.checks.length + 4
  const put = (text: string): number => {
    const start = end
    end += encoder.encodeInto(text, bytes.subarray(start)).written
    return start
  }
  view.setUint32(CARD.magic, CARD_MAGIC, true)
  view.setUint32(CARD.abilities, card.abilities, true)
  view.setUint32(CARD.pid, card.pid, true)
  view.setBigUint64(CARD.inode, card.inode, true)
  for (const [field, text] of [[CARD.head, card.head] as const, [CARD.tail, card.tail] as const]) {
    view.setUint32(field, put(text), true)
    view.setUint32(field + 4, end - view.getUint32(field, true), true)
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
  return end < CARD_ROOM ? bytes.subarray(0, end) : undefined
}

function cStrings(texts: readonly string[]): string {
  return `${texts.map((text) => `${text}\0`).join('')}\0`
}
