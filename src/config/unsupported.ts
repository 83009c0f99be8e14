// Properties that are valid and that runt can't give. They are refused by name, never ignored (config.md,
// Extensibility: "unsupported values MUST generate an error"). Who implements one deletes its row.

import { HANDLER } from './annotations.ts'
import { type Namespaces, namespacesOf } from './checks.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { type Finding, reporter } from './problems.ts'

interface Row {
  readonly pointer: string
  /** Why, or what is missing. */
  readonly reason: string
  /** Whether a config really asks for it: values that mean "as it is anyway" don't. */
  readonly asked: (config: OciConfig, namespaces: Namespaces) => boolean
}

const NEEDS_MOUNT_NAMESPACE =
  'in a user namespace runt does this only in a mount namespace, which linux.namespaces does not list'

/** Root of a user namespace has no rights over the mounts that the caller has. */
const isBarred = (namespaces: Namespaces): boolean => !namespaces.has('mount') && namespaces.has('user')

const ROWS: readonly Row[] = [
  {
    pointer: `/annotations/${HANDLER}`,
    reason: 'runt runs programs itself, and has no handler for others',
    asked: ({ annotations }) => annotations?.[HANDLER] !== undefined,
  },
  {
    pointer: '/mounts',
    reason: NEEDS_MOUNT_NAMESPACE,
    asked: ({ mounts }, namespaces) => hasSome(mounts) && isBarred(namespaces),
  },
  {
    pointer: '/root/readonly',
    reason: NEEDS_MOUNT_NAMESPACE,
    asked: ({ root }, namespaces) => root?.readonly === true && isBarred(namespaces),
  },
  {
    pointer: '/process/terminal',
    reason: NEEDS_MOUNT_NAMESPACE,
    asked: ({ process }, namespaces) => process?.terminal === true && isBarred(namespaces),
  },
  ...(['devices', 'sysctl', 'rootfsPropagation'] as const).map((name) => ({
    pointer: `/linux/${name}`,
    reason: NEEDS_MOUNT_NAMESPACE,
    asked: ({ linux }: OciConfig, namespaces: Namespaces) => hasSome(linux?.[name]) && isBarred(namespaces),
  })),
]

/** Everything that a valid config asks for and that runt can't give. */
export function findUnsupported(config: OciConfig): Finding[] {
  const findings: Finding[] = []
  const report = reporter(findings, 'unsupported')
  const namespaces = namespacesOf(config)
  for (const { pointer, reason, asked } of ROWS) {
    if (asked(config, namespaces)) report(pointer, undefined, reason)
  }
  return findings
}

/** False for what holds nothing. */
function hasSome(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : value !== undefined
}
