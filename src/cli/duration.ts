// Lengths of time as Go's programs write them: 5s, 1m30s, 100ms, 1.5h.

import { RuntError } from '../errors.ts'

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y

/** @returns milliseconds @throws RuntError 'usage' for another text, or nothing above 0 */
export function parseDuration(flag: string, text: string): number {
  let total = 0
  let at = 0
  while (at < text.length) {
    PART.lastIndex = at
    const [part, number, unit] = PART.exec(text) ?? []
    if (part === undefined || unit === undefined) throw refuse(flag, text)
    total += Number(number) * (MILLISECONDS[unit] ?? Number.NaN)
    at += part.length
  }
  if (total > 0 && Number.isFinite(total)) return total
  throw refuse(flag, text)
}

function refuse(flag: string, text: string): RuntError {
  return new RuntError('usage', `--${flag} ${JSON.stringify(text)} is not a duration above 0`, {
    hint: 'write it as 5s, 1m30s or 100ms',
  })
}
