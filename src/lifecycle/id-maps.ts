// The id maps of a new user namespace. user_namespaces(7): without rights over the namespace above, a process may map its own
// id alone; further ranges are for newuidmap(1) and newgidmap(1) to write, which know from /etc/subuid and /etc/subgid who may.

import type { Config, IdMapping, Linux } from '../config/types.ts'
import { propertyError, type RuntError } from '../errors.ts'
import { inFirstUserNamespace, permittedCapabilities } from '../host/probe.ts'
import { capabilityBit } from '../linux/capabilities.ts'
import { idMapText, sameIds } from '../linux/id-map.ts'
import { isNew } from '../lowering/context.ts'
import { callerEnvironment } from '../native/caller.ts'
import { readFile, writeKnob } from '../native/file.ts'
import { runProgram } from '../process/run-program.ts'
import { findProgram } from '../process/search.ts'

/** What differs between users and groups. */
interface Kind {
  readonly pointer: 'uidMappings' | 'gidMappings'
  readonly file: string
  readonly capability: bigint
  readonly own: () => number | undefined
  readonly program: string
  readonly grants: string
}

const USERS: Kind = {
  pointer: 'uidMappings',
  file: 'uid_map',
  capability: capabilityBit(7), // CAP_SETUID
  own: () => process.geteuid?.(),
  program: 'newuidmap',
  grants: '/etc/subuid',
}

const GROUPS: Kind = {
  pointer: 'gidMappings',
  file: 'gid_map',
  capability: capabilityBit(6), // CAP_SETGID
  own: () => process.getegid?.(),
  program: 'newgidmap',
  grants: '/etc/subgid',
}

/**
 * A new user namespace without mappings has the ids that the caller has: all of root's, and for an ordinary user his own as root.
 * The specification says nothing of it; crun's users know it so.
 */
export function withOwnIds(config: Config): Config {
  const { linux, mounts } = config
  if (!isNew(config, 'user') || linux.uidMappings.length + linux.gidMappings.length > 0) return config
  const [uidMappings = [], gidMappings = []] = [USERS, GROUPS].map((kind) => {
    const own = kind.own() ?? 0
    const privileged = (permittedCapabilities() & kind.capability) !== 0n
    return privileged ? sameIds(readFile(`/proc/self/${kind.file}`)) : [{ containerID: 0, hostID: own, size: 1 }]
  })
  const mappings = { uidMappings, gidMappings }
  return {
    ...config,
    linux: { ...linux, ...mappings },
    mounts: mounts.map((mount) => {
      const { idmap } = mount
      const isContainers = typeof idmap?.mappings === 'object' && idmap.mappings.uidMappings.length === 0
      return isContainers ? { ...mount, idmap: { ...idmap, mappings } } : mount
    }),
  }
}

/**
 * Write the maps of a process's user namespace, which runt is the parent of.
 * @throws RuntError naming the map that can't be had
 */
export function writeIdMaps(pid: number, linux: Pick<Linux, 'uidMappings' | 'gidMappings'>): void {
  for (const kind of [USERS, GROUPS]) writeMap(pid, kind, linux[kind.pointer])
}

function writeMap(pid: number, kind: Kind, mappings: readonly IdMapping[]): void {
  const privileged = (permittedCapabilities() & kind.capability) !== 0n
  if (privileged || isOwnAlone(kind, mappings)) writeDirectly(pid, kind, mappings, privileged)
  else callHelper(pid, kind, mappings)
}

function writeDirectly(pid: number, kind: Kind, mappings: readonly IdMapping[], privileged: boolean): void {
  const text = idMapText(mappings)
  try {
    // Who leaves a group may get to what the group is kept from: whoever maps it without rights gives that up first.
    if (!privileged && kind === GROUPS) writeKnob(`/proc/${pid}/setgroups`, 'deny')
    writeKnob(`/proc/${pid}/${kind.file}`, text)
  } catch (error) {
    throw failed(kind, error instanceof Error ? error.message : `${error}`, {
      cause: error,
      ...(inFirstUserNamespace()
        ? {}
        : { hint: 'in a user namespace only ids that are mapped there can be mapped on' }),
    })
  }
}

function isOwnAlone({ own }: Kind, mappings: readonly IdMapping[]): boolean {
  const [mapping] = mappings
  return mappings.length === 1 && mapping?.size === 1 && mapping.hostID === own()
}

function callHelper(pid: number, kind: Kind, mappings: readonly IdMapping[]): void {
  const { program, grants, own } = kind
  const path = findProgram(program, callerEnvironment().PATH)
  if (path === undefined) {
    throw failed(kind, `${program}: executable file not found in $PATH`, {
      hint: 'an ordinary user may map no more than his own id without it: install it (Debian: package uidmap)',
    })
  }
  const words = mappings.flatMap(({ containerID, hostID, size }) => [`${containerID}`, `${hostID}`, `${size}`])
  const { status, output } = runProgram(path, [`${pid}`, ...words], 'output')
  if (status === 0) return
  const said = output.trim().replaceAll('\n', '; ')
  throw failed(kind, said === '' ? `${path}: exit status ${status}` : said, {
    hint: `beside his own id, ${own()}, a user may map what ${grants} grants him, in lines as "USER:100000:65536"`,
  })
}

function failed({ pointer }: Kind, why: string, options: { cause?: unknown; hint?: string }): RuntError {
  return propertyError('init', `/linux/${pointer}`, why, options)
}
