// A container's filter of system calls: compiled before anything is made, kept in the record for processes that join later.

import type { Config, Seccomp } from '../config/types.ts'
import { propertyError } from '../errors.ts'
import { CAP_SYS_ADMIN } from '../lowering/credentials.ts'
import { hasListener } from '../lowering/seccomp.ts'
import type { SeccompFilter } from '../seccomp/filter.ts'
import { grantableCapabilities } from './facts.ts'
import type { Store } from './store.ts'

/** Who decides about some of the calls. */
export interface Agent {
  /** Of its socket. */
  readonly path: string
  /** What the config has for it. */
  readonly metadata: string | undefined
}

/** As state.json has it. */
export interface FilterRecord {
  /** The program, in base64. */
  readonly program: string
  readonly flags: number
  readonly agent: Agent | null
}

/**
 * @param store keeps what is compiled; undefined for a call that leaves no trace
 * @returns undefined when the config asks for none
 * @throws RuntError when it can't be had
 */
export async function filterOf(store: Store | undefined, config: Config): Promise<SeccompFilter | undefined> {
  const { seccomp } = config.linux
  if (seccomp === undefined || config.process === undefined) return undefined
  if (!config.process.noNewPrivileges && (grantableCapabilities(config) & CAP_SYS_ADMIN) === 0n) {
    throw propertyError('host', '/linux/seccomp', 'loading a filter takes CAP_SYS_ADMIN, which runt itself lacks', {
      hint: 'with process.noNewPrivileges it does not',
    })
  }
  const { seccompFilter } = await import('../seccomp/filter.ts')
  store?.makeRoot()
  return seccompFilter(seccomp, store?.filters)
}

export function agentOf({ listenerPath = '', listenerMetadata }: Seccomp): Agent {
  return { path: listenerPath, metadata: listenerMetadata === '' ? undefined : listenerMetadata }
}

export function filterRecord(seccomp: Seccomp | undefined, filter: SeccompFilter | undefined): FilterRecord | null {
  if (seccomp === undefined || filter === undefined) return null
  const { program, flags } = filter
  const agent = hasListener({ seccomp: filter }) ? agentOf(seccomp) : null
  return { program: Buffer.from(program).toString('base64'), flags, agent }
}

export function recordedFilter(record: FilterRecord | null): Pick<SeccompFilter, 'program' | 'flags'> | undefined {
  return record === null ? undefined : { program: Buffer.from(record.program, 'base64'), flags: record.flags }
}
