// What the specification allows and hardly anybody means: names that nobody knows, as a rule misspelt. Told by validate, and of
// the resources of an update; nobody who makes a container waits for it.

import { CAPABILITY_NAMES } from '../linux/capabilities.ts'
import { nearest } from '../nearest.ts'
import { step, stepsOf } from '../pointer.ts'
import { PARTS, type Parts } from './generated/parts.js'
import { parseJson } from './json.ts'
import { type Finding, type Report, reporter } from './problems.ts'

/** @param text JSON, or not @returns none for what isn't JSON */
export async function findOddities(text: string): Promise<Finding[]> {
  const value = parsed(text)
  const { SYSCALL_NAMES } = await import('../linux/syscall-names.ts')
  return [...findUnknown(value), ...findUnknownNames(value, SYSCALL_NAMES)]
}

function parsed(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

/**
 * Properties that the specification hasn't.
 * @param root pointer of what the value is in a config
 */
export function findUnknown(value: unknown, root = ''): Finding[] {
  const findings: Finding[] = []
  walk(value, partsAt(root), root, reporter(findings, 'unknown'))
  return findings
}

function partsAt(pointer: string): Parts {
  return pointer.split('/').slice(1).reduce(partOf, PARTS)
}

function partOf(parts: Parts, name: string): Parts {
  return parts === 0 ? 0 : (parts[name] ?? 0)
}

function walk(value: unknown, parts: Parts, pointer: string, report: Report): void {
  if (typeof value !== 'object' || value === null || parts === 0) return
  for (const [name, member] of Object.entries(value)) {
    const here = `${pointer}/${step(name)}`
    const known = Object.hasOwn(parts, name) ? parts[name] : parts['*']
    if (known !== undefined) walk(member, known, here, report)
    else if (!Array.isArray(value)) report(here, undefined, NOT_KNOWN, meant(name, parts))
  }
}

const NOT_KNOWN = 'is no property that the specification has here: ignored'

/** Another name in the same place, or the same name in another. */
function meant(name: string, parts: Parts): { suggestion?: string } {
  const suggestion = nearest(name, Object.keys(parts)) ?? namesakes(name, PARTS, '')[0]
  return suggestion === undefined ? {} : { suggestion }
}

function namesakes(name: string, parts: Parts, pointer: string): string[] {
  return Object.entries(parts).flatMap(([key, member]) => {
    if (key === '*') return []
    const here = pointer === '' ? key : `${pointer}.${key}`
    return key === name ? [here] : namesakes(name, member, here)
  })
}

/** A filter passes over names that no kernel has, and they are left out of the sets. */
function findUnknownNames(value: unknown, calls: readonly string[]): Finding[] {
  const findings: Finding[] = []
  const report = reporter(findings, 'name')
  const look = (pointer: string, known: readonly string[], what: string) => {
    const names = new Set(known)
    membersAt(value, pointer).forEach(([here, name]) => {
      if (typeof name !== 'string' || names.has(name)) return
      report(here, name, `is no ${what} that runt knows: ignored`, { suggestion: nearest(name, known) })
    })
  }
  look('/linux/seccomp/syscalls/*/names/*', calls, 'system call')
  look('/process/capabilities/*/*', CAPABILITY_NAMES, 'capability')
  return findings
}

/** All that stands at a pointer whose "*" mean any member. */
function membersAt(value: unknown, pointer: string): [pointer: string, value: unknown][] {
  return stepsOf(pointer).reduce<[string, unknown][]>(
    (found, name) =>
      found.flatMap(([here, each]) => {
        if (typeof each !== 'object' || each === null) return []
        const members = Object.entries(each).filter(([key]) => name === '*' || key === name)
        return members.map(([key, member]): [string, unknown] => [`${here}/${step(key)}`, member])
      }),
    [['', value]],
  )
}
