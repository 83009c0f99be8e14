// What exec needs of a container's config, as the record keeps it: JSON, which has no numbers of 64 bits.

import type { Config, Linux, Process, ProcessConfig } from '../config/types.ts'
import type { NamespaceType } from '../linux/namespaces.ts'
import type { SeccompFilter } from '../seccomp/filter.ts'
import { type FilterRecord, filterRecord } from './filter.ts'

export interface ExecRecord {
  /** The config's process; null when it has none. */
  readonly process: Stored<Process> | null
  readonly namespaces: readonly NamespaceType[]
  readonly linux: Pick<Linux, 'memoryPolicy' | 'personality'>
  /** Created with --no-new-keyring. */
  readonly noNewKeyring: boolean
  /** null when there is none. */
  readonly filter: FilterRecord | null
}

/** T with each bigint as {bigint: digits}. */
export type Stored<T> = T extends bigint
  ? { readonly bigint: string }
  : T extends object
    ? { [K in keyof T]: Stored<T[K]> }
    : T

/** @param filter linux.seccomp, compiled */
export function execRecord(
  { process, linux }: Config,
  noNewKeyring: boolean,
  filter: SeccompFilter | undefined,
): ExecRecord {
  const { memoryPolicy, personality } = linux
  return {
    process: process === undefined ? null : stored(process),
    namespaces: linux.namespaces.map(({ type }) => type),
    linux: { memoryPolicy, personality },
    noNewKeyring,
    filter: filterRecord(linux.seccomp, filter),
  }
}

/** @param rootfs the container's, absolute */
export function processConfig({ process, namespaces, linux }: ExecRecord, rootfs: string): ProcessConfig {
  return {
    process: process === null ? undefined : restored<Process>(process),
    root: { path: rootfs },
    linux: {
      namespaces: namespaces.map((type) => ({ type, path: undefined })),
      memoryPolicy: linux.memoryPolicy,
      personality: linux.personality,
    },
  }
}

function stored<T>(value: T): Stored<T> {
  return mapped(value, (leaf) => (typeof leaf === 'bigint' ? { bigint: `${leaf}` } : undefined)) as Stored<T>
}

function restored<T>(value: Stored<T>): T {
  return mapped(value, (leaf) =>
    typeof leaf === 'object' && leaf !== null && 'bigint' in leaf ? BigInt(leaf.bigint as string) : undefined,
  ) as T // the inverse of stored()
}

/** A copy with some values replaced; those for which `replace` gives undefined are copied in turn. */
function mapped(value: unknown, replace: (value: unknown) => unknown): unknown {
  const replaced = replace(value)
  if (replaced !== undefined) return replaced
  if (Array.isArray(value)) return value.map((element) => mapped(element, replace))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, mapped(member, replace)]))
}
