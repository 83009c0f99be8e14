// Podman with the systemd manager, on the hybrid tree, whose limits are real.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inWorld, missingForWorld } from './systemd/world.ts'

const SCRIPT = fileURLToPath(new URL('vm/podman.sh', import.meta.url))
const RUNTIME = fileURLToPath(new URL('../dist/runt', import.meta.url))

const missing =
  missingForWorld('hybrid') ?? (spawnSync('podman', ['--version']).status === 0 ? undefined : 'needs podman')
if (missing === undefined) {
  test('its containers have scopes, limits, exec, pause, update and an end', () => {
    // Its own storage is none for these containers; over the layers of the world's /var it could not be.
    const env = { ...process.env, STORAGE_DRIVER: 'vfs' }
    const { status, stdout, stderr } = inWorld('hybrid', [SCRIPT, RUNTIME], { stdio: 'pipe', encoding: 'utf8', env })
    assert.is(status, 0, `${stdout}${stderr}`)
    assert.ok(`${stdout}`.split('\n').filter((line) => line.startsWith('ok: ')).length > 7, `${stdout}`)
  })
} else {
  console.log(`skipped: Podman with the systemd manager: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
