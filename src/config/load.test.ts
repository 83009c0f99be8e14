// Bundles on disk: what can be wrong with the file itself.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import { configWith } from './fixtures.ts'
import { loadConfig, validateBundle } from './load.ts'

const bundle = mkdtempSync(`${tmpdir()}/runt-config-`)

async function errorOf(contents: string | Uint8Array): Promise<string> {
  writeFileSync(`${bundle}/config.json`, contents)
  return failure(bundle)
}

async function failure(path: string): Promise<string> {
  try {
    await loadConfig(path)
    return 'none'
  } catch (error) {
    if (!(error instanceof RuntError)) throw error
    return `${error.code}: ${error.message}`
  }
}

test('a good bundle', async () => {
  writeFileSync(`${bundle}/config.json`, JSON.stringify(configWith({})))
  const config = await loadConfig(`${bundle}/./`)
  assert.is(config.bundle, bundle)
  assert.is(config.root.path, `${bundle}/rootfs`)
  assert.equal(await validateBundle(bundle), [])
})

test('a destination below the path of the root is one in the container, and held to the same rules', async () => {
  const at = async (path: string) => {
    const mount = { destination: `${bundle}/${path}`, type: 'tmpfs', source: 'tmpfs' }
    writeFileSync(`${bundle}/config.json`, JSON.stringify(configWith({ '/mounts': [mount] })))
    return await loadConfig(bundle)
  }
  assert.is((await at('rootfs/mnt/x/')).mounts[0]?.destination, '/mnt/x')
  assert.is((await at('rootfs2')).mounts[0]?.destination, `${bundle}/rootfs2`)
  for (const path of ['rootfs', 'rootfs/proc/sys', 'x/../rootfs//proc/./sys']) {
    const told = await at(path).then(
      () => 'none',
      ({ message }: Error) => message,
    )
    assert.match(told, /mounts\[0\]\.destination: .*must not be/, path)
  }
})

test('files that are no JSON text', async () => {
  assert.is(await errorOf(''), `config-invalid: ${bundle}/config.json is empty`)
  assert.is(
    await errorOf('\ufeff{}'),
    `config-invalid: ${bundle}/config.json:1:1: starts with a byte order mark, which JSON has not`,
  )
  assert.is(await errorOf(Uint8Array.of(0x22, 0xff, 0x22)), `config-invalid: ${bundle}/config.json is not UTF-8`)
  assert.is(
    await errorOf('{"ociVersion": "1.0.0"'),
    'config-invalid: config.json:1:23: found the end of the file, not JSON: a closing brace is expected here',
  )
})

test('a file that never ends', async () => {
  rmSync(`${bundle}/config.json`)
  symlinkSync('/dev/zero', `${bundle}/config.json`)
  assert.match(await failure(bundle), /config.json is larger than 64 MiB$/)
  rmSync(`${bundle}/config.json`)
})

test('several problems, a line each', async () => {
  assert.is(
    await errorOf('{"ociVersion": 1, "root": 2}'),
    'config-invalid: config.json:1:16: ociVersion: found 1, must be a string\nconfig.json:1:27: root: found 2, must be an object',
  )
  const many = { ociVersion: '1.0.0', root: { path: 'x' }, mounts: Array(60).fill(1) }
  assert.is((await errorOf(JSON.stringify(many))).split('\n').at(-1), 'config.json: and 20 more problems')
})

test('what is not supported has a code of its own', async () => {
  const ids = [{ containerID: 0, hostID: 0, size: 1 }]
  const linux = { namespaces: [{ type: 'user' }], uidMappings: ids, gidMappings: ids }
  const text = JSON.stringify(configWith({ '/linux': linux, '/root/readonly': true }))
  assert.match(
    await errorOf(text),
    /^config-unsupported: config.json:1:\d+: root.readonly: in a user namespace runt does this only/,
  )
})

test('no file to read', async () => {
  rmSync(`${bundle}/config.json`)
  assert.is(await failure(bundle), `bundle: ${bundle}/config.json: not found`)
  assert.is(await failure(`${bundle}/nowhere`), `bundle: ${bundle}/nowhere: there is no such bundle folder`)
  mkdirSync(`${bundle}/config.json`)
  assert.is(await failure(bundle), `bundle: ${bundle}/config.json: is a directory`)
})

test.after(() => rmSync(bundle, { recursive: true }))

test.run()
