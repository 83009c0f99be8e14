// checkpoint and restore as engines call them.

import { mkdirSync, symlinkSync } from 'node:fs'
import { succeeded } from '../box.ts'
import { check } from '../case.ts'
import { Saved } from '../checkpoint.ts'

check('K6', 'a restore as by a shim of containerd: one dash, and a work folder behind a link', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  mkdirSync(box.path('elsewhere'))
  symlinkSync(box.path('elsewhere'), saved.work)
  succeeded(await saved.checkpoint())
  const before = await saved.standsStill()
  await saved.restored('-no-subreaper')
  await saved.counts(before)
})
