// Values of cgroup v1 that the config speaks of → their meaning in cgroup v2. Pure.

const MIN_SHARES = 2n
const MAX_SHARES = 262144n

/**
 * cpu.shares (2 … 262144, default 1024) → cpu.weight (1 … 10000, default 100). The quadratic in log space that meets
 * the minima, the defaults and the maxima of both scales; older runtimes used a straight line, which turns the default 1024 into 39.
 */
export function sharesToWeight(shares: bigint): bigint {
  if (shares <= MIN_SHARES) return 1n
  if (shares >= MAX_SHARES) return 10000n
  const l = Math.log2(Number(shares))
  const exponent = (l * l + 125 * l - 126) / 612
  return BigInt(Math.ceil(10 ** exponent - 1e-9)) // the last bits of a double must not lift 100 to 101
}

/**
 * Memory and swap together (v1's memsw) → swap alone (v2's memory.swap.max).
 * @param both linux.resources.memory.swap in bytes; negative: unlimited
 * @param limit linux.resources.memory.limit in bytes
 * @returns bytes or "max"
 * @throws RangeError with the reason when the pair has no v2 meaning
 */
export function swapAlone(both: bigint, limit: bigint | undefined): string {
  if (both < 0n) return 'max'
  if (limit === undefined) throw new RangeError('a swap limit needs a memory limit on cgroup v2')
  if (limit < 0n) throw new RangeError('a swap limit has no meaning without a limit of memory on cgroup v2')
  if (both < limit) throw new RangeError(`memory and swap together (${both}) are less than the memory limit (${limit})`)
  return String(both - limit)
}

/** A limit in v2's words: negative is "max". */
export function orMax(limit: bigint): string {
  return limit < 0n ? 'max' : String(limit)
}

/** A limit in v1's words: every negative number is -1, unlimited. */
export function orMinusOne(limit: bigint): string {
  return limit < 0n ? '-1' : String(limit)
}

/** A rate in v2's words: none is "max". */
export function orMaxRate(rate: bigint): string {
  return rate === 0n ? 'max' : String(rate)
}

/** blkio.weight (10 … 1000) → io.weight (1 … 10000), on a straight line. */
export function weightToIoWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990)
}
