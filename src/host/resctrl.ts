// linux.intelRdt: a container's group in resctrl, by which the CPU divides cache and memory bandwidth.
// config-linux.md, Intel RDT; Documentation/filesystems/resctrl.rst

import { propertyError, type RuntError } from '../errors.ts'
import { decodeField } from '../linux/mountinfo.ts'
import { exists, makeDirectory, readFile, readFileIfPresent, tryRemoveDirectory, writeKnob } from '../native/file.ts'
import { SyscallError } from '../native/syscall.ts'

/** What a config asks for. */
export interface RdtRequest {
  /** The group's name; "/" is the root group, undefined one for this container alone. */
  readonly closID: string | undefined
  /** Lines for its schemata file, in order. */
  readonly schemata: readonly string[]
  /** A monitoring group of the container's own. */
  readonly enableMonitoring: boolean
}

/** Where a container is. Absolute paths. */
export interface RdtGroup {
  readonly directory: string
  readonly monitor: string | undefined
  /** Folders that are this container's alone, innermost first. */
  readonly own: readonly string[]
}

/**
 * Where resctrl is mounted.
 * @param mountinfo text of /proc/self/mountinfo
 * @throws RuntError when it isn't
 */
export function resctrlRoot(mountinfo: string): string {
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const path = before.split(' ')[4]
    if (after.startsWith('resctrl ') && path !== undefined) return decodeField(path)
  }
  throw propertyError('host', '/linux/intelRdt', 'resctrl is not mounted', {
    hint: 'mount -t resctrl resctrl /sys/fs/resctrl, where CPU and kernel have it',
  })
}

/** Folders of resctrl's own. */
const RESERVED = new Set(['info', 'mon_groups', 'mon_data'])

/** Where the group of a container is. */
export function groupOf(root: string, id: string, { closID, enableMonitoring }: RdtRequest): RdtGroup {
  const directory = closID === '/' ? root : `${root}/${closID ?? id}`
  const monitor = enableMonitoring ? `${directory}/mon_groups/${id}` : undefined
  const own = [...(monitor === undefined ? [] : [monitor]), ...(closID === undefined ? [directory] : [])]
  return { directory, monitor, own }
}

/**
 * What a request means here. Nothing is made yet, so that the record can say beforehand what may have to be removed.
 * @throws RuntError for a group that must be there and isn't, or has other limits
 */
export function planRdt(root: string, id: string, request: RdtRequest): RdtGroup {
  const { closID, schemata } = request
  const group = groupOf(root, id, request)
  const { directory, own } = group
  const name = closID ?? id
  if (RESERVED.has(name)) throw failure(`${name} is a name of resctrl's own`)
  const taken = own.find(exists)
  if (taken !== undefined) throw failure(`${taken} is there already, and is another container's`)
  if (closID !== undefined && exists(directory)) checkSchemata(directory, schemata)
  else if (closID !== undefined && schemata.length === 0) {
    throw failure(`${directory} is not there, and without schemata none is made`)
  }
  return group
}

/**
 * Make what planRdt() found missing.
 * @returns what was made, innermost first
 * @throws RuntError; nothing of it is left then
 */
export function makeRdt(group: RdtGroup, { closID, schemata }: RdtRequest): string[] {
  const { directory, monitor } = group
  const made: string[] = []
  try {
    if (closID !== '/' && makeDirectory(directory, 0o755)) {
      made.unshift(directory)
      if (schemata.length > 0) writeKnob(`${directory}/schemata`, schemata.map((line) => `${line}\n`).join(''))
    } else checkSchemata(directory, schemata) // also when another container made it just now
    if (monitor !== undefined) {
      if (!makeDirectory(monitor, 0o755)) throw failure(`${monitor} is there already, and is another container's`)
      made.unshift(monitor)
    }
    return made
  } catch (error) {
    const said = lastStatus(directory)
    for (const folder of made) tryRemoveDirectory(folder)
    throw error instanceof SyscallError ? failure(`${error.message}${said}`, error) : error
  }
}

/**
 * Other limits for a group, and for all that are in it. The kernel takes all lines or none.
 * @returns how to take them back
 * @throws RuntError with resctrl's own words
 */
export function changeSchemata(directory: string, lines: readonly string[]): () => void {
  const file = `${directory}/schemata`
  const write = (text: string): void => {
    try {
      writeKnob(file, text)
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error
      throw failure(`${error.message}${lastStatus(directory)}`, error)
    }
  }
  const before = readFileIfPresent(file)
  if (before === undefined) throw failure(`${file} is not there: is resctrl mounted no longer?`)
  const changed = new Set(parseSchemata(lines).keys())
  write(lines.map((line) => `${line}\n`).join(''))
  return () => {
    const old = before.split('\n').filter((line) => [...parseSchemata([line]).keys()].some((name) => changed.has(name)))
    write(old.map((line) => `${line}\n`).join(''))
  }
}

/** Files to write a process into, in this order: a monitoring group takes only processes of its group. */
export function rdtTasks({ directory, monitor }: Pick<RdtGroup, 'directory' | 'monitor'>): string[] {
  return [directory, ...(monitor === undefined ? [] : [monitor])].map((folder) => `${folder}/tasks`)
}

/** A group that is there must have the limits that are asked for: others are in it. */
function checkSchemata(directory: string, asked: readonly string[]): void {
  if (asked.length === 0) return
  const found = parseSchemata(readFile(`${directory}/schemata`).split('\n'))
  for (const [resource, domains] of parseSchemata(asked)) {
    for (const [domain, value] of domains) {
      const has = found.get(resource)?.get(domain)
      if (has === value) continue
      const text = has === undefined ? 'has none' : `has ${has}`
      throw failure(`${directory} is there already, and for ${resource}:${domain}=${value} it ${text}`)
    }
  }
}

/** "L3:0=ff;1=0f" lines → resource → domain → value, without spaces and leading zeros. */
export function parseSchemata(lines: readonly string[]): Map<string, Map<string, string>> {
  const schemata = new Map<string, Map<string, string>>()
  for (const line of lines) {
    const [, resource, rest] = /^\s*([^:\s]+)\s*:(.*)$/.exec(line) ?? []
    if (resource === undefined || rest === undefined) continue
    const domains = schemata.get(resource) ?? new Map<string, string>()
    for (const part of rest.split(';')) {
      const [domain = '', value = ''] = part.split('=').map((side) => side.trim())
      if (domain !== '') domains.set(bare(domain), bare(value.toLowerCase()))
    }
    schemata.set(resource, domains)
  }
  return schemata
}

function bare(number: string): string {
  return number.replace(/^0+(?=.)/, '')
}

/** resctrl says in words why it refused. */
function lastStatus(directory: string): string {
  const root = directory.replace(/\/[^/]*$/, '')
  const said = [root, directory].map((folder) => readFileIfPresent(`${folder}/info/last_cmd_status`)?.trim())
  const words = said.find((text) => text !== undefined && text !== '' && text !== 'ok')
  return words === undefined ? '' : ` (${words})`
}

function failure(what: string, cause?: unknown): RuntError {
  return propertyError('host', '/linux/intelRdt', what, { cause })
}
