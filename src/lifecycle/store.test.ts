import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
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

test('nothing is done by what others may have written', () => {
  store.claim('e')[Symbol.dispose]()
  const directory = store.directory('e')
  for (const path of [store.root, directory]) {
    const { mode } = statSync(path)
    for (const others of [0o020, 0o002]) {
      chmodSync(path, mode | others)
      const later = new Store(store.root)
      const refused = (body: () => unknown) => {
        try {
          body()
          assert.unreachable()
        } catch (error) {
          assert.match(`${error}`, new RegExp(`${path}: others may write to it`))
        }
      }
      refused(() => later.find('e'))
      refused(() => later.lockIfPresent('e'))
      refused(() => later.has('e'))
      refused(() => later.removeEmpty('e'))
      refused(() => later.remove('e'))
      if (path === store.root) refused(() => later.ids())
      if (path === store.root) refused(() => later.claim('f'))
      assert.equal(new Store(store.root, { foreign: true }).ids().includes('e'), true)
    }
    chmodSync(path, mode)
  }
})

test('a record that is too long to be one is not read', () => {
  store.claim('g')[Symbol.dispose]()
  const path = `${store.directory('g')}/state.json`
  writeFileSync(path, '{"version":1,"id":"g"}')
  assert.ok(store.isOnRecord('g'))
  truncateSync(path, 400 << 20)
  for (const foreign of [false, true]) {
    const before = process.memoryUsage().rss
    const started = Date.now()
    assert.not.ok(new Store(store.root, { foreign }).isOnRecord('g'))
    if (foreign) assert.ok(Date.now() - started < 1000)
    if (foreign) assert.ok(process.memoryUsage().rss - before < 100 << 20)
  }
  store.remove('g')
})

test.after(() => rmSync(folder, { recursive: true }))
test.run()
