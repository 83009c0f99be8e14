// Is a config stricter than the checkpoint that is to be restored with it? CRIU gives processes the rights that its images say, and
// asks nobody. What is looser there than a process of this config could ever be is told.

import type { CapabilitySet, Config, Process } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { CAPABILITY_NAMES, capabilityBit, capabilityNumber } from '../linux/capabilities.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import { RLIMITS } from '../linux/rlimits.ts'
import { warn } from '../log.ts'
import { isNew } from '../lowering/context.ts'
import { capabilitySet } from '../lowering/credentials.ts'
import { status } from '../native/file.ts'
import type { SeccompFilter } from '../seccomp/filter.ts'
import type { Saved, SavedThread } from './saved.ts'
import { looserMounts } from './saved-mounts.ts'

/** What can be taken as it was saved, though config.json is stricter. */
export const RIGHTS = [
  'capabilities',
  'noNewPrivileges',
  'seccomp',
  'user',
  'rlimits',
  'label',
  'namespaces',
  'mounts',
] as const

export type Right = (typeof RIGHTS)[number]

interface Looser {
  readonly right: Right
  readonly text: string
}

export interface RestoredWith {
  /** linux.seccomp, compiled. */
  readonly filter: SeccompFilter | undefined
  /** The caller gives another label than the images'. */
  readonly relabelled: boolean
  /** What the caller wants as it was saved. */
  readonly asSaved: readonly Right[]
}

/** Most that an error tells. */
const MOST_TOLD = 8

/**
 * @param about what the images are called
 * @throws RuntError that tells what is looser in the images, unless the caller wants it so
 */
export function requireNoLooser(config: Config, saved: Saved, about: string, { asSaved, ...how }: RestoredWith): void {
  const found = [
    ...looserNamespaces(config, saved),
    ...looserProcesses(config, saved, how),
    ...(isNew(config, 'mount') ? mountsIn(config, saved) : []),
  ]
  for (const { right, text } of found) if (asSaved.includes(right)) warn(`${about}: ${text}: as saved`)
  const refused = found.filter(({ right }) => !asSaved.includes(right))
  if (refused.length === 0) return
  const texts = refused.slice(0, MOST_TOLD).map(({ text }) => text)
  const more = refused.length > MOST_TOLD ? `; and ${refused.length - MOST_TOLD} more` : ''
  const rights = [...new Set(refused.map(({ right }) => right))].join(',')
  throw new RuntError('criu', `${about}: allows more than config.json: ${texts.join('; ')}${more}`, {
    hint: `--as-saved ${rights} restores it all the same`,
  })
}

function looserNamespaces(config: Config, { shared, ids }: Saved): Looser[] {
  const { namespaces, uidMappings, gidMappings } = config.linux
  // A machine without time namespaces saves none.
  const inCommon = namespaces.filter(({ type, path }) => type !== 'time' && shared.has(type) && !isOfHost(type, path))
  const texts = inCommon.map(({ type }) => `its ${type} namespace is the host's`)
  if (isNew(config, 'user') && ids !== undefined) {
    const same = isSame(uidMappings, ids.uid_map) && isSame(gidMappings, ids.gid_map)
    if (!same) texts.push('its user namespace maps other ids')
  }
  return texts.map((text) => ({ right: 'namespaces', text }))
}

/** A config may name the host's own. */
function isOfHost(type: keyof typeof NAMESPACES, path: string | undefined): boolean {
  if (path === undefined) return false
  return status(path)?.inode === status(`/proc/self/ns/${NAMESPACES[type].link}`)?.inode
}

function isSame(
  wanted: Config['linux']['uidMappings'],
  found: NonNullable<Saved['ids']>['uid_map'] | undefined = [],
): boolean {
  const words = (ids: readonly (number | undefined)[][]) => ids.map((id) => id.join(' ')).sort()
  const [one, other] = [
    words(wanted.map(({ containerID, hostID, size }) => [containerID, hostID, size])),
    words(found.map(({ first, lower_first, count }) => [first, lower_first, count])),
  ]
  return one.join('\n') === other.join('\n')
}

function mountsIn(config: Config, { mounts }: Saved): Looser[] {
  const mayMount = (mostOf(config.process) & CAP.SYS_ADMIN) !== 0n
  const texts = mounts.flatMap((each) => looserMounts(config, each, mayMount))
  return [...new Set(texts)].map((text) => ({ right: 'mounts', text }))
}

type Check = (
  config: Config,
  process: Process,
  thread: SavedThread,
  how: Omit<RestoredWith, 'asSaved'>,
) => string | undefined

const CHECKS: readonly (readonly [right: Right, check: Check])[] = [
  ['capabilities', looserCapabilities],
  ['noNewPrivileges', looserPrivileges],
  ['seccomp', looserFilter],
  ['user', looserUser],
  ['rlimits', looserLimits],
  ['label', looserLabel],
]

/** Of many processes with the same rights, the first is told. */
function looserProcesses(config: Config, { threads }: Saved, how: Omit<RestoredWith, 'asSaved'>): Looser[] {
  const { process } = config
  if (process === undefined) return []
  return CHECKS.flatMap(([right, check]) => {
    const told = new Map<string, SavedThread>()
    for (const thread of threads) {
      const text = check(config, process, thread, how)
      if (text !== undefined && !told.has(text)) told.set(text, thread)
    }
    return [...told].map(([text, { tid, name }]) => ({ right, text: `process ${tid} (${name}) ${text}` }))
  })
}

const CAP = {
  SETGID: bit('CAP_SETGID'),
  SETUID: bit('CAP_SETUID'),
  SYS_ADMIN: bit('CAP_SYS_ADMIN'),
  SYS_RESOURCE: bit('CAP_SYS_RESOURCE'),
} as const

function bit(name: string): bigint {
  return capabilityBit(capabilityNumber(name) ?? 0)
}

function given(process: Process | undefined, set: CapabilitySet): bigint {
  return capabilitySet(process?.capabilities?.[set] ?? [])
}

/** All that a process may come to have, by programs with capabilities of their own. */
function mostOf(process: Process | undefined): bigint {
  return given(process, 'bounding') | given(process, 'permitted') | given(process, 'inheritable')
}

/** capabilities(7): without new privileges, execve gives nothing beyond what there is. */
function looserCapabilities(_: Config, process: Process, { creds }: SavedThread): string | undefined {
  const [permitted, bounding] = [setOf(creds.cap_prm), setOf(creds.cap_bnd)]
  const held = permitted | setOf(creds.cap_eff) | setOf(creds.cap_inh) | setOf(creds.cap_amb)
  const beyond =
    (bounding & ~given(process, 'bounding')) |
    (held & ~mostOf(process)) |
    (process.noNewPrivileges ? permitted & ~given(process, 'permitted') : 0n)
  if (beyond === 0n) return undefined
  const names = CAPABILITY_NAMES.filter((_name, number) => (beyond & capabilityBit(number)) !== 0n)
  return `has ${names.length > 0 ? names.join(' ') : 'capabilities that nobody knows'}`
}

/** Words of 32 bits, the lower first. */
function setOf(words: readonly number[] = []): bigint {
  return words.reduce((set, word, index) => set | (BigInt(word) << BigInt(32 * index)), 0n)
}

function looserPrivileges(_: Config, { noNewPrivileges }: Process, { creds }: SavedThread): string | undefined {
  return noNewPrivileges && creds.no_new_privs !== 1 ? 'may gain privileges (no no_new_privs)' : undefined
}

/** Further filters are the program's own, and can only forbid more. */
function looserFilter(
  _: Config,
  __: Process,
  { filters }: SavedThread,
  { filter }: Pick<RestoredWith, 'filter'>,
): string | undefined {
  if (filter === undefined) return undefined
  if (filters === undefined) return 'has no filter of system calls'
  const isThere = filters.some((found) => Buffer.compare(found, filter.program) === 0)
  return isThere ? undefined : `has another filter of system calls than ${filter.library} makes of linux.seccomp here`
}

/** A process becomes another user by a right, or by a set-user-ID program; init only by a right of its own. */
function looserUser(_: Config, process: Process, { creds, isInit }: SavedThread): string | undefined {
  const { uid, gid, additionalGids } = process.user
  const rights = uid === 0 ? given(process, 'permitted') | given(process, 'bounding') : given(process, 'ambient')
  const may = (right: bigint) => (rights & right) !== 0n || (!isInit && !process.noNewPrivileges)
  const uids = [creds.uid, creds.euid, creds.suid, creds.fsuid].filter((id) => id !== uid)
  if (uid !== 0 && uids.length > 0 && !may(CAP.SETUID)) return `is user ${uids[0]}, not ${uid}`
  const gids = [creds.gid, creds.egid, creds.sgid, creds.fsgid, ...(creds.groups ?? [])]
  const others = gids.filter((id) => id !== gid && (id === undefined || !additionalGids.includes(id)))
  return others.length > 0 && !may(CAP.SETGID) ? `is in group ${others[0]}` : undefined
}

function looserLimits(config: Config, process: Process, { rlimits }: SavedThread): string | undefined {
  // Only root of the machine raises them.
  if (!isNew(config, 'user') && (mostOf(process) & CAP.SYS_RESOURCE) !== 0n) return undefined
  const larger = process.rlimits.filter(({ type, hard }) => (rlimits[RLIMITS[type]] ?? hard + 1n) > hard)
  return larger.length > 0 ? `has a higher ${larger.map(({ type }) => type).join(', ')}` : undefined
}

const UNCONFINED = 'unconfined'

/** AppArmor's may be followed by its mode: "NAME (enforce)". */
function looserLabel(
  _: Config,
  { apparmorProfile, selinuxLabel }: Process,
  { creds }: SavedThread,
  { relabelled }: Pick<RestoredWith, 'relabelled'>,
): string | undefined {
  const wanted = apparmorProfile === UNCONFINED ? selinuxLabel : (apparmorProfile ?? selinuxLabel)
  const found = creds.lsm_profile?.replace(/ \(\w+\)$/, '')
  if (wanted === undefined || relabelled || found === wanted) return undefined
  return found === undefined ? 'has no label of a security module' : `has the label ${found}, not ${wanted}`
}
