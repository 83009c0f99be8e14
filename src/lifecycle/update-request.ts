// What an update asks for, as flags or as a file → Resources.

import type { OciResources } from '../config/generated/oci.d.ts'
import { checkResources, loadResources } from '../config/load-resources.ts'
import type { Resources } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { parseBytes } from './bytes.ts'

export type UpdateFlag = keyof typeof FLAGS

export interface UpdateRequest {
  /** A file with resources, or "-": instead of flags. */
  readonly file: string | undefined
  /** Flag → its text. */
  readonly flags: ReadonlyMap<UpdateFlag, string>
  /** Flag → its line for the schemata of the container's resctrl group; beside a file as well. */
  readonly schemata: ReadonlyMap<SchemataFlag, string>
}

/**
 * @param warnings gets what is asked for and can't be had, but may be missing
 * @returns undefined when only schemata are to be changed
 * @throws RuntError 'usage' for what can't be read, 'config-…' for what is in a file
 */
export async function resourcesOf(
  { file, flags, schemata }: UpdateRequest,
  warnings: string[],
): Promise<Resources | undefined> {
  const [first] = flags.keys()
  if (file === undefined && first === undefined) {
    if (schemata.size > 0) return undefined
    throw new RuntError('usage', 'nothing is to be changed', { hint: 'runt update --help lists the limits' })
  }
  if (file === undefined) return fromFlags(flags, warnings)
  if (first !== undefined) throw new RuntError('usage', `--resources says all limits: --${first} contradicts it`)
  return loadResources(file, warnings)
}

/** What a line of each flag must look like: linux.intelRdt's l3CacheSchema and memBwSchema. */
const SCHEMATA = {
  'l3-cache-schema': [/^L3(CODE|DATA)?:[^\n]+$/, 'not a line as "L3:0=ff;1=ff"'],
  'mem-bw-schema': [/^MB:[^\n]+$/, 'not a line as "MB:0=50;1=100"'],
} as const satisfies Record<string, readonly [RegExp, string]>

export type SchemataFlag = keyof typeof SCHEMATA

/** The lines for a resctrl group, in the order of the specification. @throws RuntError 'usage' */
export function schemataOf({ schemata }: Pick<UpdateRequest, 'schemata'>): string[] {
  return Object.entries(SCHEMATA).flatMap(([flag, [form, why]]) => {
    const line = schemata.get(flag as SchemataFlag)
    if (line === undefined) return []
    if (!form.test(line)) throw invalid(flag, line, why)
    return [line]
  })
}

type Value = bigint | number | string

interface FlagRow {
  /** Below /linux/resources. */
  readonly path: readonly [scope: string, key: string]
  readonly parse: (flag: string, text: string) => Value
}

const U64 = [0n, 2n ** 64n - 1n] as const
const I64 = [-(2n ** 63n), 2n ** 63n - 1n] as const

const FLAGS = {
  'blkio-weight': row('blockIO', 'weight', (flag, text) => Number(whole(10n, 1000n)(flag, text))),
  'cpu-period': row('cpu', 'period', whole(...U64)),
  'cpu-quota': row('cpu', 'quota', whole(...I64)),
  'cpu-burst': row('cpu', 'burst', whole(...U64)),
  'cpu-share': row('cpu', 'shares', whole(...U64)),
  'cpu-rt-period': row('cpu', 'realtimePeriod', whole(...U64)),
  'cpu-rt-runtime': row('cpu', 'realtimeRuntime', whole(...I64)),
  'cpuset-cpus': row('cpu', 'cpus', list),
  'cpuset-mems': row('cpu', 'mems', list),
  'cpu-idle': row('cpu', 'idle', whole(...I64)),
  'kernel-memory': row('memory', 'kernel', size),
  'kernel-memory-tcp': row('memory', 'kernelTCP', size),
  memory: row('memory', 'limit', size),
  'memory-reservation': row('memory', 'reservation', size),
  'memory-swap': row('memory', 'swap', size),
  'pids-limit': row('pids', 'limit', whole(...I64)),
} as const satisfies Record<string, FlagRow>

function row(scope: string, key: string, parse: FlagRow['parse']): FlagRow {
  return { path: [scope, key], parse }
}

function fromFlags(flags: UpdateRequest['flags'], warnings: string[]): Resources {
  const given: Record<string, Record<string, Value>> = {}
  const names = new Map<string, string>()
  for (const [flag, text] of flags) {
    const { path, parse } = FLAGS[flag]
    const [scope, key] = path
    given[scope] = { ...given[scope], [key]: parse(flag, text) }
    names.set(`/linux/resources/${scope}/${key}`, flag)
  }
  const { resources, findings, ignored } = checkResources(given as OciResources) // the rows' paths and ranges are the schema's
  const [first] = findings
  for (const { pointer, message } of ignored) warnings.push(`--${names.get(pointer)}: ${message}`)
  if (first === undefined) return resources
  const flag = names.get(first.pointer) ?? ''
  throw invalid(flag, flags.get(flag as UpdateFlag) ?? '', first.message)
}

function whole(least: bigint, most: bigint): FlagRow['parse'] {
  return (flag, text) => {
    const value = /^-?\d+$/.test(text) ? BigInt(text) : undefined
    if (value !== undefined && value >= least && value <= most) return value
    throw invalid(flag, text, `not a number from ${least} to ${most}`)
  }
}

function size(flag: string, text: string): bigint {
  const value = text === '-1' ? -1n : parseBytes(text)
  if (value !== undefined && value <= I64[1]) return value
  throw invalid(flag, text, 'not a size: bytes, also with k, m, g, t or p; -1 for no limit')
}

function list(flag: string, text: string): string {
  if (/^[0-9][0-9,-]*$/.test(text)) return text
  throw invalid(flag, text, 'not a list as "0-3,7"')
}

function invalid(flag: string, text: string, why: string): RuntError {
  return new RuntError('usage', `--${flag} ${JSON.stringify(text)}: ${why}`)
}
