// Bytes with labels. A row of a target's instructions.ts appends one instruction; a branch forward leaves a fixup
// record, and resolve() writes those distances at the end.

/** Number of a label in one assembler. */
export type LabelId = number

/**
 * Write the distance to a label into an instruction.
 * @param at offset of the field in the bytes
 * @param distance from the field's address to the label's
 * @throws RangeError when the field is too small for it
 */
export type Patch = (view: DataView, at: number, distance: number) => void

interface Fixup {
  readonly at: number
  readonly label: LabelId
  readonly patch: Patch
}

export class Assembler {
  /** The first `length` of these are written. Rows write here directly; reserve() has made room. */
  bytes: Uint8Array
  view: DataView
  length = 0
  /** Address of the first byte. */
  readonly origin: number
  /** No code is larger. */
  readonly #limit: number
  readonly #addresses: (number | undefined)[] = []
  readonly #fixups: Fixup[] = []

  /**
   * @param origin address of the first byte
   * @param estimate how many bytes to make room for at first
   * @param limit more than there will ever be
   */
  constructor(origin: number, estimate: number, limit = estimate) {
    this.origin = origin
    this.#limit = limit
    this.bytes = new Uint8Array(estimate)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Address of the next instruction. */
  get address(): number {
    return this.origin + this.length
  }

  /** Make room for that many more bytes; to be called before a group of instructions. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const larger = new Uint8Array(2 * this.bytes.length + count)
    larger.set(this.bytes)
    this.bytes = larger
    this.view = new DataView(larger.buffer)
  }

  /** A new label, not yet anywhere. */
  label(): LabelId {
    return this.#addresses.push(undefined) - 1
  }

  /**
   * Let a label stand at the next instruction, or at an address outside the code.
   * @throws Error when it stands somewhere already
   */
  bind(label: LabelId, address = this.address): void {
    if (this.#addresses[label] !== undefined) throw new Error(`label ${label} is bound twice`)
    this.#addresses[label] = address
  }

  /** A new label at the next instruction. */
  boundLabel(): LabelId {
    return this.#addresses.push(this.origin + this.length) - 1
  }

  /** How far away a label is at most. */
  farthest(label: LabelId): number {
    const address = this.#addresses[label]
    return address === undefined ? this.#limit : Math.abs(address - this.address)
  }

  /** Append a field for the distance to a label: written at once when that is known, else by resolve(). */
  field(label: LabelId, size: number, patch: Patch): void {
    const at = this.length
    this.length = at + size
    const address = this.#addresses[label]
    if (address === undefined) this.#fixups.push({ at, label, patch })
    else patch(this.view, at, address - this.origin - at)
  }

  /**
   * Write all waiting distances.
   * @throws Error for a label that was never bound, RangeError for one that is too far away
   */
  resolve(): void {
    if (this.length > this.bytes.length) throw new Error('instructions were written beyond the reserved room')
    for (const { at, label, patch } of this.#fixups) {
      const address = this.#addresses[label]
      if (address === undefined) throw new Error(`label ${label} was never bound`)
      patch(this.view, at, address - this.origin - at)
    }
  }
}
