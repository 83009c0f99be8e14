// In the foreground: stay until the program ends, and be its terminal meanwhile.

import { RuntError } from '../errors.ts'
import { pollAsync } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'
import type { InitProcess } from '../process/init.ts'
import { decodeMessage } from '../process/sync.ts'
import { relayTerminal } from './terminal.ts'

/**
 * Relay the terminal until P0 says how the program ended.
 * @param master the pty's, when there is one
 * @returns the program's wait(2) status
 */
export async function standIn({ monitor }: Pick<InitProcess, 'monitor'>, master: number | undefined): Promise<number> {
  try {
    if (master !== undefined) await relayTerminal(master, monitor)
    await pollAsync([monitor])
    return readStatus(monitor)
  } finally {
    close(monitor)
  }
}

function readStatus(monitor: number): number {
  const bytes = new Uint8Array(64)
  const length = syscall('read', monitor, bytes, bytes.length)
  if (length === 0) throw new RuntError('init', 'the first process ended without telling how the program did')
  const message = decodeMessage(bytes.subarray(0, length))
  if (message.kind !== 'status') throw new RuntError('internal', `${message.kind} where a status was due`)
  return message.value
}
