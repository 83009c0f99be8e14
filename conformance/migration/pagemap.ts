// What CRIU's images say of memory that they don't hold.

import { readdirSync, readFileSync } from 'node:fs'
import type { Fields } from '../../src/criu/fields.ts'
import { decode } from '../../src/criu/wire.ts'

const PAGE = 4096
/** Two magic numbers. */
const HEADER = 8

/** struct pagemap_entry of CRIU's pagemap.proto: the number of pages has moved to a wider field. */
const ENTRY = {
  nr_pages: { number: 2, type: 'uint32', repeated: false },
  flags: { number: 4, type: 'uint32', repeated: false },
  wide_nr_pages: { number: 5, type: 'uint32', repeated: false },
} as const satisfies Fields
const PE_LAZY = 2
const PE_PRESENT = 4

/** Bytes of memory that a checkpoint left where they were. @param folder of its images */
export function bytesLeft(folder: string): number {
  const maps = readdirSync(folder).filter((name) => /^pagemap-\d+\.img$/.test(name))
  return maps.reduce((sum, name) => sum + pagesLeft(readFileSync(`${folder}/${name}`)) * PAGE, 0)
}

/** Messages, each behind its length; the first is of another kind. */
function pagesLeft(bytes: Buffer): number {
  let pages = 0
  let isHead = true
  for (let at = HEADER; at < bytes.length; isHead = false) {
    const length = bytes.readUInt32LE(at)
    at += 4 + length
    if (isHead) continue
    const { nr_pages, wide_nr_pages, flags = 0 } = decode(ENTRY, bytes.subarray(at - length, at))
    if ((flags & PE_LAZY) !== 0 && (flags & PE_PRESENT) === 0) pages += wide_nr_pages ?? nr_pages ?? 0
  }
  return pages
}
