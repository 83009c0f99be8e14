// What went through the network interfaces of a process's namespace, as it sees them.

import { readFileIfPresent, readLink } from '../native/file.ts'
import { failedWith } from '../native/syscall.ts'

export interface NetworkInterface {
  readonly Name: string
  readonly RxBytes: bigint
  readonly RxPackets: bigint
  readonly RxErrors: bigint
  readonly RxDropped: bigint
  readonly TxBytes: bigint
  readonly TxPackets: bigint
  readonly TxErrors: bigint
  readonly TxDropped: bigint
}

/** @returns null when it has none but the loopback, shares our network namespace, or is gone */
export function interfacesOf(pid: number): readonly NetworkInterface[] | null {
  const theirs = namespaceOf(`${pid}`)
  if (theirs === undefined || theirs === namespaceOf('self')) return null
  const interfaces = parseInterfaces(readFileIfPresent(`/proc/${pid}/net/dev`) ?? '')
  return interfaces.length === 0 ? null : interfaces
}

function namespaceOf(process: string): string | undefined {
  try {
    return readLink(`/proc/${process}/ns/net`)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ESRCH', 'EACCES')) return undefined
    throw error
  }
}

/** Two lines of titles, then "eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs drop …". */
export function parseInterfaces(text: string): NetworkInterface[] {
  const lines = text.split('\n').slice(2)
  return lines.flatMap((line) => {
    const [, name, counters = ''] = /^\s*(.+?):\s*(.*)$/.exec(line) ?? []
    if (name === undefined || name === 'lo') return []
    const count = counters.split(/\s+/).map(BigInt)
    const [RxBytes = 0n, RxPackets = 0n, RxErrors = 0n, RxDropped = 0n] = count
    const [TxBytes = 0n, TxPackets = 0n, TxErrors = 0n, TxDropped = 0n] = count.slice(8)
    return [{ Name: name, RxBytes, RxPackets, RxErrors, RxDropped, TxBytes, TxPackets, TxErrors, TxDropped }]
  })
}
