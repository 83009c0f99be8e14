// spec-schemas/*.json → src/config/generated/: two validators of each entry and the types of an unchecked config.
// Run by `make`, or by hand: bun spec-schemas/compile.ts. Nothing of the generators is needed at run time.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import standalone from 'ajv/dist/standalone/index.js'
import { compile as compileTypes } from 'json-schema-to-typescript'
import { compileVerdicts, resolve, type Schema } from './verdict.ts'

const SCHEMAS = new URL('./', import.meta.url)
const GENERATED = new URL('../src/config/generated/', import.meta.url)

/** Exported function → schema. */
const ENTRIES = { config: 'config.json', process: 'process.json', resources: 'resources.json' } as const
/** The same with what runt only writes, for tests. */
const EXPLAINED = { ...ENTRIES, state: 'state.json', features: 'features.json' } as const

/** No NUL, and no half of a surrogate pair: neither can be handed to the kernel as it is. */
const TEXT = /^[^\0\p{Cs}]*$/u

function readSchemas(): Map<string, Schema> {
  const names = readdirSync(SCHEMAS).filter((name) => name.endsWith('.json'))
  return new Map(
    names.map((name) => {
      const { $schema: _draft, ...schema } = JSON.parse(readFileSync(new URL(name, SCHEMAS), 'utf8'))
      return [name, schema] // without $schema: ajv's smaller default dialect agrees on all keywords used here
    }),
  )
}

/** Validators that find everything that is wrong and say where; loaded only once something is. */
function compileExplanations(schemas: ReadonlyMap<string, Schema>): string {
  const ajv = new Ajv({
    schemas: [...schemas.values()],
    allErrors: true,
    verbose: true,
    messages: false,
    inlineRefs: false,
    formats: { text: TEXT },
    keywords: ['x-expected'],
    code: { source: true, esm: true },
  })
  const code = standalone
    .default(ajv, EXPLAINED)
    .replaceAll('require("ajv/dist/runtime/ucs2length").default', '(text) => Array.from(text).length')
  if (/\brequire\(/.test(code)) throw new Error('the validators would need a module at run time')
  return code
}

const VALIDATORS_TYPES = Object.keys(ENTRIES)
  .map((name) => `export declare const ${name}: (data: unknown) => boolean\n`)
  .join('')

const EXPLAIN_TYPES = `export interface SchemaError {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
  /** The property's name, when it is the name that is wrong. */
  readonly propertyName?: string
  readonly parentSchema?: { readonly description?: string; readonly 'x-expected'?: string }
  readonly data?: unknown
}
export interface Explain {
  (data: unknown): boolean
  errors: readonly SchemaError[] | null
}
${Object.keys(EXPLAINED)
  .map((name) => `export declare const ${name}: Explain\n`)
  .join('')}`

const WIDTHS: Readonly<Record<string, string>> = { 'defs.json#/$defs/int64': 'i64', 'defs.json#/$defs/uint64': 'u64' }

/** Where 64-bit numbers are that JSON.parse may have rounded, as "process/rlimits/*\/soft"; only what Linux reads. */
function findWideIntegers(schemas: ReadonlyMap<string, Schema>): [path: string, width: string][] {
  const found: [string, string][] = []
  const walk = (schema: Schema, path: string[], file: string): void => {
    const { $ref: reference, properties = {}, items, additionalProperties } = schema as SchemaParts
    if (reference !== undefined) {
      const address = reference.startsWith('#') ? file + reference : reference
      const width = WIDTHS[address]
      if (width !== undefined) found.push([path.join('/'), width])
      else if (!address.startsWith('other-platforms.json')) {
        walk(resolve(schemas, address), path, address.split('#')[0] ?? '')
      }
    }
    for (const [name, property] of Object.entries(properties)) walk(property, [...path, name], file)
    for (const member of [items, additionalProperties]) if (member !== undefined) walk(member, [...path, '*'], file)
  }
  walk(resolve(schemas, 'config.json#'), [], 'config.json')
  return found
}

/** What a value may have in it: names of properties, '*' for every member of a list or map; 0 for what has no parts. */
type Parts = 0 | { readonly [name: string]: Parts }

/** All properties that the schemas know. */
function partsOf(schemas: ReadonlyMap<string, Schema>, address: string): Parts {
  const walk = (schema: Schema, file: string): Parts => {
    const { $ref: reference, properties, items, additionalProperties } = schema as SchemaParts
    if (reference !== undefined) return partsOf(schemas, reference.startsWith('#') ? file + reference : reference)
    const members = items ?? additionalProperties
    if (members !== undefined) return { '*': walk(members, file) }
    if (properties === undefined) return 0
    return Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, walk(property, file)]))
  }
  return walk(resolve(schemas, address.includes('#') ? address : `${address}#`), address.split('#')[0] ?? '')
}

interface SchemaParts {
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema
}

/** One schema without references to other files, as the type generator likes it: each definition becomes one type. */
function bundle(schemas: ReadonlyMap<string, Schema>, entry: string): Schema {
  const definitions: Record<string, unknown> = {}
  const embed = (value: unknown, file: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => embed(item, file))
    if (typeof value !== 'object' || value === null) return value
    const { $ref: reference, ...rest } = value as Record<string, unknown>
    if (typeof reference === 'string') return embedReference(reference, rest, file)
    const { $defs: _defs, $id: _id, ...schema } = rest
    return Object.fromEntries(Object.entries(schema).map(([key, member]) => [key, embed(member, file)]))
  }
  const embedReference = (reference: string, beside: Record<string, unknown>, file: string): unknown => {
    const address = reference.startsWith('#') ? file + reference : reference
    const target = resolve(schemas, address)
    const home = address.split('#')[0] ?? ''
    const { description } = beside
    if (address in WIDTHS) return { description, tsType: 'number | bigint' } // what load.ts makes of long literals
    if (!('properties' in target)) return { ...(embed(target, home) as object), ...beside }
    const name = String(target.title ?? address.split('/').at(-1))
    if (!(name in definitions)) {
      definitions[name] = {} // before its contents, which may speak of it
      definitions[name] = { title: name, ...(embed(target, home) as object) }
    }
    return { $ref: `#/definitions/${name}` }
  }
  return { ...(embed(resolve(schemas, `${entry}#`), entry) as object), definitions }
}

async function compileOciTypes(schemas: ReadonlyMap<string, Schema>): Promise<string> {
  return compileTypes(bundle(schemas, 'config.json'), 'OciConfig', {
    additionalProperties: false,
    ignoreMinAndMaxItems: true,
    format: true,
    bannerComment: '// What the schemas in spec-schemas/ accept. Generated by spec-schemas/compile.ts; not edited.',
  })
}

const schemas = readSchemas()
mkdirSync(GENERATED, { recursive: true })
const write = (name: string, text: string) => writeFileSync(new URL(name, GENERATED), text)
write('validators.js', compileVerdicts(schemas, ENTRIES))
write('validators.d.ts', VALIDATORS_TYPES)
write('explain.js', compileExplanations(schemas))
write('explain.d.ts', EXPLAIN_TYPES)
write('integers.js', `export const WIDE_INTEGERS = ${JSON.stringify(findWideIntegers(schemas))}\n`)
write(
  'integers.d.ts',
  "export declare const WIDE_INTEGERS: readonly (readonly [path: string, width: 'i64' | 'u64'])[]\n",
)
write('parts.js', `export const PARTS = ${JSON.stringify(partsOf(schemas, 'config.json'))}\n`)
write(
  'parts.d.ts',
  `/** What a value may have in it: names of properties, '*' for every member of a list or map; 0 for what has no parts. */
export type Parts = 0 | { readonly [name: string]: Parts }
export declare const PARTS: Parts
`,
)
write('oci.d.ts', await compileOciTypes(schemas))
