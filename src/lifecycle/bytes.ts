// Sizes as people write them: "512", "64m", "1.5 GiB". Always by 1024, as runc and Docker have it.

const LETTERS = 'kmgtp'

/**
 * @returns bytes; undefined when it is no size
 */
export function parseBytes(text: string): bigint | undefined {
  const [, digits, fraction, letter] = /^(\d+)(\.\d+)?(?: ?([kmgtp])i?b?| ?b)?$/i.exec(text) ?? []
  if (digits === undefined) return undefined
  const shift = letter === undefined ? 0n : 10n * BigInt(LETTERS.indexOf(letter.toLowerCase()) + 1)
  const whole = BigInt(digits) << shift
  return fraction === undefined ? whole : whole + BigInt(Math.trunc(Number(fraction) * 2 ** Number(shift)))
}
