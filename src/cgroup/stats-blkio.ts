// Bytes and requests of block devices. v1 has a set of files for each I/O scheduler: the first that counts anything is asked.

import { keyedLinesOf, type PressureStats, some, textOf } from './stats-files.ts'

export interface BlkioEntry {
  readonly major: bigint | undefined
  readonly minor: bigint | undefined
  readonly op: string | undefined
  readonly value: bigint | undefined
}

const MEMBERS = [
  'ioServiceBytesRecursive',
  'ioServicedRecursive',
  'ioQueueRecursive',
  'ioServiceTimeRecursive',
  'ioWaitTimeRecursive',
  'ioMergedRecursive',
  'ioTimeRecursive',
  'sectorsRecursive',
] as const
type Member = (typeof MEMBERS)[number]

export type BlkioStats = Readonly<Partial<Record<Member, readonly BlkioEntry[]>>> & {
  readonly psi: PressureStats | undefined
}

const ALL: Readonly<Record<Member, string>> = {
  ioServiceBytesRecursive: 'io_service_bytes_recursive',
  ioServicedRecursive: 'io_serviced_recursive',
  ioQueueRecursive: 'io_queued_recursive',
  ioServiceTimeRecursive: 'io_service_time_recursive',
  ioWaitTimeRecursive: 'io_wait_time_recursive',
  ioMergedRecursive: 'io_merged_recursive',
  ioTimeRecursive: 'time_recursive',
  sectorsRecursive: 'sectors_recursive',
}
const { ioServiceBytesRecursive, ioServicedRecursive } = ALL
const V1_SETS: readonly (readonly [prefix: string, files: Readonly<Partial<Record<Member, string>>>])[] = [
  ['blkio.bfq', ALL], // with CONFIG_BFQ_CGROUP_DEBUG; without it the two below
  ['blkio', ALL], // CFQ, up to Linux 4.20
  ['blkio.throttle', { ioServiceBytesRecursive, ioServicedRecursive }],
  ['blkio.throttle', { ioServiceBytesRecursive: 'io_service_bytes', ioServicedRecursive: 'io_serviced' }],
]

export function blkioV1(directory: string): Omit<BlkioStats, 'psi'> {
  for (const [prefix, files] of V1_SETS) {
    const tables = Object.entries(files)
      .map(([member, file]) => [member, parseLines(textOf(`${directory}/${prefix}.${file}`))] as const)
      .filter(([, entries]) => entries.length > 0)
    if (tables.length > 0) return Object.fromEntries(tables)
  }
  return {}
}

/** "8:0 Read 124", or "8:0 6792"; the last line is a total. */
function parseLines(text: string): BlkioEntry[] {
  return [...text.matchAll(/^(\d+):(\d+) (?:(\w+) )?(\d+)$/gm)].map(([, major, minor, op, value]) =>
    entryOf(major, minor, op, BigInt(value ?? 0)),
  )
}

const V2_KEYS: readonly (readonly [member: Member, key: string, op: string])[] = [
  ['ioServiceBytesRecursive', 'rbytes', 'Read'],
  ['ioServiceBytesRecursive', 'wbytes', 'Write'],
  ['ioServiceBytesRecursive', 'dbytes', 'Discard'],
  ['ioServicedRecursive', 'rios', 'Read'],
  ['ioServicedRecursive', 'wios', 'Write'],
  ['ioServicedRecursive', 'dios', 'Discard'],
]

/** io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" */
export function blkioV2(directory: string): Omit<BlkioStats, 'psi'> {
  const tables: Partial<Record<Member, BlkioEntry[]>> = {}
  for (const { name, values } of keyedLinesOf(`${directory}/io.stat`)) {
    const [major, minor] = name.split(':')
    for (const [member, key, op] of V2_KEYS) {
      const value = values.get(key)
      if (value === undefined) continue
      tables[member] ??= []
      tables[member].push(entryOf(major, minor, op, value))
    }
  }
  return tables
}

function entryOf(major = '0', minor = '0', op: string | undefined, value: bigint): BlkioEntry {
  return { major: some(BigInt(major)), minor: some(BigInt(minor)), op, value: some(value) }
}
