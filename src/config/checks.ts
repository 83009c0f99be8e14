// What a schema can't say: checks between properties, by name, in the order in which problems are told.

import { CONTAINER_CHECKS } from './check-container.ts'
import { LINUX_CHECKS } from './check-linux.ts'
import { MOUNT_CHECKS } from './check-mounts.ts'
import { PROCESS_CHECKS } from './check-process.ts'
import { RESOURCE_CHECKS } from './check-resources.ts'
import { SECCOMP_CHECKS } from './check-seccomp.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { type Finding, type Report, reporter } from './problems.ts'

/** A namespace of the container: made for it, joined by path, or (absent) the runtime's. */
export type Namespaces = ReadonlyMap<string, 'new' | 'joined'>

/** One rule. The config fits the schema; what is wrong goes to the report, by JSON pointer. */
export type Check = (config: OciConfig, report: Report, namespaces: Namespaces) => void

export type Checks = Readonly<Record<string, Check>>

export const CHECKS: Checks = {
  ...CONTAINER_CHECKS,
  ...PROCESS_CHECKS,
  ...MOUNT_CHECKS,
  ...LINUX_CHECKS,
  ...RESOURCE_CHECKS,
  ...SECCOMP_CHECKS,
}

/** Everything that the checks find in a config that fits the schema. */
export function runChecks(config: OciConfig, checks = CHECKS): Finding[] {
  const findings: Finding[] = []
  const namespaces = namespacesOf(config)
  for (const [name, check] of Object.entries(checks)) check(config, reporter(findings, name), namespaces)
  return findings
}

export function namespacesOf({ linux }: OciConfig): Namespaces {
  return new Map(
    (linux?.namespaces ?? []).map(({ type, path }) => [type, path === undefined || path === '' ? 'new' : 'joined']),
  )
}
