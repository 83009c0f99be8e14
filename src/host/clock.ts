// The time of day as text.

import { syscall } from '../native/syscall.ts'

const CLOCK_REALTIME = 0

/** RFC 3339 in UTC, to the nanosecond, as other runtimes write it. */
export function timestamp(): string {
  const time = new BigInt64Array(2)
  syscall('clock_gettime', CLOCK_REALTIME, new Uint8Array(time.buffer))
  return formatTime(time[0] ?? 0n, time[1] ?? 0n)
}

/** @param seconds since the epoch */
export function formatTime(seconds: bigint, nanoseconds: bigint): string {
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, -'.000Z'.length)
  const fraction = `${nanoseconds}`.padStart(9, '0').replace(/0+$/, '')
  return `${whole}${fraction === '' ? '' : `.${fraction}`}Z`
}
