// The environment of a process as bytes. environ(7)

import { decodeName } from './names.ts'

/**
 * How the front hides a variable from the engine's own machinery, which takes parts of the environment for orders: what stands
 * in place of the "=", and is added to the first byte, which is ASCII. Nobody finds it by its name then, but who knows.
 */
export const HIDING = { sign: 0x01, first: 0x80 } as const

const SIGN = '='.charCodeAt(0)

/** @param bytes as /proc/PID/environ has them; of two values the first counts, as for getenv(3) */
export function parseEnvironment(bytes: Uint8Array): Readonly<Record<string, string>> {
  const variables: Record<string, string> = Object.create(null)
  for (let start = 0; start < bytes.length; ) {
    const nul = bytes.indexOf(0, start)
    const end = nul < 0 ? bytes.length : nul
    const entry = bytes.subarray(start, end)
    const sign = entry.findIndex((byte) => byte === SIGN || byte === HIDING.sign)
    if (sign > 0) variables[nameOf(entry, sign)] ??= decodeName(entry.subarray(sign + 1))
    start = end + 1
  }
  return variables
}

function nameOf(entry: Uint8Array, length: number): string {
  const name = entry.slice(0, length)
  if (entry[length] === HIDING.sign && name[0] !== undefined) name[0] -= HIDING.first
  return decodeName(name)
}
