// What the schemas have against a config, said for people. Loaded only when they have something against it.

import { nearest } from '../nearest.ts'
import { step } from '../pointer.ts'
import type { Explain, SchemaError } from './generated/explain.js'
import { config, process as program, resources } from './generated/explain.js'
import { type Finding, show } from './problems.ts'

const TYPES: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  string: 'a string',
  boolean: 'true or false',
  integer: 'a whole number',
}

/** Limits of 64-bit numbers as they are, not as a double shows them. */
const LIMITS: ReadonlyMap<unknown, string> = new Map([
  [2 ** 64, '18446744073709551615'],
  [2 ** 63, '9223372036854775807'],
  [-(2 ** 63), '-9223372036854775808'],
])

const EXPLAIN = { config, process: program, resources } as const

/** All that is wrong with a value, each property once; none when it fits the schema. */
export function explainBy(kind: keyof typeof EXPLAIN, value: unknown): Finding[] {
  const validate: Explain = EXPLAIN[kind]
  if (validate(value)) return []
  const findings = new Map<string, Finding>()
  for (const error of validate.errors ?? []) {
    if (error.keyword === 'propertyNames') continue // its cause comes with an error of its own
    const finding = toFinding(error)
    if (!findings.has(finding.pointer)) findings.set(finding.pointer, finding)
  }
  return [...findings.values()]
}

function toFinding(error: SchemaError): Finding {
  const { keyword, instancePath, params, parentSchema, propertyName } = error
  const property = parentSchema?.description === undefined ? {} : { property: parentSchema.description }
  if (propertyName !== undefined) {
    const pointer = `${instancePath}/${step(propertyName)}`
    return { pointer, found: show(propertyName), message: `the name ${requirement(error)}`, rule: 'propertyNames' }
  }
  if (keyword === 'required') {
    const pointer = `${instancePath}/${step(String(params.missingProperty))}`
    return { pointer, found: '', message: 'is missing', rule: keyword }
  }
  const finding = {
    pointer: instancePath,
    found: show(error.data),
    message: requirement(error),
    rule: keyword,
    ...property,
  }
  if (keyword !== 'enum') return finding
  const allowed = params.allowedValues as readonly string[] // the schemas have lists of strings only
  const suggestion = typeof error.data === 'string' ? nearest(error.data, allowed) : undefined
  return { ...finding, allowed, ...(suggestion === undefined ? {} : { suggestion }) }
}

function requirement({ keyword, params, parentSchema }: SchemaError): string {
  switch (keyword) {
    case 'type':
      return `must be ${TYPES[String(params.type)] ?? params.type}`
    case 'enum':
      return `allowed are ${(params.allowedValues as readonly string[]).join(', ')}`
    case 'minimum':
      return `must be at least ${LIMITS.get(params.limit) ?? params.limit}`
    case 'maximum':
      return `must be at most ${LIMITS.get(params.limit) ?? params.limit}`
    case 'minItems':
      return 'must have at least one item'
    case 'minLength':
      return 'must not be empty'
    case 'format':
      return 'must be text without NUL and without halves of surrogate pairs'
    default:
      return `must be ${parentSchema?.['x-expected'] ?? 'otherwise'}`
  }
}
