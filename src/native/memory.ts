// Memory outside the JavaScript heap, for structures that hold pointers: it never moves, and its address is known.

import { encodeName } from '../linux/names.ts'
import { callNative } from './ffi.ts'
import { syscall } from './syscall.ts'

const PROT_READ_WRITE = 0x3
const MAP_PRIVATE_ANONYMOUS = 0x22

/** A mapping that is filled from its start and given back as a whole. */
export class Arena {
  readonly #base: bigint
  readonly #size: number
  #used = 0

  /** @param size bytes; rounded up to pages by the kernel */
  constructor(size: number) {
    this.#size = size
    this.#base = BigInt(syscall('mmap', 0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0))
  }

  /** Copy bytes in. @returns their address @throws RangeError when the arena is full */
  place(bytes: Uint8Array, align = 8): bigint {
    const address = this.reserve(bytes.length, align)
    if (bytes.length > 0) callNative('memcpy', address, bytes, bytes.length)
    return address
  }

  /** Zeroed room for an out parameter. @returns its address */
  reserve(length: number, align = 8): bigint {
    const offset = Math.ceil(this.#used / align) * align
    if (offset + length > this.#size) throw new RangeError(`arena of ${this.#size} bytes is full`)
    this.#used = offset + length
    return this.#base + BigInt(offset)
  }

  /** A copy of what stands at an address of this arena. */
  read(address: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    if (length > 0) callNative('memcpy', bytes, address, length)
    return bytes
  }

  /** A NUL-terminated string. @returns its address */
  placeString(text: string): bigint {
    return this.place(encodeName(`${text}\0`), 1)
  }

  /** A NULL-terminated array of strings (argv, envp). @returns its address */
  placeStrings(texts: readonly string[]): bigint {
    const pointers = new BigUint64Array(texts.length + 1)
    for (const [index, text] of texts.entries()) pointers[index] = this.placeString(text)
    return this.place(new Uint8Array(pointers.buffer))
  }

  [Symbol.dispose](): void {
    syscall('munmap', this.#base, this.#size)
  }
}
