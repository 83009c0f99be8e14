// How slow the machine is: all time-outs of the tests are as many times longer. An emulated machine sets 10 (vm/).

import { setTimeout as sleep } from 'node:timers/promises'

export const PATIENCE = Number(process.env.PATIENCE ?? 1)
const PATIENCE_MS = 10_000 * PATIENCE

/**
 * Ask again and again, until it is so.
 * @param complaint what to say when it never is
 */
export async function waitUntil(
  isSo: () => boolean | Promise<boolean>,
  complaint: string | (() => string),
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(typeof complaint === 'string' ? complaint : complaint())
    await sleep(5)
  }
}
