// 64-bit numbers that JSON.parse has rounded, read again from the text. RLIM_INFINITY as a double is 2^64: as a limit, 0.

import { step } from '../pointer.ts'
import { WIDE_INTEGERS } from './generated/integers.js'
import type { OciConfig } from './generated/oci.d.ts'
import { nodeAt, parseTree, textOf } from './locate.ts'
import { type Finding, reporter } from './problems.ts'

const RANGES = {
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
  u64: [0n, 2n ** 64n - 1n],
} as const

interface Place {
  readonly holder: Record<string, unknown>
  readonly name: string
  readonly pointer: string
}

/**
 * Put bigints into a config where its numbers are too large to be exact.
 * @param root pointer of what the text holds, when it isn't the whole config
 * @returns those that don't fit 64 bits after all: the schema's comparison was rounded, too
 */
export async function restoreIntegers(config: OciConfig, text: string, root = ''): Promise<Finding[]> {
  const inexact = WIDE_INTEGERS.flatMap(([path, width]) =>
    placesOf(config, path.split('/'), '')
      .filter(({ pointer }) => pointer.startsWith(root))
      .filter(({ holder, name }) => Number.isInteger(holder[name]) && !Number.isSafeInteger(holder[name]))
      .map((place) => ({ place, width })),
  )
  if (inexact.length === 0) return []
  const findings: Finding[] = []
  const report = reporter(findings, 'range')
  const tree = await parseTree(text)
  for (const { place, width } of inexact) {
    const { node } = nodeAt(tree, place.pointer.slice(root.length))
    const literal = node === undefined ? '' : textOf(text, node)
    const value = /^-?\d+$/.test(literal) ? BigInt(literal) : BigInt(place.holder[place.name] as number)
    const [least, most] = RANGES[width]
    if (value < least) report(place.pointer, value, `must be at least ${least}`)
    if (value > most) report(place.pointer, value, `must be at most ${most}`)
    place.holder[place.name] = value
  }
  return findings
}

/** All places that a path with "*" for every member means. */
function placesOf(value: unknown, path: readonly string[], pointer: string): Place[] {
  const [first = '', ...rest] = path
  if (typeof value !== 'object' || value === null) return []
  const holder = value as Record<string, unknown>
  const names = first === '*' ? Object.keys(holder) : first in holder ? [first] : []
  return names.flatMap((name) => {
    const here = `${pointer}/${step(name)}`
    return rest.length === 0 ? [{ holder, name, pointer: here }] : placesOf(holder[name], rest, here)
  })
}
