import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findFilter, keepFilter } from './cache.ts'

const work = mkdtempSync(`${tmpdir()}/runt-filters-`)
const library = `${work}/library`
writeFileSync(library, 'one')
const PROGRAM = Uint8Array.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f])
const kept = { program: PROGRAM, library }
let folders = 0

/** A folder with one filter in it. */
function filled(key: string): { folder: string; file: string } {
  const folder = `${work}/${++folders}`
  keepFilter(folder, key, kept)
  const [name] = readdirSync(folder)
  return { folder, file: `${folder}/${name}` }
}

test('what is kept is found again, by all of its key', () => {
  const { folder, file } = filled('x64 {"é":1}')
  assert.equal(findFilter(folder, 'x64 {"é":1}'), kept)
  assert.is(findFilter(folder, 'x64 {"é":2}'), undefined)
  assert.is(statSync(folder).mode & 0o777, 0o700)
  assert.is(statSync(file).mode & 0o777, 0o600)
  assert.is(findFilter(`${work}/nowhere`, 'k'), undefined)
})

test('a file of another key in its place is not believed', () => {
  const { folder, file } = filled('one')
  const other = filled('two')
  renameSync(other.file, file)
  assert.is(findFilter(folder, 'one'), undefined)
})

test('a file that is cut, or longer, or nonsense is not believed', () => {
  const { folder, file } = filled('key')
  const whole = readFileSync(file)
  const bad = [...whole.keys()].map((length) => whole.subarray(0, length))
  for (const bytes of [...bad, Buffer.concat([whole, Buffer.of(0)]), Buffer.alloc(64, 0xff)]) {
    writeFileSync(file, bytes)
    assert.is(findFilter(folder, 'key'), undefined)
  }
  writeFileSync(file, whole)
  assert.equal(findFilter(folder, 'key'), kept)
})

test('what others may write to is not believed: file, folder, link', () => {
  const { folder, file } = filled('key')
  chmodSync(file, 0o620)
  assert.is(findFilter(folder, 'key'), undefined)
  chmodSync(file, 0o600)
  chmodSync(folder, 0o770)
  assert.is(findFilter(folder, 'key'), undefined)
  keepFilter(folder, 'another', kept)
  assert.is(readdirSync(folder).length, 1, 'nothing is written there either')
  chmodSync(folder, 0o700)
  assert.equal(findFilter(folder, 'key'), kept)
  renameSync(file, `${work}/away`)
  symlinkSync(`${work}/away`, file)
  assert.is(findFilter(folder, 'key'), undefined)
  symlinkSync(folder, `${work}/linked`)
  assert.is(findFilter(`${work}/linked`, 'key'), undefined)
})

test('a library that has changed, or is gone, compiles anew', () => {
  const { folder } = filled('key')
  utimesSync(library, 1, 1)
  assert.is(findFilter(folder, 'key'), undefined)
  keepFilter(folder, 'key', kept)
  assert.equal(findFilter(folder, 'key'), kept)
  rmSync(library)
  assert.is(findFilter(folder, 'key'), undefined)
  writeFileSync(library, 'one')
})

test('there are 32 at most, and the oldest goes', () => {
  const folder = `${work}/many`
  mkdirSync(folder, { mode: 0o700 })
  for (let each = 0; each < 32; each++) {
    keepFilter(folder, `key ${each}`, kept)
    for (const name of readdirSync(folder))
      utimesSync(
        `${folder}/${name}`,
        statSync(`${folder}/${name}`).mtimeMs / 1000 - 10,
        statSync(`${folder}/${name}`).mtimeMs / 1000 - 10,
      )
  }
  keepFilter(folder, 'key 32', kept)
  assert.is(readdirSync(folder).length, 32)
  assert.is(findFilter(folder, 'key 0'), undefined)
  assert.equal(findFilter(folder, 'key 1'), kept)
  assert.equal(findFilter(folder, 'key 32'), kept)
  assert.not.ok(readdirSync(folder).some((name) => name.endsWith('.tmp')))
})

test.after(() => {
  rmSync(work, { recursive: true, force: true })
  assert.not.ok(existsSync(work))
})

test.run()
