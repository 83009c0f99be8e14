// The annotation runt.landlock: what the program may do with files and ports, as Landlock enforces it. The specification has
// no property for it yet; landlock.md beside this file is for users.

import {
  LANDLOCK_FS,
  LANDLOCK_NET,
  LANDLOCK_SCOPES,
  type LandlockFsRight,
  type LandlockNetRight,
  type LandlockScope,
} from '../linux/landlock.ts'
import type { Check } from './checks.ts'

export const LANDLOCK_ANNOTATION = 'runt.landlock'

export interface Landlock {
  /** Denied but where a rule allows it; undefined: all that the kernel knows. */
  readonly handledAccessFS: readonly LandlockFsRight[] | undefined
  readonly handledAccessNet: readonly LandlockNetRight[]
  readonly scoped: readonly LandlockScope[]
  readonly paths: readonly LandlockPaths[]
  readonly ports: readonly LandlockPorts[]
}

/** What may be done with files, and all that is below folders. */
export interface LandlockPaths {
  /** Absolute, in the container. */
  readonly paths: readonly string[]
  readonly access: readonly LandlockFsRight[]
}

export interface LandlockPorts {
  readonly ports: readonly number[]
  readonly access: readonly LandlockNetRight[]
}

const POINTER = `/annotations/${LANDLOCK_ANNOTATION}`
const PROPERTIES = ['handledAccessFS', 'handledAccessNet', 'scoped', 'paths', 'ports']
const LAST_PORT = 65535

export const landlock: Check = ({ annotations }, report) => {
  const text = annotations?.[LANDLOCK_ANNOTATION]
  if (text === undefined) return
  try {
    parseLandlock(text)
  } catch (error) {
    report(POINTER, undefined, error instanceof Error ? error.message : `${error}`)
  }
}

/**
 * The annotation's text, which is JSON.
 * @throws Error with the rest of a sentence about it
 */
export function parseLandlock(text: string): Landlock {
  const rules = objectOf(parsed(text), 'the annotation', PROPERTIES)
  const handledAccessFS =
    rules.handledAccessFS === undefined
      ? undefined
      : namesOf<LandlockFsRight>(rules.handledAccessFS, 'handledAccessFS', LANDLOCK_FS)
  const handledAccessNet = namesOf<LandlockNetRight>(rules.handledAccessNet ?? [], 'handledAccessNet', LANDLOCK_NET)
  const paths = listOf(rules.paths ?? [], 'paths').map((rule, index): LandlockPaths => {
    const where = `paths[${index}]`
    const { paths, access } = objectOf(rule, where, ['paths', 'access'])
    const handled = handledAccessFS === undefined ? LANDLOCK_FS : only(handledAccessFS, LANDLOCK_FS)
    return { paths: someOf(paths, `${where}.paths`, path), access: accessOf<LandlockFsRight>(access, where, handled) }
  })
  const ports = listOf(rules.ports ?? [], 'ports').map((rule, index): LandlockPorts => {
    const where = `ports[${index}]`
    const { ports, access } = objectOf(rule, where, ['ports', 'access'])
    const handled = only(handledAccessNet, LANDLOCK_NET)
    return { ports: someOf(ports, `${where}.ports`, port), access: accessOf<LandlockNetRight>(access, where, handled) }
  })
  const scoped = namesOf<LandlockScope>(rules.scoped ?? [], 'scoped', LANDLOCK_SCOPES)
  if (handledAccessFS?.length === 0 && handledAccessNet.length === 0 && scoped.length === 0) {
    throw new Error('denies nothing: handledAccessFS, handledAccessNet and scoped are empty')
  }
  return { handledAccessFS, handledAccessNet, scoped, paths, ports }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`must be JSON: ${error instanceof Error ? error.message : error}`)
  }
}

/** An object with no other properties than these: a wrong word would allow too much, or too little. */
function objectOf(value: unknown, where: string, properties: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${where} must be an object`)
  const odd = Object.keys(value).find((name) => !properties.includes(name))
  if (odd !== undefined) throw new Error(`${where} has ${JSON.stringify(odd)}, and may have ${properties.join(', ')}`)
  return value as Readonly<Record<string, unknown>> // an object, as we have seen
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${where} must be a list`)
  return value
}

function someOf<T>(value: unknown, where: string, read: (element: unknown, where: string) => T): T[] {
  const list = listOf(value, where)
  if (list.length === 0) throw new Error(`${where} is empty`)
  return list.map((element, index) => read(element, `${where}[${index}]`))
}

function path(value: unknown, where: string): string {
  if (typeof value !== 'string' || !value.startsWith('/')) throw new Error(`${where} must be an absolute path`)
  if (value.includes('\0')) throw new Error(`${where} must not have a NUL in it`)
  return value
}

function port(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LAST_PORT) return value
  throw new Error(`${where} must be a port, 0 to ${LAST_PORT}`)
}

type Names = Readonly<Record<string, unknown>>

/** @param names keys of a table whose keys are T */
function namesOf<T extends string>(value: unknown, where: string, names: Names): T[] {
  return listOf(value, where).map((name, index) => {
    if (typeof name === 'string' && Object.hasOwn(names, name)) return name as T // a key
    throw new Error(`${where}[${index}] is ${JSON.stringify(name)}, and may be ${Object.keys(names).join(', ')}`)
  })
}

/** What a rule allows: a part of what is denied otherwise. */
function accessOf<T extends string>(value: unknown, where: string, handled: Names): T[] {
  const names = namesOf<T>(value, `${where}.access`, handled)
  if (names.length === 0) throw new Error(`${where}.access is empty`)
  return names
}

function only(names: readonly string[], table: Names): Names {
  return Object.fromEntries(Object.entries(table).filter(([name]) => names.includes(name)))
}
