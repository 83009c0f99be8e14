import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { poll } from '../native/descriptors.ts'
import type { Cgroup } from './cgroup.ts'
import { watchOom } from './oom.ts'

const folder = mkdtempSync(`${tmpdir()}/runt-oom-`)
const cgroup: Cgroup = { mode: 'v2', path: '/x', directories: { '': folder }, made: [] }
const count = (kills: number) => writeFileSync(`${folder}/memory.events`, `low 0\nmax 9\noom 2\noom_kill ${kills}\n`)

test('v2: each kill is told once, and what came before the watch never', () => {
  count(3)
  using watch = watchOom(cgroup)
  assert.ok(watch)
  assert.equal(poll([watch.fd], 0), [])
  assert.is(watch.take(), 0)
  count(5)
  assert.equal(poll([watch.fd], 1000), [watch.fd])
  assert.is(watch.take(), 2)
  assert.equal(poll([watch.fd], 0), [])
  assert.is(watch.take(), 0)
})

test('v2: another event of the memory is none', () => {
  count(3)
  using watch = watchOom(cgroup)
  assert.ok(watch)
  writeFileSync(`${folder}/memory.events`, 'low 0\nmax 10\noom 2\noom_kill 3\n')
  assert.equal(poll([watch.fd], 1000), [watch.fd])
  assert.is(watch.take(), 0)
})

test('v2: a cgroup that is gone has no more to tell', () => {
  count(1)
  using watch = watchOom(cgroup)
  assert.ok(watch)
  rmSync(`${folder}/memory.events`)
  assert.is(watch.take(), 0)
})

test('without a memory controller there is nothing to watch', () => {
  assert.is(watchOom({ ...cgroup, directories: {} }), undefined)
  assert.is(watchOom({ ...cgroup, directories: { '': '/nowhere' } }), undefined)
  assert.is(watchOom({ ...cgroup, directories: { memory: '/nowhere' } }), undefined)
})

test.after(() => rmSync(folder, { recursive: true }))
test.run()
