// Memory that a container has used, v1 and v2 in v1's terms: swap means memory and swap together.

import { numberOf, type PressureStats, some, tableOf, UNLIMITED } from './stats-files.ts'

export interface MemoryEntry {
  readonly limit: bigint
  readonly usage: bigint | undefined
  readonly max: bigint | undefined
  readonly failcnt: bigint
}

export interface MemoryStats {
  readonly cache: bigint | undefined
  readonly usage: MemoryEntry
  readonly swap: MemoryEntry
  readonly kernel: MemoryEntry
  readonly kernelTCP: MemoryEntry
  /** memory.stat, in the order of the alphabet. */
  readonly raw: Readonly<Record<string, bigint>> | undefined
  readonly psi: PressureStats | undefined
}

export const NO_MEMORY: MemoryEntry = { limit: 0n, usage: undefined, max: undefined, failcnt: 0n }

export function memoryV1(directory: string): Omit<MemoryStats, 'psi'> {
  const entry = (name: string): MemoryEntry => ({
    limit: numberOf(`${directory}/${name}.limit_in_bytes`),
    usage: some(numberOf(`${directory}/${name}.usage_in_bytes`)),
    max: some(numberOf(`${directory}/${name}.max_usage_in_bytes`)),
    failcnt: numberOf(`${directory}/${name}.failcnt`),
  })
  const { cache, raw } = statOf(directory, 'cache')
  return {
    cache,
    usage: entry('memory'),
    swap: entry('memory.memsw'),
    kernel: entry('memory.kmem'),
    kernelTCP: entry('memory.kmem.tcp'),
    raw,
  }
}

export function memoryV2(directory: string): Omit<MemoryStats, 'psi'> {
  const usage = numberOf(`${directory}/memory.current`)
  const limit = numberOf(`${directory}/memory.max`)
  const swapLimit = numberOf(`${directory}/memory.swap.max`)
  const { cache, raw } = statOf(directory, 'file')
  return {
    cache,
    usage: { limit, usage: some(usage), max: some(numberOf(`${directory}/memory.peak`)), failcnt: 0n },
    swap: {
      limit: swapLimit === UNLIMITED || limit === UNLIMITED ? UNLIMITED : swapLimit + limit,
      usage: some(usage + numberOf(`${directory}/memory.swap.current`)),
      max: undefined, // the sum of two peaks is no peak
      failcnt: 0n,
    },
    kernel: NO_MEMORY,
    kernelTCP: NO_MEMORY,
    raw,
  }
}

function statOf(directory: string, cacheName: string): Pick<MemoryStats, 'cache' | 'raw'> {
  const table = tableOf(`${directory}/memory.stat`)
  const raw = Object.fromEntries([...table].sort(([a], [b]) => (a < b ? -1 : 1)))
  return { cache: some(table.get(cacheName) ?? 0n), raw: table.size === 0 ? undefined : raw }
}
