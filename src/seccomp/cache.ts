// Compiled filters, kept below the state root: a file a profile. What decides about a system's calls is believed only from a
// folder and a file that are ours alone, that is complete, that is of the very same profile, and that was compiled by the
// libseccomp that is still there.

import { O, S_IF, S_IFMT } from '../linux/open-flags.ts'
import {
  close,
  type FileStatus,
  listDirectory,
  makeDirectory,
  readAll,
  status,
  tryOpen,
  tryUnlink,
  writeFileAtomically,
} from '../native/file.ts'

/** Filters that are kept; a new one takes the place of the oldest. */
const MOST = 32

const MAGIC = 0x31666373 // "scf1"
/** {u32 magic, u32 length of the library's line, u32 of the key, u32 of the program}, and these three. */
const HEADER = 16

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** What was compiled: the program, and the file of the library that did it. */
export interface Kept {
  readonly program: Uint8Array
  readonly library: string
}

/** @param key all that the program depends on, but for the library @returns undefined when there is none to be believed */
export function findFilter(folder: string, key: string): Kept | undefined {
  const directory = openOurs(folder)
  if (directory < 0) return undefined
  let file = -1
  try {
    const wanted = encoder.encode(key)
    file = tryOpen(nameOf(wanted), O.RDONLY | O.NOFOLLOW | O.NONBLOCK, directory)
    if (file < 0) return undefined
    const found = status('', file)
    if (!isOurs(found) || (found.mode & S_IFMT) !== S_IF.REG) return undefined
    return decode(readAll(file), wanted)
  } finally {
    if (file >= 0) close(file)
    close(directory)
  }
}

/** @returns a negative number for a folder that isn't there, or that somebody else may write to */
function openOurs(folder: string): number {
  const directory = tryOpen(folder, O.PATH | O.DIRECTORY | O.NOFOLLOW)
  if (directory < 0 || isOurs(status('', directory))) return directory
  close(directory)
  return -1
}

/** Written by us, and by nobody else. */
function isOurs(found: FileStatus | undefined): found is FileStatus {
  return found !== undefined && found.uid === process.geteuid?.() && (found.mode & 0o022) === 0
}

function decode(bytes: Uint8Array, wanted: Uint8Array): Kept | undefined {
  if (bytes.length < HEADER) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const [line, key, program] = [view.getUint32(4, true), view.getUint32(8, true), view.getUint32(12, true)]
  if (view.getUint32(0, true) !== MAGIC || HEADER + line + key + program !== bytes.length) return undefined
  const body = bytes.subarray(HEADER)
  if (Buffer.compare(body.subarray(line, line + key), wanted) !== 0) return undefined
  const text = decoder.decode(body.subarray(0, line))
  const library = text.slice(text.indexOf('/'))
  return libraryLine(library) === text ? { program: body.slice(line + key), library } : undefined
}

/** Which file a path leads to, and which version of it. @returns '' when it leads nowhere */
function libraryLine(path: string): string {
  const found = status(path)
  if (found === undefined) return ''
  const { inode, size, modified } = found
  return `${inode} ${size} ${modified.seconds}.${modified.nanoseconds} ${path}`
}

/** @throws SyscallError when the folder can't be written to */
export function keepFilter(folder: string, key: string, kept: Kept): void {
  makeDirectory(folder, 0o700)
  const directory = openOurs(folder)
  if (directory < 0) return
  try {
    // Through the descriptor: another folder may have come in its place.
    const path = `/proc/self/fd/${directory}`
    makeRoom(path)
    const wanted = encoder.encode(key)
    writeFileAtomically(`${path}/${nameOf(wanted)}`, encode(wanted, kept), 0o600)
  } finally {
    close(directory)
  }
}

function encode(key: Uint8Array, { program, library }: Kept): Uint8Array {
  const parts = [encoder.encode(libraryLine(library)), key, program]
  const header = new DataView(new ArrayBuffer(HEADER))
  for (const [index, value] of [MAGIC, ...parts.map(({ length }) => length)].entries()) {
    header.setUint32(4 * index, value, true)
  }
  return Buffer.concat([new Uint8Array(header.buffer), ...parts])
}

function makeRoom(folder: string): void {
  const files = listDirectory(folder).map(({ name }) => {
    const path = `${folder}/${name}`
    return { path, at: status(path)?.modified.seconds ?? 0n }
  })
  files.sort((one, other) => (one.at < other.at ? -1 : 1))
  for (const { path } of files.slice(0, Math.max(0, files.length - MOST + 1))) tryUnlink(path)
}

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/**
 * A fingerprint of 64 bits: only a name, since the key itself stands in the file. It goes by words, not by bytes; every hash of
 * the engine's library costs more to load than this to run.
 */
function nameOf(key: Uint8Array): string {
  const words = new Uint32Array((key.length + 3) >> 2)
  new Uint8Array(words.buffer).set(key)
  let [one, other] = [FNV_OFFSET, key.length]
  for (const word of words) {
    one = Math.imul(one ^ word, FNV_PRIME)
    one ^= one >>> 15
    other = Math.imul(other + word, FNV_PRIME) ^ (one >>> 7)
  }
  return `${hex(one)}${hex(other)}`
}

function hex(number: number): string {
  return (number >>> 0).toString(16).padStart(8, '0')
}
