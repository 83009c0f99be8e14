// Where exec enters, on folders that look like cgroup mounts.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import { execJoinPoints } from './exec.ts'
import type { Cgroup } from './manager.ts'

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

test('a v2 folder that hands controllers down is not entered when init is further down', () => {
  writeFileSync(`${NAMES['']}/cgroup.subtree_control`, 'memory pids\n')
  // Our own place stands for init's: below no container.
  assert.equal(enters(v2), ['/unified/c'])
  assert.equal(enters({ ...v2, path: '/' }).length, 1)
})

test.after(() => rmSync(root, { recursive: true }))
test.run()
