// What may be wrong with a config, as data: one shape for schema errors, failed checks and unsupported properties.

import { pointerText } from '../pointer.ts'
import { printable } from '../printable.ts'

/** A problem before anybody has looked where in the file it is. */
export interface Finding {
  /** JSON pointer of the property, also when it is missing. */
  readonly pointer: string
  /** The value as JSON, shortened; '' when it says nothing. */
  readonly found: string
  /** The whole of what is wrong, lower case. */
  readonly message: string
  /** The name of the check or the schema keyword that says so. */
  readonly rule: string
  /** The words that could stand there. */
  readonly allowed?: readonly string[]
  readonly suggestion?: string
  /** What the property is for. */
  readonly property?: string
  /** Pointer of another property that has to do with it: the message ends before its place. */
  readonly other?: string
}

/** Where in a file: line and column from 1, and the property as a person writes it: `mounts[2] (/data)`. */
export interface Place {
  readonly line: number
  readonly column: number
  readonly place: string
}

export interface ConfigProblem extends Finding, Place {}

/** The line that a person reads: `config.json:12:7: linux.namespaces[2].type: found "networ", allowed are …`. */
export function describeProblem(problem: ConfigProblem, file = 'config.json'): string {
  const { line, column, place, found, message, suggestion, other } = problem
  const about = place === '' ? '' : ` ${place}:`
  const value = found === '' ? '' : ` found ${found},`
  const beside = other === undefined ? '' : ` ${pointerText(other)}`
  const guess = suggestion === undefined ? '' : `; did you mean ${JSON.stringify(suggestion)}?`
  return printable(`${file}:${line}:${column}:${about}${value} ${message}${beside}${guess}`)
}

/** The lines about findings in a file. */
export async function describeFindings(findings: readonly Finding[], text: string, file?: string): Promise<string[]> {
  if (findings.length === 0) return []
  const { locate } = await import('./locate.ts')
  return (await locate(text, findings)).map((problem) => describeProblem(problem, file))
}

/** Findings of a config whose part at a pointer is a file of its own, as that file has them. */
export function below(findings: readonly Finding[], root: string): Finding[] {
  return findings.map((finding) => ({ ...finding, pointer: finding.pointer.slice(root.length) }))
}

/** Collects findings of checks. A value of undefined says that nothing is there, or nothing worth to be shown. */
export type Report = (
  pointer: string,
  value: unknown,
  message: string,
  more?: { readonly suggestion?: string | undefined; readonly other?: string },
) => void

/** A list that findings are put into under the name of a rule. */
export function reporter(findings: Finding[], rule: string): Report {
  return (pointer, value, message, { suggestion, other } = {}) => {
    findings.push({
      pointer,
      found: show(value),
      message,
      rule,
      ...(suggestion === undefined ? {} : { suggestion }),
      ...(other === undefined ? {} : { other }),
    })
  }
}

/** A value as JSON of bearable length; '' for undefined. */
export function show(value: unknown): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'bigint') return String(value)
  const text = JSON.stringify(value)
  return text.length <= 100 ? text : `${text.slice(0, 90)}…"`
}
