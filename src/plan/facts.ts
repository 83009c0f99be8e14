// What is known of values at a place of a plan, as a map that is cheap to keep at each branch: copies share what is equal, and
// where ways meet only what differs is looked at. (A tree of 32 ways; a node belongs to the map that made it, and only that one
// changes it.)

/** What is known of a value: that it was written on every way here; that it is a descriptor closed on some way here. */
export const WRITTEN = 1
export const CLOSED = 2
export type Fact = typeof WRITTEN | typeof CLOSED

const BITS = 5
const TOP = 4 * BITS
/** Ids of values are below this. */
export const VALUES_LIMIT = 1 << (TOP + BITS)

interface Node {
  readonly owner: object
  /** Nodes, or facts at the bottom. */
  readonly items: (Node | Fact | undefined)[]
}

export class Facts {
  #root: Node | undefined
  #owner = {}
  /** Are paths the container's on some way here? */
  pivoted = false

  /** Undefined for a value that isn't written on some way here. */
  get(id: number): Fact | undefined {
    let node = this.#root
    for (let shift = TOP; shift > 0 && node !== undefined; shift -= BITS) node = node.items[(id >> shift) & 31] as Node
    return node?.items[id & 31] as Fact | undefined
  }

  set(id: number, fact: Fact): void {
    this.#root = write(this.#root, TOP, id, fact, this.#owner)
  }

  copy(): Facts {
    const other = new Facts()
    other.#root = this.#root
    other.pivoted = this.pivoted
    this.#owner = {} // the nodes are nobody's now
    return other
  }

  /** Let only what holds on this way and on another be known. @returns whether it is less than before */
  meet(other: Facts): boolean {
    const root = this.#root === undefined ? undefined : meetNodes(this.#root, other.#root, TOP)
    const isSame = root === this.#root && (this.pivoted || !other.pivoted)
    this.#root = root
    this.pivoted ||= other.pivoted
    return !isSame
  }
}

function write(node: Node | undefined, shift: number, id: number, fact: Fact, owner: object): Node {
  const own = node?.owner === owner ? node : { owner, items: node === undefined ? [] : node.items.slice() }
  const place = (id >> shift) & 31
  own.items[place] = shift === 0 ? fact : write(own.items[place] as Node | undefined, shift - BITS, id, fact, owner)
  return own
}

const NOBODY = {}

/** @returns the first one, when it knows no more than the second */
function meetNodes(one: Node, other: Node | undefined, shift: number): Node | undefined {
  if (one === other || other === undefined) return other
  let met = one
  for (let place = 0; place < one.items.length; place++) {
    const left = one.items[place]
    const right = other.items[place]
    if (left === right || left === undefined) continue
    const both =
      shift === 0
        ? meetFacts(left as Fact, right as Fact | undefined)
        : meetNodes(left as Node, right as Node | undefined, shift - BITS)
    if (both === left) continue
    if (met === one) met = { owner: NOBODY, items: one.items.slice() }
    met.items[place] = both
  }
  return met
}

function meetFacts(one: Fact, other: Fact | undefined): Fact | undefined {
  return other === undefined || other > one ? other : one
}
