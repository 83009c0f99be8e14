// The text of a config file: UTF-8 without a byte order mark, and not empty.

import { RuntError } from '../errors.ts'
import { O } from '../linux/open-flags.ts'
import { close, open, readAll, readToEnd } from '../native/file.ts'

const STDIN = 0
/** Bytes of what somebody may have written for a config: a device that never ends is none. */
const LARGEST = 64 << 20

/**
 * @param name how errors speak of the file
 * @throws SyscallError when it can't be read, RuntError 'config-invalid' when it is no text
 */
export function readConfigFile(path: string, name: string): string {
  const fd = open(path, O.RDONLY | O.NONBLOCK)
  try {
    return textOf(readAll(fd, LARGEST), name)
  } finally {
    close(fd)
  }
}

/**
 * The same of a file that may be a pipe: it is waited for, and read to its end.
 * @param path '-' for the standard input
 */
export function readGivenFile(path: string, name: string): string {
  if (path === '-') return textOf(readToEnd(STDIN, LARGEST), name)
  const fd = open(path, O.RDONLY)
  try {
    return textOf(readToEnd(fd, LARGEST), name)
  } finally {
    close(fd)
  }
}

function textOf(bytes: Uint8Array | undefined, name: string): string {
  if (bytes === undefined) throw new RuntError('config-invalid', `${name} is larger than ${LARGEST >> 20} MiB`)
  if (bytes.length === 0) throw new RuntError('config-invalid', `${name} is empty`)
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new RuntError('config-invalid', `${name}:1:1: starts with a byte order mark, which JSON has not`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new RuntError('config-invalid', `${name} is not UTF-8`, { cause: error })
  }
}
