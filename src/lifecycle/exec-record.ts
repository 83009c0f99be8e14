// What exec needs of a container's config, as the record keeps it.

import type { Config, Linux, Process, ProcessConfig } from '../config/types.ts'
import type { NamespaceType } from '../linux/namespaces.ts'
import type { SeccompFilter } from '../seccomp/filter.ts'
import { type FilterRecord, filterRecord } from './filter.ts'
import { restored, type Stored, stored } from './stored.ts'

export interface ExecRecord {
  /** The config's process; null when it has none. */
  readonly process: Stored<Process> | null
  readonly namespaces: readonly NamespaceType[]
  readonly linux: Pick<Linux, 'memoryPolicy' | 'personality' | 'landlock'>
  /** Created with --no-new-keyring. */
  readonly noNewKeyring: boolean
  /** null when there is none. */
  readonly filter: FilterRecord | null
}

/** @param filter linux.seccomp, compiled */
export function execRecord(
  { process, linux }: Config,
  noNewKeyring: boolean,
  filter: SeccompFilter | undefined,
): ExecRecord {
  const { memoryPolicy, personality, landlock } = linux
  return {
    process: process === undefined ? null : stored(process),
    namespaces: linux.namespaces.map(({ type }) => type),
    linux: { memoryPolicy, personality, landlock },
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
      landlock: linux.landlock,
    },
  }
}
