// All capabilities: what that is depends on the machine, which may lack some, and on the engine, which may be older than some.

import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { capabilityBit, capabilityNumber } from '../../src/linux/capabilities.ts'

/** Docker 20.10 asks for none from here on. */
const FIRST_UNKNOWN = 'CAP_PERFMON'
const KNOWN_TO_ALL = capabilityBit(capabilityNumber(FIRST_UNKNOWN) ?? 0) - 1n

/** @param set of a container that was given all, as in /proc/PID/status */
export function assertAllCapabilities(set: string): void {
  const bounding = readFileSync('/proc/self/status', 'utf8').match(/CapBnd:\t(\w+)/)?.[1]
  const [ours, theirs] = [BigInt(`0x${bounding}`), BigInt(`0x${set}`)]
  assert.is(theirs & KNOWN_TO_ALL, ours & KNOWN_TO_ALL, `${set} of ${bounding}`)
  assert.is(theirs & ~ours, 0n, `${set} of ${bounding}`)
}
