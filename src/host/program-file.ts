// What a file needs to be executed besides itself: the interpreter of a script, the loader of an ELF file. Read when the kernel
// has said that there is no such file, though there is one. Nothing is followed that leads out of the root.

import { decodeName } from '../linux/names.ts'
import { O, RESOLVE, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { close, status, tryOpen, tryOpenBelow } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'

/** What is read of a file: its header, and as a rule the name of its loader. */
const HEAD = 4096

/** Scripts that are interpreted by scripts: so many the kernel takes. execve(2) */
const DEEPEST = 5

export interface Missing {
  /** The program, or the interpreter of it that lacks something in turn. */
  readonly file: string
  readonly kind: 'interpreter' | 'loader'
  /** What is not there. */
  readonly path: string
}

/**
 * The first of several files that is there, and what it lacks.
 * @param root a container's, as a path on the host
 * @param files in the container
 * @param cwd where relative paths begin
 */
export function missingOfProgram(root: string, files: readonly string[], cwd: string): Missing | undefined {
  const folder = tryOpen(root, O.PATH | O.DIRECTORY)
  if (folder < 0) return undefined
  try {
    let file = files.find((path) => headOf(folder, path, cwd) !== undefined)
    for (let depth = 0; depth < DEEPEST && file !== undefined; depth++) {
      const needed = needOf(headOf(folder, file, cwd) ?? new Uint8Array())
      if (needed !== undefined && headOf(folder, needed.path, cwd) === undefined) return { file, ...needed }
      file = needed?.path
    }
    return undefined
  } finally {
    close(folder)
  }
}

/** The beginning of a plain file; undefined when it isn't there. */
function headOf(root: number, path: string, cwd: string): Uint8Array | undefined {
  const below = path.startsWith('/') ? path : `${cwd}/${path}`
  const found = tryOpenBelow(root, below, O.PATH, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS)
  if (found < 0) return undefined
  try {
    if (((status('', found)?.mode ?? 0) & S_IFMT) !== S_IF.REG) return undefined
    const fd = tryOpen(`/proc/self/fd/${found}`, O.RDONLY | O.NONBLOCK)
    if (fd < 0) return new Uint8Array()
    try {
      const buffer = new Uint8Array(HEAD)
      return buffer.subarray(0, syscall('read', fd, buffer, HEAD))
    } finally {
      close(fd)
    }
  } finally {
    close(found)
  }
}

function needOf(head: Uint8Array): Pick<Missing, 'kind' | 'path'> | undefined {
  const text = decodeName(head)
  const script = /^#![ \t]*([^ \t\n]+)/.exec(text)?.[1]
  if (script !== undefined) return { kind: 'interpreter', path: script }
  const loader = text.startsWith('\x7fELF') ? loaderOf(head) : undefined
  return loader === undefined ? undefined : { kind: 'loader', path: loader }
}

const CLASS_64 = 2
const LITTLE_ENDIAN = 1
const PT_INTERP = 3

/** Where an ELF file says what its loader is called. elf(5) */
function loaderOf(head: Uint8Array): string | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.length)
  const isWide = head[4] === CLASS_64
  const little = head[5] === LITTLE_ENDIAN
  const word = (at: number) => (isWide ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little))
  try {
    const table = word(isWide ? 32 : 28)
    const size = view.getUint16(isWide ? 54 : 42, little)
    const count = view.getUint16(isWide ? 56 : 44, little)
    for (let entry = table; entry < table + size * count; entry += size) {
      if (view.getUint32(entry, little) !== PT_INTERP) continue
      const start = word(entry + (isWide ? 8 : 4))
      const length = word(entry + (isWide ? 32 : 16))
      return start + length > head.length ? undefined : decodeName(head.subarray(start, start + length - 1))
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error // the table isn't in what was read
  }
  return undefined
}
