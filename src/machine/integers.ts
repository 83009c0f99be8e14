// Integers of a plan as two unsigned 32-bit halves, two's complement. Numbers never become bigints on the way.

const TWO_TO_32 = 0x100000000

/** Bits 0–31 of an integer that checkInteger() has seen. */
export function lowHalf(value: number | bigint): number {
  return typeof value === 'number' ? value >>> 0 : Number(value & 0xffffffffn)
}

/** Bits 32–63 of an integer that checkInteger() has seen. */
export function highHalf(value: number | bigint): number {
  return typeof value === 'number' ? Math.floor(value / TWO_TO_32) >>> 0 : Number((value >> 32n) & 0xffffffffn)
}

/**
 * @throws RangeError for a number that isn't a safe integer, or that neither a signed nor an unsigned integer of that
 *   many bits can hold
 */
export function checkInteger(value: number | bigint, bits: 32 | 64): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new RangeError(`${value} is not an exact integer`)
  if (bits === 32 ? value < -0x80000000 || value > 0xffffffff : typeof value === 'bigint' && exceeds64(value))
    throw new RangeError(`${value} doesn't fit into ${bits} bits`)
}

function exceeds64(value: bigint): boolean {
  return value < -0x8000000000000000n || value > 0xffffffffffffffffn
}
