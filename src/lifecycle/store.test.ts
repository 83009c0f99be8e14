import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import { Store } from './store.ts'

const folder = mkdtempSync(`${tmpdir()}/runt-store-`)
const store = new Store(`${folder}/root`)
const isBusy = (error: unknown) => error instanceof RuntError && error.code === 'container-busy'

test('who waits for a lock in vain is told which process has it', () => {
  using _lock = store.claim('a')
  assert.ok(store.isLocked('a'))
  try {
    store.lockIfPresent('a', 20)
    assert.unreachable()
  } catch (error) {
    assert.ok(isBusy(error), `${error}`)
    assert.equal((error as RuntError).data, { pid: process.pid })
  }
})

test('a lock that is given back can be taken', () => {
  store.claim('b')[Symbol.dispose]()
  assert.not.ok(store.isLocked('b'))
  using lock = store.lockIfPresent('b', 20)
  assert.ok(lock !== undefined)
})

test('of a container that is not there, there is no lock', () => {
  assert.is(store.lockIfPresent('nobody', 20), undefined)
  assert.is(store.lockIfPresent('nobody'), undefined)
})

test("a container's folder goes with whatever is in it, and links lead nowhere", () => {
  store.claim('c')[Symbol.dispose]()
  const directory = store.directory('c')
  mkdirSync(`${directory}/deep/deeper`, { recursive: true })
  writeFileSync(`${directory}/deep/deeper/file`, '')
  mkdirSync(`${folder}/elsewhere`)
  writeFileSync(`${folder}/elsewhere/file`, '')
  symlinkSync(`${folder}/elsewhere`, `${directory}/deep/link`)
  store.remove('c')
  assert.not.ok(existsSync(directory))
  assert.ok(existsSync(`${folder}/elsewhere/file`))
})

test('a record that is a link or no file is none', () => {
  store.claim('d')[Symbol.dispose]()
  writeFileSync(`${folder}/elsewhere.json`, '{"version":1,"id":"d"}')
  symlinkSync(`${folder}/elsewhere.json`, `${store.directory('d')}/state.json`)
  assert.not.ok(store.isOnRecord('d'))
  assert.not.ok(store.isOnRecord('nobody'))
})

test.after(() => rmSync(folder, { recursive: true }))
test.run()
