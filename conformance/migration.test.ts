// One migration of a small container, in the plain way; make migration tries them all.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import { Ground } from './box.ts'
import { missingForTests } from './built.ts'
import { migrate } from './migration/migrate.ts'
import { WAYS } from './migration/ways.ts'
import { endingOf } from './outcome.ts'
import { countAsTests } from './outcome-tests.ts'
import { findRuntime } from './runtime.ts'

const RUNTIME = fileURLToPath(new URL('../dist/runt', import.meta.url))
const MEGABYTES = 4
const missing = missingForTests() ?? (existsSync('/usr/sbin/ip') ? undefined : 'needs ip(8): iproute2')

if (missing === undefined) {
  const plain = WAYS.filter(({ name }) => name === 'plain')
  using ground = new Ground(findRuntime(RUNTIME))
  for (const way of plain) {
    const begun = performance.now()
    const ending = await endingOf(async () => {
      await migrate(ground, way, MEGABYTES)
    })
    const name = 'a running container moves to another host with its memory, a connection of TCP and its terminal'
    countAsTests([{ name, ending, milliseconds: performance.now() - begun }])
  }
} else {
  console.log(`skipped: migration: ${missing}`)
  test.skip(missing, () => {})
}

test.run()
