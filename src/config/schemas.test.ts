// Our schemas against the official ones and their test vectors, and the two validators against each other.
// The official files are not part of the project: without them the comparisons are skipped.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv, type ValidateFunction } from 'ajv'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ENGINES_CONFIGS, NO_CONFIGS, NO_SCHEMAS, OFFICIAL_SCHEMAS } from '../../spec-schemas/others.ts'
import { config, features, process as program, resources, state } from './generated/explain.js'
import { config as fits, process as fitsProcess, resources as fitsResources } from './generated/validators.js'
import { mutate, mutation } from './mutations.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SCHEMAS = `${ROOT}spec-schemas/`
const explained = { config, process: program, resources, state, features } as const
const verdicts = { config: fits, process: fitsProcess, resources: fitsResources } as const
const RUNS = { numRuns: Number(process.env.FC_RUNS ?? 3000) }

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const jsonIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.json'))

/** Values of config.json that are accepted though the official schema has them not: Docker writes them. */
const RECURSIVE_PROPAGATION = /^r(private|shared|slave|unbindable)$/

type Kind = 'config' | 'state' | 'features'

function officialValidator(kind: Kind): ValidateFunction {
  const schemas = jsonIn(OFFICIAL_SCHEMAS).map((name) => {
    const { $schema: _draft, ...schema } = readJson(OFFICIAL_SCHEMAS + name) // draft-04, of which only what never changed is used
    return { ...schema, $id: name }
  })
  const validate = new Ajv({ strict: false, schemas }).getSchema(`${kind}-schema.json`)
  if (validate === undefined) throw new Error(`no official schema of ${kind}`)
  return validate
}

const hasOfficial = existsSync(OFFICIAL_SCHEMAS)
const officially = (name: string, body: () => void) => {
  if (hasOfficial) test(name, body)
  else console.log(`skipped: ${name}: ${NO_SCHEMAS}`)
}

for (const kind of ['config', 'state', 'features'] as const) {
  officially(`the official vectors of ${kind}`, () => {
    for (const expected of ['good', 'bad'] as const) {
      const folder = `${OFFICIAL_SCHEMAS}test/${kind}/${expected}/`
      for (const name of jsonIn(folder)) {
        assert.is(accepts(kind, folder + name), expected === 'good', `${folder}${name}`)
      }
    }
  })
}

function accepts(kind: Kind, path: string): boolean {
  try {
    const value = readJson(path)
    const answer = explained[kind](value)
    if (kind === 'config') assert.is(verdicts.config(value), answer, path)
    return answer
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** Configs to start from: everything that somebody wrote for us, long seccomp lists cut. */
function goodConfigs(): unknown[] {
  const official = hasOfficial
    ? jsonIn(`${OFFICIAL_SCHEMAS}test/config/good/`).map((n) => `${OFFICIAL_SCHEMAS}test/config/good/${n}`)
    : []
  const samples = existsSync(ENGINES_CONFIGS) ? jsonIn(ENGINES_CONFIGS).map((name) => ENGINES_CONFIGS + name) : []
  return [...official, ...samples].map(readJson).map((config) => {
    config.linux?.seccomp?.syscalls?.splice(3)
    for (const call of config.linux?.seccomp?.syscalls ?? []) call.names.splice(2)
    return config
  })
}

officially('whatever the official schema of config refuses is refused', () => {
  const official = officialValidator('config')
  const good = goodConfigs()
  const words = propertyNames(jsonIn(OFFICIAL_SCHEMAS).map((name) => readJson(OFFICIAL_SCHEMAS + name)))
  let refused = 0
  fc.assert(
    fc.property(
      fc.constantFrom(...good),
      fc.array(mutation(words), { minLength: 1, maxLength: 4 }),
      (start, changes) => {
        const config = changes.reduce(mutate, structuredClone(start)) as { linux?: { rootfsPropagation?: unknown } }
        const ours = verdicts.config(config)
        const propagation = config?.linux?.rootfsPropagation
        if (typeof propagation === 'string' && RECURSIVE_PROPAGATION.test(propagation)) return
        if (official(config)) return
        refused++
        assert.not(ours, JSON.stringify({ errors: official.errors, config }))
      },
    ),
    RUNS,
  )
  assert.ok(refused > RUNS.numRuns / 10, `only ${refused} were refused: the mutations are too tame`)
})

test('the quick verdict and the explanation agree', () => {
  const schemas = jsonIn(SCHEMAS).map((name) => readJson(SCHEMAS + name))
  const start = [
    ...goodConfigs(),
    { ociVersion: '1.0.0' },
    { ociVersion: '1.0.0', linux: { resources: {} }, process: { cwd: '/' } },
  ]
  fc.assert(
    fc.property(
      fc.constantFrom(...start),
      fc.array(mutation(propertyNames(schemas)), { maxLength: 4 }),
      (good, changes) => {
        const config = changes.reduce(mutate, structuredClone(good))
        assert.is(verdicts.config(config), explained.config(config), JSON.stringify(explained.config.errors?.[0]))
      },
    ),
    RUNS,
  )
})

test('arbitrary JSON is judged, never thrown at', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const kind of ['config', 'process', 'resources'] as const) {
        assert.is(verdicts[kind](value), explained[kind](value))
      }
    }),
    RUNS,
  )
})

test('the samples that engines wrote fit', () => {
  if (!existsSync(ENGINES_CONFIGS)) return console.log(`skipped: ${NO_CONFIGS}`)
  for (const name of jsonIn(ENGINES_CONFIGS)) assert.ok(verdicts.config(readJson(ENGINES_CONFIGS + name)), name)
})

test('unknown properties are accepted everywhere', () => {
  for (const config of goodConfigs()) {
    assert.ok(verdicts.config(withUnknown(config)), JSON.stringify(withUnknown(config)))
  }
})

/** Names of maps: what stands in them is named by the user. */
const MAPS = new Set(['annotations', 'sysctl', 'unified', 'rdma', 'netDevices'])

function withUnknown(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withUnknown(item))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([key, member]) => [key, withUnknown(member, key)])
  if (!MAPS.has(name)) members.push(['org.example.unknown', { deep: [null, 1e300, {}] }])
  return Object.fromEntries(members)
}

test('every schema describes itself and each of its properties in one line', () => {
  for (const name of jsonIn(SCHEMAS)) requireDescriptions(readJson(SCHEMAS + name), name)
})

function requireDescriptions(schema: Record<string, unknown>, at: string): void {
  const { description, properties = {}, $defs = {}, items, additionalProperties } = schema
  assert.type(description, 'string', `${at} has no description`)
  assert.not.match(String(description), /\n/, `${at}: one line`)
  for (const [name, member] of Object.entries({ ...(properties as object), ...($defs as object) })) {
    requireDescriptions(member as Record<string, unknown>, `${at}/${name}`)
  }
  for (const member of [items, additionalProperties] as Record<string, unknown>[]) {
    if (member !== undefined && !('$ref' in member)) requireDescriptions(member, `${at}/*`)
  }
}

function propertyNames(schemas: readonly unknown[]): string[] {
  const names = new Set<string>()
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const { properties } = value as { properties?: object }
    for (const name of Object.keys(properties ?? {})) names.add(name)
    Object.values(value).forEach(walk)
  }
  schemas.forEach(walk)
  return [...names]
}

test.run()
