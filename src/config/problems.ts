// What may be wrong with a config, as data: one shape for schema errors, failed checks and unsupported properties.

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
}

export interface ConfigProblem extends Finding {
  /** From 1. */
  readonly line: number
  readonly column: number
}

/** The line that a person reads: `config.json:12:7: /linux/namespaces/2/type: found "networ", allowed are …`. */
export function describeProblem(problem: ConfigProblem, file = 'config.json'): string {
  const { line, column, pointer, found, message, suggestion } = problem
  const about = pointer === '' ? '' : ` ${pointer}:`
  const value = found === '' ? '' : ` found ${found},`
  const guess = suggestion === undefined ? '' : `; did you mean ${JSON.stringify(suggestion)}?`
  return printable(`${file}:${line}:${column}:${about}${value} ${message}${guess}`)
}

/** Collects findings of checks. A value of undefined says that nothing is there, or nothing worth to be shown. */
export type Report = (pointer: string, value: unknown, message: string, suggestion?: string) => void

/** A list that findings are put into under the name of a rule. */
export function reporter(findings: Finding[], rule: string): Report {
  return (pointer, value, message, suggestion) => {
    findings.push({
      pointer,
      found: show(value),
      message,
      rule,
      ...(suggestion === undefined ? {} : { suggestion }),
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

/** One step of a JSON pointer, escaped (RFC 6901). */
export function step(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
