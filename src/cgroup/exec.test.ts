// Where exec enters, on folders that look like cgroup mounts.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import type { Cgroup } from './cgroup.ts'
import { execJoinPoints, placeToAttach } from './exec.ts'

const root = mkdtempSync(`${tmpdir()}/runt-exec-`)
const NAMES = { memory: `${root}/memory/c`, 'cpu,cpuacct': `${root}/cpu/c`, '': `${root}/unified/c` }
for (const folder of Object.values(NAMES)) mkdirSync(`${folder}/sub/deeper`, { recursive: true })
mkdirSync(`${root}/memory/cx`)
mkdirSync(`${root}/memory/c/only`)

const hybrid: Cgroup = { mode: 'hybrid', path: '/c', directories: NAMES, made: Object.values(NAMES) }
const v2: Cgroup = { mode: 'v2', path: '/c', directories: { '': NAMES[''] }, made: [NAMES['']] }

function enters(cgroup: Cgroup, ...subCgroups: string[]): string[] {
  const { procs, v2Directory } = execJoinPoints(cgroup, subCgroups, process.pid)
  return [...procs, ...(v2Directory === undefined ? [] : [v2Directory])].map((path) => path.slice(root.length))
}

test('without a word it is the container itself', () => {
  assert.equal(enters(hybrid), ['/memory/c/tasks', '/cpu/c/tasks', '/unified/c'])
  assert.equal(enters(v2), ['/unified/c'])
  assert.equal(enters(hybrid, '/'), enters(hybrid))
})

test('a path is below the container in all hierarchies', () => {
  const all = ['/memory/c/sub/deeper/tasks', '/cpu/c/sub/deeper/tasks', '/unified/c/sub/deeper/cgroup.procs']
  assert.equal(enters(hybrid, 'sub/deeper'), all)
  assert.equal(enters(hybrid, '/sub/./deeper/'), all)
  assert.equal(enters(v2, 'sub'), ['/unified/c/sub/cgroup.procs'])
})

test('a path after controllers is for their hierarchies', () => {
  assert.equal(enters(hybrid, 'memory:sub'), ['/memory/c/sub/tasks', '/cpu/c/tasks', '/unified/c'])
  assert.equal(enters(hybrid, 'memory:only', 'cpuacct:sub'), ['/memory/c/only/tasks', '/cpu/c/sub/tasks', '/unified/c'])
  assert.equal(enters(hybrid, 'memory,cpu:sub'), ['/memory/c/sub/tasks', '/cpu/c/sub/tasks', '/unified/c'])
})

test('what leads out, is not there, or contradicts itself is refused', () => {
  const refused: readonly (readonly [...texts: string[]])[] = [
    ['../cx'],
    ['memory:../cx'],
    ['sub/../../cx'],
    ['memory:x'],
    ['missing'],
    ['only'],
    ['pids:sub'],
    [':sub'],
    ['memory,:sub'],
    ['memory:sub', 'memory:sub'],
    ['memory:sub', 'sub'],
    ['sub', 'sub'],
  ]
  for (const texts of refused) {
    assert.throws(
      () => enters(hybrid, ...texts),
      (error: unknown) => error instanceof RuntError && error.code === 'cgroup' && error.message.includes('--cgroup'),
      texts.join(' '),
    )
  }
})

/** Every folder there is below a container's, with the word that names it. */
const BELOW = ['', '/sub', '/sub/deeper']

test('wherever --cgroup leads, it is a folder at or below the container', () => {
  const part = fc.constantFrom('sub', 'deeper', 'only', '.', '..', '', 'c', 'cx', 'suB', ' sub')
  const path = fc.array(part, { maxLength: 5 }).map((parts) => parts.join('/'))
  const word = fc.oneof(
    path,
    fc.tuple(fc.constantFrom('memory', 'cpu', 'cpuacct,memory', 'pids', '', ','), path).map((both) => both.join(':')),
  )
  void fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 2 }), (texts) => {
      let places: string[]
      try {
        places = enters(hybrid, ...texts)
      } catch (error) {
        assert.ok(error instanceof RuntError && error.code === 'cgroup', `${error}`)
        return
      }
      const folders = [...BELOW, '/only'].flatMap((below) =>
        ['memory', 'cpu', 'unified'].map((name) => `/${name}/c${below}`),
      )
      for (const place of places) assert.ok(folders.includes(place.replace(/\/(tasks|cgroup\.procs)$/, '')), place)
    }),
    { numRuns: 500 },
  )
})

test('a path that is there is entered, in whichever hierarchies it is asked for', () => {
  const asked = fc.record({
    controllers: fc.subarray(['memory', 'cpu'], { minLength: 1 }),
    below: fc.constantFrom(...BELOW),
  })
  void fc.assert(
    fc.property(asked, fc.infiniteStream(fc.constantFrom('/', '//', '/./')), ({ controllers, below }, slashes) => {
      const written = below.replace(/\//g, () => slashes.next().value ?? '/')
      const there = (name: string): string => (controllers.includes(name) ? below : '')
      assert.equal(enters(hybrid, `${controllers.join(',')}:${written}`), [
        `/memory/c${there('memory')}/tasks`,
        `/cpu/c${there('cpu')}/tasks`,
        '/unified/c',
      ])
    }),
  )
})

test('a v2 folder that hands controllers down is not entered when init is further down', () => {
  writeFileSync(`${NAMES['']}/cgroup.subtree_control`, 'memory pids\n')
  // Our own place stands for init's: below no container.
  assert.equal(enters(v2), ['/unified/c'])
  assert.equal(enters({ ...v2, path: '/' }).length, 1)
})

test.after(() => rmSync(root, { recursive: true }))
test('systemd moves what enters a scope of the user, and nothing else', () => {
  const scope = { unit: 'x.scope', kind: 'user' } as const
  const own = '/m/user@1000.service/x.scope'
  const cgroup: Cgroup = {
    mode: 'v2',
    path: '/user@1000.service/x.scope',
    directories: { '': own },
    made: [own],
    scope,
  }
  assert.is(placeToAttach(cgroup, { procs: [], v2Directory: own, awaited: false }), '')
  assert.is(
    placeToAttach(cgroup, { procs: [`${own}/a/b/cgroup.procs`], v2Directory: undefined, awaited: false }),
    '/a/b',
  )
  const machine: Cgroup = { ...cgroup, scope: { ...scope, kind: 'system' } }
  assert.is(placeToAttach(machine, { procs: [], v2Directory: own, awaited: false }), undefined)
})

test.run()
