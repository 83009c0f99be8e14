import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { visitBelow } from './tree.ts'

test('every folder is visited, those farther down first', () => {
  const top = mkdtempSync(`${tmpdir()}/runt-tree-`)
  try {
    mkdirSync(`${top}/a/b/c`, { recursive: true })
    const seen: string[] = []
    assert.ok(visitBelow(top, (place) => seen.push(place.slice(place.lastIndexOf('/') + 1)) > 0))
    assert.equal(seen, ['c', 'b', 'a'])
  } finally {
    rmSync(top, { recursive: true })
  }
})

test('nothing is below a folder that is removed while it is looked at', () => {
  const top = mkdtempSync(`${tmpdir()}/runt-tree-`)
  const fd = openSync(top, 'r')
  rmdirSync(top)
  try {
    let visits = 0
    assert.ok(visitBelow(`/proc/self/fd/${fd}/.`, () => ++visits > 0))
    assert.is(visits, 0)
  } finally {
    closeSync(fd)
  }
})

test.run()
