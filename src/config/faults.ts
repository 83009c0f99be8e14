// A text that doesn't fit the schema: what the schema has against it, and what the checks have against the rest.
// Loaded only then.

import { step, stepsOf } from '../pointer.ts'
import { SPEC_VERSION } from './check-container.ts'
import { explainBy } from './explain.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { restoreIntegers } from './integers.ts'
import type { Part } from './part.ts'
import type { Finding } from './problems.ts'

/** Pointer of what doesn't fit → what was probably meant; undefined: nobody knows. */
type Faults = Map<string, string | undefined>

/** What must be there, and can be anything as far as the checks are concerned. */
const STAND_INS = { '/ociVersion': SPEC_VERSION, '/root/path': '/', '/process/cwd': '/' }

/**
 * All that is wrong with a value; nothing when it fits the schema after all.
 * @param beyond what no schema can say of a config that fits it
 * @returns findings with pointers from the root of a config on
 */
export async function findFaults(
  value: unknown,
  text: string,
  { kind, root, wrap }: Pick<Part, 'kind' | 'root' | 'wrap'>,
  beyond: (config: OciConfig) => Finding[],
): Promise<Finding[]> {
  const told = explainBy(kind, value)
  if (told.length === 0) return []
  const findings = told.map((finding) => ({ ...finding, pointer: root + finding.pointer }))
  const faults: Faults = new Map(told.map(({ pointer, suggestion }) => [pointer, suggestion]))
  const whole: unknown = structuredClone(value)
  for (const [pointer, meant] of Object.entries(STAND_INS)) {
    const here = pointer.slice(root.length)
    if (pointer.startsWith(`${root}/`) && faults.has(here) && put(whole, here, meant)) faults.delete(here)
  }
  completeFaults(whole, faults, kind)
  if (faults.has('') || isBlind(faults, root)) return findings
  const ranges = await restoreIntegers(wrap(whole), text, root)
  const rest = without(whole, faults)
  const more = beyond(wrap(rest.value)).map((finding) => ({
    ...finding,
    pointer: rest.original(finding.pointer, root),
    ...(finding.other === undefined ? {} : { other: rest.original(finding.other, root) }),
  }))
  if (ranges.length + more.length === 0) return findings
  const isRelated = relatedTo(findings)
  return [...findings, ...[...ranges, ...more].filter(({ pointer }) => !isRelated(pointer))]
}

/** @returns whether there is something to put it into */
function put(value: unknown, pointer: string, member: string): boolean {
  const steps = stepsOf(pointer)
  const holder = steps.slice(0, -1).reduce((each, name) => (each as Record<string, unknown> | undefined)?.[name], value)
  if (typeof holder !== 'object' || holder === null || Array.isArray(holder)) return false
  Object.assign(holder, { [steps.at(-1) ?? '']: member })
  return true
}

/** Without the list of namespaces, checks would miss what is there. */
function isBlind(faults: Faults, root: string): boolean {
  return [...faults].some(
    ([pointer, meant]) => meant === undefined && /^\/linux(\/namespaces(\/.*)?)?$/.test(`${root}${pointer}`),
  )
}

/** @returns whether a pointer is at, above or below one of the findings */
function relatedTo(findings: readonly Finding[]): (pointer: string) => boolean {
  const at = new Set(findings.map(({ pointer }) => pointer))
  const above = new Set(findings.flatMap(({ pointer }) => prefixesOf(pointer)))
  return (pointer) => above.has(pointer) || prefixesOf(pointer).some((prefix) => at.has(prefix))
}

/** A pointer, and what is above it. */
function prefixesOf(pointer: string): string[] {
  const ends = [...pointer.matchAll(/\//g)].map(({ index }) => pointer.slice(0, index))
  return [...ends, pointer]
}

/** Add what can't stay when others are taken out: what lacks a property that it must have. */
function completeFaults(value: unknown, faults: Faults, kind: Part['kind']): void {
  while (!faults.has('')) {
    const rest = without(value, faults)
    const found = explainBy(kind, rest.value)
    if (found.length === 0) return
    for (const { pointer, rule } of found) {
      const holder = pointer.slice(0, pointer.lastIndexOf('/'))
      faults.set(rest.original(rule === 'required' ? holder : pointer, ''), undefined)
    }
  }
}

interface Rest {
  readonly value: unknown
  /** Where in the text a thing is: elements before it may have been taken out. */
  original(pointer: string, root: string): string
}

/** What is left when the faults are taken out, or put right. */
function without(whole: unknown, faults: Faults): Rest {
  /** List of the rest → which elements of the whole it has. */
  const kept = new Map<string, readonly number[]>()
  const copy = (value: unknown, from: string, to: string): unknown => {
    if (typeof value !== 'object' || value === null) return value
    const stays = (name: string | number) =>
      !faults.has(`${from}/${name}`) || faults.get(`${from}/${name}`) !== undefined
    const member = (each: unknown, name: string | number, newName: string | number) =>
      faults.get(`${from}/${name}`) ?? copy(each, `${from}/${name}`, `${to}/${newName}`)
    if (Array.isArray(value)) {
      const indexes = [...value.keys()].filter(stays)
      kept.set(to, indexes)
      return indexes.map((index, newIndex) => member(value[index], index, newIndex))
    }
    const members = Object.entries(value).filter(([name]) => stays(step(name)))
    return Object.fromEntries(members.map(([name, each]) => [name, member(each, step(name), step(name))]))
  }
  return {
    value: copy(whole, '', ''),
    original(pointer, root) {
      let at = ''
      const steps = stepsOf(pointer.slice(root.length)).map((name) => {
        const index = kept.get(at)?.[Number(name)]
        at += `/${step(name)}`
        return `/${index ?? step(name)}`
      })
      return root + steps.join('')
    },
  }
}
