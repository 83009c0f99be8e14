// The sources run under Node as they do under Bun: a whole container, from its creation to its end.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, Ground, succeeded } from './box.ts'
import { missingForBundles } from './bundle.ts'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const LOADER = import.meta.resolve('tsx')
const missing = missingForBundles()

if (missing === undefined) {
  const version = spawnSync('node', ['--version'], { encoding: 'utf8' }).stdout.trim()
  test(`a container by Node ${version}`, async () => {
    using ground = new Ground({ name: 'runt', version, command: ['node', '--import', LOADER, MAIN] })
    await using box = new Box(ground)
    writeFileSync(`${box.rootfs}/here`, 'seen')
    assert.is(await box.sh('cat /here', { '/root/readonly': true }), 'seen')
    await box.launch('exec sleep 100')
    assert.is((await box.state()).status, 'running')
    succeeded(await box.command(['delete', '--force', box.id]))
    box.assertNothingLeft()
  })
} else {
  console.log(`skipped: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
