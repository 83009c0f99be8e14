import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { NO_SCHEMAS, OFFICIAL_SCHEMAS } from '../../spec-schemas/others.ts'
import { SPEC_VERSION } from '../config/check-container.ts'
import { features as ours } from '../config/generated/explain.js'
import { validateText } from '../config/validate.ts'
import { OCI_VERSION } from './container.ts'
import { featuresOf } from './features.ts'

const BUILD = { version: '1.2.3', commit: 'abc', checkpoint: true }
const structure = JSON.parse(JSON.stringify(featuresOf(BUILD)))

const verdictOf = async (config: object) => (await validateText(JSON.stringify(config))).kind

test('the structure fits our schema', () => {
  assert.ok(ours(structure), JSON.stringify(ours.errors))
})

if (existsSync(OFFICIAL_SCHEMAS)) {
  test('the structure fits the official schema', () => {
    const schemas = readdirSync(OFFICIAL_SCHEMAS)
      .filter((name) => name.endsWith('.json'))
      .map((name) => {
        const { $schema: _draft, ...schema } = JSON.parse(readFileSync(OFFICIAL_SCHEMAS + name, 'utf8'))
        return { ...schema, $id: name }
      })
    const official = new Ajv({ strict: false, schemas }).getSchema('features-schema.json')
    assert.ok(official?.(structure), JSON.stringify(official?.errors))
  })
} else console.log(`skipped: the official schema: ${NO_SCHEMAS}`)

test('both ends of the range of versions are accepted, and the newest is the one that states have', async () => {
  assert.is(structure.ociVersionMax, SPEC_VERSION)
  assert.is(SPEC_VERSION, OCI_VERSION)
  for (const ociVersion of [structure.ociVersionMin, structure.ociVersionMax]) {
    assert.is(await verdictOf({ ociVersion, root: { path: 'x' }, linux: {} }), 'valid')
  }
})

test('what is said to be supported is not refused, and what is not is', async () => {
  const { linux, mountOptions } = structure
  const process = { cwd: '/', args: ['x'], user: { uid: 0, gid: 0 } }
  const base = { ociVersion: '1.0.0', root: { path: 'x' } }
  const namespaces = [{ type: 'mount' }]
  const asked: readonly (readonly [enabled: boolean, config: object])[] = [
    [linux.seccomp.enabled, { ...base, linux: { namespaces, seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } } }],
    [linux.apparmor.enabled, { ...base, process: { ...process, apparmorProfile: 'x' } }],
    [linux.selinux.enabled, { ...base, process: { ...process, selinuxLabel: 'x' } }],
    [linux.intelRdt.enabled, { ...base, linux: { intelRdt: { closID: 'x' } } }],
    [linux.cgroup.rdma, { ...base, linux: { resources: { rdma: { x: { hcaHandles: 1 } } } } }],
    [linux.netDevices.enabled, { ...base, linux: { namespaces: [{ type: 'network' }], netDevices: { x: {} } } }],
    [
      mountOptions.includes('tmpcopyup'),
      { ...base, linux: { namespaces }, mounts: [{ destination: '/x', type: 'tmpfs', options: ['tmpcopyup'] }] },
    ],
  ]
  for (const [enabled, config] of asked) {
    assert.is(await verdictOf(config), enabled ? 'valid' : 'unsupported', JSON.stringify(config))
  }
})

test('what is supported has its words: filters their actions, memory policies their modes', async () => {
  const { linux } = structure
  if (linux.seccomp.enabled) {
    for (const list of ['actions', 'operators', 'archs', 'knownFlags', 'supportedFlags']) {
      assert.ok(linux.seccomp[list]?.length > 0, `seccomp.${list}`)
    }
  }
  const memoryPolicy = { mode: 'MPOL_INTERLEAVE', nodes: '0' }
  const verdict = await verdictOf({ ociVersion: '1.3.0', root: { path: 'x' }, linux: { memoryPolicy } })
  assert.is('memoryPolicy' in linux, verdict === 'valid')
})

test('mount options are each named once, without those of a file system', () => {
  const { mountOptions } = structure
  assert.is(new Set(mountOptions).size, mountOptions.length)
  for (const option of ['size', 'mode', 'gid', 'acl']) assert.not.ok(mountOptions.includes(option))
  for (const option of ['ro', 'rro', 'bind', 'rshared', 'nosymfollow']) assert.ok(mountOptions.includes(option), option)
})

test('the annotations say which build it is', () => {
  assert.equal(structure.annotations, {
    'runt.version': '1.2.3',
    'runt.commit': 'abc',
    'org.opencontainers.runc.checkpoint.enabled': 'true',
  })
})

test.run()
