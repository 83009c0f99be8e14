// Schemas → JavaScript of functions that answer yes or no, and nothing else.
// ajv's code carries a description of every possible error; without them the same checks are a twentieth of the size, which a
// program that starts for each container notices. Tests compare the two on arbitrary input. A keyword that isn't listed here
// stops the build: nothing is skipped silently.

export type Schema = { readonly [keyword: string]: unknown }

/** Keywords that say something to people, or that load.ts has another way to check (format). */
const SILENT = new Set(['description', 'title', 'x-expected', '$id', '$defs', 'format'])

export interface Names {
  /** Exported name → schema file. */
  readonly [name: string]: string
}

/** Code of a module with one function for each entry. */
export function compileVerdicts(files: ReadonlyMap<string, Schema>, entries: Names): string {
  const functions = new Map<string, string>()
  const bodies: string[] = []

  function functionOf(address: string): string {
    const known = functions.get(address)
    if (known !== undefined) return known
    const name = `v${functions.size}`
    functions.set(address, name)
    const [file = ''] = address.split('#')
    bodies.push(`function ${name}(d){${check(resolve(files, address), 'd', file)}return true}`)
    return name
  }

  /** Statements that return false when the value of an expression breaks the schema. */
  function check(schema: Schema, value: string, file: string): string {
    return Object.entries(schema)
      .sort(([one], [other]) => Number(other === 'type') - Number(one === 'type')) // the other checks rely on it
      .map(([keyword, rule]) => {
        if (SILENT.has(keyword) || keyword === 'additionalProperties' || keyword === 'propertyNames') return ''
        const emit = KEYWORDS[keyword]
        if (emit === undefined) throw new Error(`${file}: no code for keyword "${keyword}"`)
        return emit({ value, rule, file, schema })
      })
      .concat(checkMembers(schema, value, file))
      .join('')
  }

  const KEYWORDS: Readonly<Record<string, (site: Site) => string>> = {
    type: ({ value, rule }) => refuse(NOT_OF_TYPE[rule as string]?.(value)),
    enum: ({ value, rule }) => {
      const allowed = rule as string[]
      if (allowed.length < 4) return refuse(allowed.map((one) => `${value}!==${JSON.stringify(one)}`).join('&&'))
      return refuse(`!${constant(`new Set(${JSON.stringify(allowed)})`)}.has(${value})`)
    },
    pattern: ({ value, rule }) =>
      refuse(`!${constant(`/${(rule as string).replaceAll('/', '\\/')}/u`)}.test(${value})`),
    minLength: ({ value, rule }) => refuse(`${value}.length<${only(rule, 1)}`),
    minItems: ({ value, rule }) => refuse(`${value}.length<${rule}`),
    minimum: ({ value, rule }) => refuse(`${value}<${rule}`),
    maximum: ({ value, rule }) => refuse(`${value}>${rule}`),
    required: ({ value, rule }) => refuse((rule as string[]).map((name) => `${value}.${name}===undefined`).join('||')),
    $ref: ({ value, rule, file }) => {
      const address = absolute(rule as string, file)
      const target = resolve(files, address)
      const small = !('properties' in target || 'items' in target || 'enum' in target)
      return small ? check(target, value, address.split('#')[0] ?? '') : refuse(`!${functionOf(address)}(${value})`)
    },
    items: ({ value, rule, file }) => {
      const item = `${value}i`
      return `for(const ${item} of ${value}){${check(rule as Schema, item, file)}}`
    },
    properties: ({ value, rule, file }) =>
      Object.entries(rule as Record<string, Schema>)
        .map(([name, property]) => {
          const local = `${value}${name.replace(/\W/g, '_')}`
          return `const ${local}=${value}.${name};if(${local}!==undefined){${check(property, local, file)}}`
        })
        .join(''),
  }

  function checkMembers(schema: Schema, value: string, file: string): string {
    const { propertyNames, additionalProperties } = schema as Record<string, Schema | undefined>
    if (propertyNames === undefined && additionalProperties === undefined) return ''
    if ('properties' in schema) throw new Error(`${file}: additionalProperties beside properties`)
    const names = propertyNames === undefined ? '' : check({ ...propertyNames, type: 'any' }, `${value}k`, file)
    const member = `${value}m`
    const members =
      additionalProperties === undefined
        ? ''
        : `const ${member}=${value}[${value}k];${check(additionalProperties, member, file)}`
    return `for(const ${value}k of Object.keys(${value})){${names}${members}}`
  }

  const constants = new Map<string, string>()
  function constant(code: string): string {
    const name = constants.get(code) ?? `c${constants.size}`
    constants.set(code, name)
    return name
  }

  const exported = Object.entries(entries).map(([name, file]) => `${functionOf(`${file}#`)} as ${name}`)
  const declared = [...constants].map(([code, name]) => `const ${name}=${code}`)
  return `${[...declared, ...bodies].join('\n')}\nexport{${exported.join(',')}}\n`
}

interface Site {
  readonly value: string
  readonly rule: unknown
  readonly file: string
  readonly schema: Schema
}

const NOT_OF_TYPE: Readonly<Record<string, (value: string) => string>> = {
  any: () => 'false',
  object: (value) => `typeof ${value}!=='object'||${value}===null||Array.isArray(${value})`,
  array: (value) => `!Array.isArray(${value})`,
  string: (value) => `typeof ${value}!=='string'`,
  boolean: (value) => `typeof ${value}!=='boolean'`,
  integer: (value) => `!Number.isInteger(${value})`,
}

function refuse(condition: string | undefined): string {
  if (condition === undefined) throw new Error('a type that has no code')
  return condition === 'false' ? '' : `if(${condition})return false;`
}

function only(rule: unknown, value: number): number {
  if (rule !== value) throw new Error(`no code for a length other than ${value}`)
  return value
}

function absolute(reference: string, file: string): string {
  const address = reference.startsWith('#') ? file + reference : reference
  return address.includes('#') ? address : `${address}#`
}

/** The schema at an address as "defs.json#/$defs/id". */
export function resolve(files: ReadonlyMap<string, Schema>, address: string): Schema {
  const [file = '', pointer = ''] = address.split('#')
  let schema: unknown = files.get(file)
  for (const token of pointer.split('/').slice(1)) schema = (schema as Record<string, unknown> | undefined)?.[token]
  if (schema === undefined) throw new Error(`no schema at ${address}`)
  return schema as Schema
}
