// What exec is to run: the container's own process changed by flags, or a file's.

import { leadsThroughDescriptor } from '../config/check-process.ts'
import { lastOfEach } from '../config/normalize.ts'
import type { CapabilitySet, Process, ProcessConfig } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { CAPABILITY_NAMES, type CapabilityName } from '../linux/capabilities.ts'
import type { Container } from './container.ts'
import { processConfig } from './exec-record.ts'

/** What is to be run: as the flags of exec say it. */
export interface ExecRequest {
  /** A file with a process object, instead of all that follows. */
  readonly processFile: string | undefined
  readonly args: readonly string[]
  readonly terminal: boolean
  /** "uid" or "uid:gid". */
  readonly user: string | undefined
  readonly additionalGids: readonly string[]
  readonly cwd: string | undefined
  readonly env: readonly string[]
  readonly capabilities: readonly string[]
  readonly noNewPrivileges: boolean
  readonly apparmorProfile: string | undefined
  readonly selinuxLabel: string | undefined
}

/**
 * @param warnings gets what a file asks for and can't have, but may go on without
 * @throws RuntError 'usage' for a flag that can't be read, 'config-…' for a file
 */
export async function execConfig(
  container: Container,
  request: ExecRequest,
  warnings: string[],
): Promise<ProcessConfig> {
  const config = processConfig(container.exec, container.rootfs)
  const { processFile } = request
  if (processFile !== undefined) {
    const { loadProcess } = await import('../config/load-process.ts')
    const given = await loadProcess(processFile, warnings)
    const terminal = given.terminal || request.terminal
    return { ...config, process: { ...inherited(given, config.process), terminal } }
  }
  if (config.process === undefined) {
    throw new RuntError('usage', `container ${container.id} has no process whose settings could be taken`, {
      hint: 'its config.json has none: give the whole of it with --process FILE',
    })
  }
  return { ...config, process: changed(config.process, request) }
}

/** What a file leaves out for the container to say, as runc has it: not the environment, and not the limits. */
function inherited(process: Process, own: Process | undefined): Process {
  return {
    ...process,
    capabilities: process.capabilities ?? own?.capabilities,
    user: { ...process.user, umask: process.user.umask ?? own?.user.umask },
    oomScoreAdj: process.oomScoreAdj ?? own?.oomScoreAdj,
    execCPUAffinity: process.execCPUAffinity ?? own?.execCPUAffinity,
    scheduler: process.scheduler ?? own?.scheduler,
    ioPriority: process.ioPriority ?? own?.ioPriority,
    apparmorProfile: process.apparmorProfile ?? own?.apparmorProfile,
    selinuxLabel: process.selinuxLabel ?? own?.selinuxLabel,
  }
}

function changed(own: Process, request: ExecRequest): Process {
  const { args, terminal, cwd, noNewPrivileges } = request
  if (args[0] === '') throw new RuntError('usage', 'the command is empty')
  if (cwd !== undefined && !cwd.startsWith('/')) throw invalid('cwd', cwd, 'cwd must be an absolute path')
  if (cwd !== undefined && leadsThroughDescriptor(cwd)) throw invalid('cwd', cwd, 'must not lead through a descriptor')
  return {
    ...own,
    args,
    terminal,
    consoleSize: undefined,
    user: userOf(own.user, request),
    cwd: cwd ?? own.cwd,
    env: request.env.length === 0 ? own.env : lastOfEach([...own.env, ...request.env.map(variable)]),
    capabilities: withCapabilities(own.capabilities, request.capabilities),
    noNewPrivileges: noNewPrivileges || own.noNewPrivileges,
    apparmorProfile: request.apparmorProfile ?? own.apparmorProfile,
    selinuxLabel: request.selinuxLabel ?? own.selinuxLabel,
  }
}

function userOf(own: Process['user'], { user, additionalGids }: ExecRequest): Process['user'] {
  const more = additionalGids.map((text) => id('additional-gids', text, text))
  const { uid, gid } = user === undefined ? own : { gid: own.gid, ...parseUser(user) }
  return { ...own, uid, gid, additionalGids: [...own.additionalGids, ...more] }
}

function parseUser(text: string): { uid: number; gid?: number } {
  const colon = text.indexOf(':')
  if (colon < 0) return { uid: id('user', text, text) }
  return { uid: id('user', text, text.slice(0, colon)), gid: id('user', text, text.slice(colon + 1)) }
}

/** The largest is -1 in disguise, which leaves an id as it is: root's. */
const LARGEST_ID = 0xfffffffe

/** A number from end to end: "1x" is not 1, and "" is not root (CVE-2026-30892). */
function id(flag: string, whole: string, text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= LARGEST_ID) return Number(text)
  throw invalid(flag, whole, `${JSON.stringify(text)} is not a number from 0 to ${LARGEST_ID}`)
}

function variable(text: string): string {
  if (/^[^=]+=/.test(text)) return text
  throw invalid('env', text, 'invalid environment variable: must be NAME=value')
}

/** For the program only: nothing is inheritable that wasn't (CVE-2022-29162), and only what is can be ambient. */
function withCapabilities(own: Process['capabilities'], names: readonly string[]): Process['capabilities'] {
  if (names.length === 0) return own
  const more = names.map(capability)
  const sets = own ?? { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] }
  const raised = (set: CapabilitySet, added = more): readonly CapabilityName[] => [...new Set([...sets[set], ...added])]
  return {
    bounding: raised('bounding'),
    effective: raised('effective'),
    permitted: raised('permitted'),
    inheritable: sets.inheritable,
    ambient: raised(
      'ambient',
      more.filter((name) => sets.inheritable.includes(name)),
    ),
  }
}

function capability(name: string): CapabilityName {
  const known = CAPABILITY_NAMES.find((each) => each === name)
  if (known === undefined) throw invalid('cap', name, 'not a capability; they are written as CAP_NET_ADMIN')
  return known
}

function invalid(flag: string, value: string, why: string): RuntError {
  return new RuntError('usage', `--${flag} ${JSON.stringify(value)}: ${why}`)
}
