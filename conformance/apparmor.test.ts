// Profiles of AppArmor, on a machine where it is at work: labels.test.ts shows where they are written.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hasAppArmor } from '../src/host/lsm.ts'
import { Box, failed, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { findRuntime } from './runtime.ts'

/** All but one file may be written. */
const PROFILES = `
profile runt-test flags=(attach_disconnected,mediate_deleted) {
  capability, network, mount, umount, signal, ptrace, file, unix,
  deny /tmp/forbidden w,
}
profile runt-test-strict flags=(attach_disconnected,mediate_deleted) {
  capability, network, mount, umount, signal, ptrace, file, unix,
  deny /tmp/** w,
}
`
const CURRENT = 'cat /proc/self/attr/current'
const WRITE = '(echo x > /tmp/forbidden) 2>&1; (echo x > /tmp/allowed) 2>&1; true'

function parser(flag: string): boolean {
  return spawnSync('apparmor_parser', [flag, '--skip-cache'], { input: PROFILES }).status === 0
}

function missing(): string | undefined {
  const reason = missingForTests() ?? (hasAppArmor() ? undefined : 'AppArmor is not at work here: make vm-test')
  return reason ?? (parser('--replace') ? undefined : 'needs apparmor_parser')
}

const reason = missing()
if (reason === undefined) {
  const folder = mkdtempSync(`${tmpdir()}/runt-apparmor-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  declareTests(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    parser('--remove')
    rmSync(folder, { recursive: true, force: true })
  })
} else {
  console.log(`skipped: ${reason}`)
  test.skip(`AppArmor (${reason})`, () => {})
}

const CONFINED = { '/process/apparmorProfile': 'runt-test' }

function declareTests(ground: Ground): void {
  test('process.apparmorProfile confines the program', async () => {
    await using box = new Box(ground)
    const said = await box.sh(`${CURRENT}; ${WRITE}`, CONFINED)
    assert.match(said, /^runt-test \(enforce\)\n.*\/tmp\/forbidden: Permission denied$/)
  })

  test('with a new user namespace as well', async () => {
    await using box = new Box(ground)
    const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
    spawnSync('chown', ['-hR', '100000:100000', box.rootfs])
    const said = await box.sh(CURRENT, {
      ...CONFINED,
      '/linux/namespaces': ['pid', 'network', 'ipc', 'uts', 'mount', 'user'].map((type) => ({ type })),
      '/linux/uidMappings': mappings,
      '/linux/gidMappings': mappings,
    })
    assert.is(said, 'runt-test (enforce)')
  })

  test('exec has the profile of the container, or the one that it is given', async () => {
    await using box = new Box(ground)
    await box.launch('sleep 1000', CONFINED)
    const run = async (...flags: string[]) =>
      succeeded(await box.command(['exec', ...flags, box.id, 'sh', '-c', `${CURRENT}; ${WRITE}`])).stdout
    assert.match(await run(), /^runt-test \(enforce\)\n.*forbidden: Permission denied\n$/)
    const strict = await run('--apparmor', 'runt-test-strict')
    assert.match(
      strict,
      /^runt-test-strict \(enforce\)\n.*forbidden: Permission denied\n.*allowed: Permission denied\n$/,
    )
  })

  test('an unconfined container can have a confined process', async () => {
    await using box = new Box(ground)
    await box.launch('sleep 1000')
    const current = async (...flags: string[]) =>
      succeeded(await box.command(['exec', ...flags, box.id, 'sh', '-c', CURRENT])).stdout.trim()
    assert.is(await current(), 'unconfined')
    assert.is(await current('--apparmor', 'runt-test'), 'runt-test (enforce)')
  })

  test('a profile that is not loaded is an error that names it, at create and at exec', async () => {
    await using box = new Box(ground)
    const said = await box.rejected({ '/process/apparmorProfile': 'runt-nobody' })
    assert.match(said, /process\.apparmorProfile: runt-nobody: .*ENOENT/)
    assert.match(said, /no such profile is loaded/)
    await box.launch('sleep 1000')
    const { stderr } = failed(await box.command(['exec', '--apparmor', 'runt-nobody', box.id, 'true']))
    assert.match(stderr, /runt-nobody: .*ENOENT/)
    assert.is((await box.state()).status, 'running')
  })
}

test.run()
