// linux.resources.devices, in order → what is allowed in the end. Pure. Both renderings come from it: cgroup v1's list
// of exceptions (here) and the BPF program (device-program.ts).
//
// A request (type, major, minor, some of r w m) is allowed when each of its letters is: for a letter the last rule that
// matches decides, and without one the answer is no. Rules meet a device by their four shapes M:N, M:*, *:N and *:*, so
// the verdict depends only on the most specific *cell* that holds it; cells are the rules' shapes and their intersections.

import type { DeviceRule } from '../config/types.ts'
import { propertyError } from '../errors.ts'

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
  /** The letters of the rules with just these numbers, and the positions of the first one that allows and that denies. */
  readonly named: number
  readonly allowedAt: number
  readonly deniedAt: number
}

/** Every cell of the policy, by kind: those with both numbers first, "all devices" of the kind last. */
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
 * Loops rather than chains of callbacks here: this runs once in a process, and each new function costs a start 30 µs.
 * @param rules linux.resources.devices; the default rules are not added here
 * @throws RuntError 'cgroup' for a number that no device can have
 */
export function devicePolicy(rules: readonly DeviceRule[]): DevicePolicy {
  for (let index = 0; index < rules.length; index++) {
    checkNumber(rules[index]?.major, MAX_MAJOR, `/linux/resources/devices/${index}/major`)
    checkNumber(rules[index]?.minor, MAX_MINOR, `/linux/resources/devices/${index}/minor`)
  }
  return [...cellsOf('c', rules), ...cellsOf('b', rules)]
}

function checkNumber(number: number | undefined, max: number, pointer: string): void {
  if (number === undefined || (Number.isInteger(number) && number >= 0 && number <= max)) return
  throw propertyError('cgroup', pointer, `${number} is not in 0 … ${max}`)
}

interface Shape {
  readonly major: number | undefined
  readonly minor: number | undefined
}

interface ShapedRule extends Shape {
  readonly allow: boolean
  readonly letters: number
  /** Its index in the list. */
  readonly position: number
}

const EVERYTHING: Shape = { major: undefined, minor: undefined }

function cellsOf(kind: DeviceKind, rules: readonly DeviceRule[]): DeviceCell[] {
  const mine = rulesFor(kind, rules)
  const exact: Shape[] = []
  const majors: Shape[] = []
  const minors: Shape[] = []
  for (const shape of mine) {
    if (shape.major !== undefined) addShape(shape.minor === undefined ? majors : exact, shape)
    else if (shape.minor !== undefined) addShape(minors, shape)
  }
  for (const { major } of majors) for (const { minor } of minors) addShape(exact, { major, minor })
  const cells: DeviceCell[] = []
  for (const { major, minor } of [...exact, ...majors, ...minors, EVERYTHING]) {
    let named = 0
    // What only an intersection of rules names comes last.
    let [allowedAt, deniedAt] = [rules.length, rules.length]
    for (const rule of mine) {
      if (rule.major !== major || rule.minor !== minor) continue
      named |= rule.letters
      if (rule.allow) allowedAt = Math.min(allowedAt, rule.position)
      else deniedAt = Math.min(deniedAt, rule.position)
    }
    cells.push({ kind, major, minor, allowed: verdict(mine, { major, minor }), named, allowedAt, deniedAt })
  }
  return cells
}

/** Type a is all devices, whatever the numbers say; with all letters, what came before it is moot. */
function rulesFor(kind: DeviceKind, rules: readonly DeviceRule[]): ShapedRule[] {
  let mine: ShapedRule[] = []
  for (const [position, { type, allow, major, minor, access }] of rules.entries()) {
    const letters = bitsOf(access)
    if (type === 'a' && letters === ALL) mine = []
    if (type === 'a') mine.push({ ...EVERYTHING, allow, letters, position })
    else if (type === kind) mine.push({ major, minor, allow, letters, position })
  }
  return mine
}

function addShape(shapes: Shape[], shape: Shape): void {
  for (const { major, minor } of shapes) if (major === shape.major && minor === shape.minor) return
  shapes.push(shape)
}

function verdict(rules: readonly ShapedRule[], shape: Shape): number {
  let allowed = 0
  for (const rule of rules) {
    if (contains(rule, shape)) allowed = rule.allow ? allowed | rule.letters : allowed & ~rule.letters
  }
  return allowed
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
  /** First gets "a": what holds when no exception matches. That also empties the list. */
  readonly start: 'devices.allow' | 'devices.deny'
  /** Then each exception, to the other file. */
  readonly exceptions: readonly string[]
}

/** The file that takes the exceptions. */
export function exceptionsFile({ start }: V1DeviceList): V1DeviceList['start'] {
  return start === 'devices.deny' ? 'devices.allow' : 'devices.deny'
}

/**
 * cgroup v1 knows one default and exceptions from it, and its exceptions can't have holes: a policy is tried with the
 * default that it has for devices it doesn't name, then with the other one.
 * @throws RuntError 'cgroup' when neither can say it
 */
export function v1DeviceList(policy: DevicePolicy): V1DeviceList {
  for (const flip of allowsTheRest(policy) ? [ALL, 0] : [0, ALL]) {
    const exceptions = v1Exceptions(policy, flip)
    if (exceptions !== undefined) return { start: flip === ALL ? 'devices.allow' : 'devices.deny', exceptions }
  }
  throw propertyError(
    'cgroup',
    '/linux/resources/devices',
    'cgroup v1 can not except single devices from a rule with *',
  )
}

function allowsTheRest(policy: DevicePolicy): boolean {
  for (const { major, minor, allowed } of policy) {
    if (major === undefined && minor === undefined && allowed !== ALL) return false
  }
  return true
}

/**
 * The kernel wants all letters of a request in one exception, so a cell needs its own unless one around it has as much. It
 * never asks for m beside others: mknod(2) needs m, open(2) r and w. Exceptions stay in the order in which they are written,
 * so that devices.list shows the rules as they are listed.
 * @param flip ALL: speak of what is denied; 0: of what is allowed
 * @returns undefined when a cell lacks what one around it has: a hole
 */
function v1Exceptions(policy: DevicePolicy, flip: number): string[] | undefined {
  const lines: { readonly text: string; readonly position: number }[] = []
  for (const cell of policy) {
    const letters = cell.allowed ^ flip
    let own = letters
    let isCovered = false
    for (const outer of policy) {
      if (outer === cell || outer.kind !== cell.kind || !contains(outer, cell)) continue
      const around = outer.allowed ^ flip
      if ((around & ~letters) !== 0) return undefined
      if ((letters & ~around) === 0) isCovered = true
      if ((around & ~cell.named & ACCESS.m) !== 0) own &= ~ACCESS.m
    }
    if (letters !== 0 && !isCovered) {
      const text = `${cell.kind} ${cell.major ?? '*'}:${cell.minor ?? '*'} ${lettersOf(own)}`
      lines.push({ text, position: flip === ALL ? cell.deniedAt : cell.allowedAt })
    }
  }
  return lines.sort((one, other) => one.position - other.position).map(({ text }) => text)
}

function lettersOf(bits: number): string {
  return `${(bits & ACCESS.r) !== 0 ? 'r' : ''}${(bits & ACCESS.w) !== 0 ? 'w' : ''}${(bits & ACCESS.m) !== 0 ? 'm' : ''}`
}
