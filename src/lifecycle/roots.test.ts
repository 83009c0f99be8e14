import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findRoots, searchRoots } from './roots.ts'

const base = mkdtempSync(`${tmpdir()}/runt-roots-`)

function record(root: string, id: string, text = JSON.stringify({ version: 1, id })): void {
  mkdirSync(`${base}/${root}/${id}`, { recursive: true })
  writeFileSync(`${base}/${root}/${id}/state.json`, text)
}

record('runt', 'a')
record('runt', 'b')
record('docker/runtime-runt/moby', 'c')
record('1/2/3/4', 'deepest')
record('1/2/3/4/5', 'too-deep')
record('runt/a/rootfs/run/runt', 'inside-a-container')
record('mounted/runt', 'on-another-file-system')
record('runc', 'not-ours', '{"id":"not-ours"}')
record('broken', 'broken', 'no JSON')
record('renamed', 'x', '{"version":1,"id":"y"}')
mkdirSync(`${base}/empty`)
symlinkSync(`${base}/runt`, `${base}/link`)
mkdirSync(`${base}/fifo/f`, { recursive: true })
execFileSync('mkfifo', [`${base}/fifo/f/state.json`])

test('a root is a folder with the record of a container in a folder of its name', () => {
  const roots = searchRoots([base], new Set([`${base}/mounted`])).map((root) => root.slice(base.length))
  assert.equal(roots.sort(), ['/1/2/3/4', '/docker/runtime-runt/moby', '/runt'])
})

test('a base that is not there has none', () => {
  assert.equal(searchRoots([`${base}/nowhere`], new Set()), [])
})

test('the given root comes first, and none twice', () => {
  const roots = findRoots(`${base}/runt`, base)
  assert.is(roots[0], `${base}/runt`)
  assert.ok(roots.includes(`${base}/docker/runtime-runt/moby`))
  assert.is(new Set(roots).size, roots.length)
})

test.after(() => rmSync(base, { recursive: true }))
test.run()
