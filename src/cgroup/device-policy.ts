// linux.resources.devices, in order → what is allowed in the end. Pure. Both renderings come from it: cgroup v1's list
// of exceptions (here) and the BPF program (device-program.ts).
//
// A request (type, major, minor, some of r w m) is allowed when each of its letters is: for a letter the last rule that
// matches decides, and without one the answer is no. Rules meet a device by their four shapes M:N, M:*, *:N and *:*, so
// the verdict depends only on the most specific *cell* that holds it; cells are the rules' shapes and their intersections.

import type { DeviceRule } from '../config/types.ts'
import { RuntError } from '../errors.ts'

export type DeviceKind = 'c' | 'b'

/** Bit set of letters. */
export const ACCESS = { r: 1, w: 2, m: 4 } as const
const ALL = ACCESS.r | ACCESS.w | ACCESS.m

/** undefined stands for all numbers. */
export interface DeviceCell {
  readonly kind: DeviceKind
  readonly major: number | undefined
  readonly minor: number | undefined
  /** Letters that are allowed for the devices that have no more specific cell. */
  readonly allowed: number
}

/** Every cell of the policy, those with both numbers first, "all devices" of a kind last. */
export type DevicePolicy = readonly DeviceCell[]

function allow(kind: DeviceKind, major: number | undefined, minor: number | undefined, access = 'rwm'): DeviceRule {
  return { allow: true, type: kind, major, minor, access }
}

/** What every container may do, whatever its rules say before: make nodes, and use the devices it is given in /dev. */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  allow('c', undefined, undefined, 'm'),
  allow('b', undefined, undefined, 'm'),
  allow('c', 1, 3), // null
  allow('c', 1, 5), // zero
  allow('c', 1, 7), // full
  allow('c', 1, 8), // random
  allow('c', 1, 9), // urandom
  allow('c', 5, 0), // tty
  allow('c', 5, 2), // ptmx
  allow('c', 136, undefined), // pts/*, and the console among them
  allow('c', 10, 200), // net/tun
]

/** The kernel's dev_t: 12 and 20 bits. A larger number is no device, and the largest is v1's word for "all". */
const MAX_MAJOR = 0xfff
const MAX_MINOR = 0xfffff

/**
 * @param rules linux.resources.devices; the default rules are not added here
 * @throws RuntError 'cgroup' for a number that no device can have
 */
export function devicePolicy(rules: readonly DeviceRule[]): DevicePolicy {
  for (const [index, { major, minor }] of rules.entries()) {
    checkNumber(major, MAX_MAJOR, `/linux/resources/devices/${index}/major`)
    checkNumber(minor, MAX_MINOR, `/linux/resources/devices/${index}/minor`)
  }
  return [...cellsOf('c', rules), ...cellsOf('b', rules)]
}

function checkNumber(number: number | undefined, max: number, pointer: string): void {
  if (number === undefined || (Number.isInteger(number) && number >= 0 && number <= max)) return
  throw new RuntError('cgroup', `${pointer}: ${number} is not in 0 … ${max}`)
}

interface Shape {
  readonly major: number | undefined
  readonly minor: number | undefined
}

const EVERYTHING: Shape = { major: undefined, minor: undefined }

function cellsOf(kind: DeviceKind, rules: readonly DeviceRule[]): DeviceCell[] {
  const mine = rules.filter(({ type }) => type === 'a' || type === kind).map((rule) => ({ ...shapeOf(rule), rule }))
  const shapes = new Map([[keyOf(EVERYTHING), EVERYTHING]])
  for (const shape of mine) shapes.set(keyOf(shape), shape)
  const majors = [...shapes.values()].filter(({ major, minor }) => major !== undefined && minor === undefined)
  const minors = [...shapes.values()].filter(({ major, minor }) => major === undefined && minor !== undefined)
  for (const { major } of majors) for (const { minor } of minors) shapes.set(keyOf({ major, minor }), { major, minor })
  return [...shapes.values()]
    .sort((a, b) => generality(a) - generality(b))
    .map(({ major, minor }) => ({ kind, major, minor, allowed: verdict(mine, { major, minor }) }))
}

/** Type a is all devices, whatever the numbers say. */
function shapeOf({ type, major, minor }: DeviceRule): Shape {
  return type === 'a' ? EVERYTHING : { major, minor }
}

function verdict(rules: readonly (Shape & { readonly rule: DeviceRule })[], shape: Shape): number {
  let allowed = 0
  for (const each of rules) {
    if (!contains(each, shape)) continue
    const letters = bitsOf(each.rule.access)
    allowed = each.rule.allow ? allowed | letters : allowed & ~letters
  }
  return allowed
}

function keyOf({ major, minor }: Shape): string {
  return `${major ?? '*'}:${minor ?? '*'}`
}

function generality({ major, minor }: Shape): number {
  return (major === undefined ? 2 : 0) + (minor === undefined ? 1 : 0)
}

export function contains(outer: Shape, inner: Shape): boolean {
  return (
    (outer.major === undefined || outer.major === inner.major) &&
    (outer.minor === undefined || outer.minor === inner.minor)
  )
}

function bitsOf(access: string): number {
  let bits = 0
  for (const letter of access) bits |= ACCESS[letter as keyof typeof ACCESS] // config/validate.ts lets no other letter by
  return bits
}

/** devices.allow and devices.deny in the order to write them, one line a write. */
export interface V1DeviceList {
  /** First: what holds when no exception matches; it also empties the list. */
  readonly start: 'devices.allow' | 'devices.deny'
  /** Then each exception, to the other file. */
  readonly exceptions: readonly string[]
}

/**
 * cgroup v1 knows one default and exceptions from it, and its exceptions can't have holes: a policy is tried with the
 * default "deny", then with "allow".
 * @throws RuntError 'cgroup' when neither can say it
 */
export function v1DeviceList(policy: DevicePolicy): V1DeviceList {
  const denied = policy.map((cell) => ({ ...cell, allowed: ALL & ~cell.allowed }))
  if (hasNoHoles(policy)) return { start: 'devices.deny', exceptions: exceptionsOf(policy) }
  if (hasNoHoles(denied)) return { start: 'devices.allow', exceptions: exceptionsOf(denied) }
  throw new RuntError('cgroup', '/linux/resources/devices: cgroup v1 can not exclude single devices from a rule with *')
}

/** Whatever a cell has, the more specific cells within it have too. */
function hasNoHoles(cells: DevicePolicy): boolean {
  return cells.every((outer) =>
    cells.every((inner) => !isWithin(inner, outer) || (outer.allowed & ~inner.allowed) === 0),
  )
}

/** The kernel wants all letters of a request in one exception, so a cell needs its own unless one around it has as much. */
function exceptionsOf(cells: DevicePolicy): string[] {
  return cells
    .filter(
      (cell) =>
        cell.allowed !== 0 &&
        !cells.some((outer) => outer !== cell && isWithin(cell, outer) && (cell.allowed & ~outer.allowed) === 0),
    )
    .map((cell) => `${cell.kind} ${keyOf(cell)} ${lettersOf(cell.allowed)}`)
}

function isWithin(inner: DeviceCell, outer: DeviceCell): boolean {
  return inner.kind === outer.kind && contains(outer, inner)
}

function lettersOf(bits: number): string {
  return Object.entries(ACCESS)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([letter]) => letter)
    .join('')
}
