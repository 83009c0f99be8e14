// Controllers that this kernel may lack on v2, on folders that look like a cgroup2 mount.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Resources } from '../config/types.ts'
import { checkMemoryUse, placesOf, writeSettings } from './apply.ts'
import { enableControllers, fillCpuset } from './controllers.ts'
import type { Cgroup } from './manager.ts'
import { renderSettings } from './settings.ts'

const NOTHING: Resources = { devices: [], memory: {}, cpu: {}, pids: {}, unified: {} }

interface Fake {
  root: string
}

const test = suite<Fake>('fake cgroup root')

test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'runt-cgroup-'))
})
test.after.each(({ root }) => rmSync(root, { recursive: true }))

/** Folders with files, each with its text. */
function fill(root: string, tree: Record<string, Record<string, string>>): void {
  for (const [folder, files] of Object.entries(tree)) {
    mkdirSync(join(root, folder), { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, folder, name), text)
  }
}

const v2 = (root: string): Cgroup => ({
  mode: 'v2',
  path: '/pod/web',
  directories: { '': `${root}/pod/web` },
  made: [],
})

test('controllers are switched on in every folder above', ({ root }) => {
  fill(root, {
    '.': { 'cgroup.controllers': 'cpu memory pids\n', 'cgroup.subtree_control': '' },
    pod: { 'cgroup.subtree_control': '' },
    'pod/web': { 'cgroup.controllers': 'cpu memory pids\n' },
  })
  enableControllers(root, `${root}/pod/web`, [], { others: true })
  assert.is(readFileSync(`${root}/cgroup.subtree_control`, 'utf8'), '+cpu +memory +pids')
  assert.is(readFileSync(`${root}/pod/cgroup.subtree_control`, 'utf8'), '+cpu +memory +pids')
})

test('on a hybrid host only those that a setting needs, and none for the files that every cgroup has', ({ root }) => {
  fill(root, {
    '.': { 'cgroup.controllers': 'hugetlb misc\n', 'cgroup.subtree_control': 'as it was' },
    'pod/web': { 'cgroup.controllers': 'hugetlb\n' },
    pod: { 'cgroup.subtree_control': '' },
  })
  const settingsOf = (unified: Record<string, string>) => renderSettings({ ...NOTHING, unified }, () => 'v2')
  enableControllers(root, `${root}/pod/web`, settingsOf({ 'cgroup.max.depth': '1' }), { others: false })
  assert.is(readFileSync(`${root}/cgroup.subtree_control`, 'utf8'), 'as it was')
  enableControllers(root, `${root}/pod/web`, settingsOf({ 'hugetlb.2MB.max': '1' }), { others: false })
  assert.is(readFileSync(`${root}/cgroup.subtree_control`, 'utf8'), '+hugetlb')
})

test('a controller that is not there, or that can not be had, is an error with its pointer', ({ root }) => {
  fill(root, {
    '.': { 'cgroup.controllers': 'cpu memory\n', 'cgroup.subtree_control': '' },
    'pod/web': { 'cgroup.controllers': 'cpu\n' }, // and pod has no cgroup.subtree_control to write to
  })
  const needs = (resources: Partial<Resources>) => () =>
    enableControllers(
      root,
      `${root}/pod/web`,
      renderSettings({ ...NOTHING, ...resources }, () => 'v2'),
      { others: true },
    )
  assert.throws(needs({ pids: { limit: 1n } }), /^\/linux\/resources\/pids\/limit: cgroup v2 has no pids controller/)
  assert.throws(needs({ memory: { limit: 1n } }), /^\/linux\/resources\/memory\/limit: .*can't be enabled: write/)
  needs({ cpu: { idle: 1n } })()
})

test('values land in the files of v2', ({ root }) => {
  const files = { 'memory.max': '', 'memory.swap.max': '', 'cpu.weight': '', 'cpu.max': '', 'pids.max': '' }
  fill(root, { 'pod/web': files })
  const resources: Resources = {
    ...NOTHING,
    memory: { limit: 1000n, swap: 1500n },
    cpu: { shares: 1024n, quota: 1000n, period: 2000n },
    pids: { limit: -1n },
  }
  const places = placesOf(v2(root))
  writeSettings(renderSettings(resources, places.versionOf), places)
  const read = (name: string) => readFileSync(`${root}/pod/web/${name}`, 'utf8')
  assert.equal(Object.keys(files).map(read), ['1000', '500', '100', '1000 2000', 'max'])
})

test('a file that is not there is an error with pointer, value and errno, unless it does not matter', ({ root }) => {
  fill(root, { 'pod/web': { 'memory.max': '' } })
  const places = placesOf(v2(root))
  const write = (resources: Partial<Resources>) =>
    writeSettings(renderSettings({ ...NOTHING, ...resources }, places.versionOf), places)
  assert.throws(
    () => write({ pids: { limit: 7n } }),
    /^\/linux\/resources\/pids\/limit: write "7" to \/.*\/pids.max: ENOENT: no such file or directory$/,
  )
  write({ memory: { limit: -1n } }) // and no swap accounting
  assert.is(readFileSync(`${root}/pod/web/memory.max`, 'utf8'), 'max')
})

test('checkBeforeUpdate looks at the memory in use', ({ root }) => {
  fill(root, { 'pod/web': { 'memory.current': '5000\n' } })
  const places = placesOf(v2(root))
  const check = (limit: bigint, checkBeforeUpdate: boolean) =>
    checkMemoryUse({ ...NOTHING, memory: { limit, checkBeforeUpdate } }, places)
  assert.throws(() => check(4999n, true), /^\/linux\/resources\/memory\/limit: 4999 is less than in use: 5000/)
  check(5000n, true)
  check(4999n, false)
  check(-1n, true)
})

test("a cpuset gets its parent's CPUs at every level that has none", ({ root }) => {
  const empty = { 'cpuset.cpus': '\n', 'cpuset.mems': '\n' }
  fill(root, { '.': { 'cpuset.cpus': '0-3\n', 'cpuset.mems': '0\n' }, pod: empty, 'pod/web': empty })
  fillCpuset(root, `${root}/pod/web`, { fresh: true })
  for (const folder of ['pod', 'pod/web']) {
    assert.is(readFileSync(join(root, folder, 'cpuset.cpus'), 'utf8'), '0-3')
    assert.is(readFileSync(join(root, folder, 'cpuset.mems'), 'utf8'), '0')
  }
  fill(root, { 'pod/web': { 'cpuset.cpus': '2\n' } })
  fillCpuset(root, `${root}/pod/web`, { fresh: false })
  assert.is(readFileSync(join(root, 'pod/web/cpuset.cpus'), 'utf8'), '2\n')
})

test.run()
