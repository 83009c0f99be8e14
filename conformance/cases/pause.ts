// pause and resume: not in the specification, and what Docker, Podman and containerd expect of them.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import type { Box } from '../box.ts'
import { bindFolder, failed, succeeded } from '../box.ts'
import { check } from '../case.ts'

/** Counts into a file that both sides see; sleep(1) of busybox takes fractions. */
const COUNTER = 'i=0; while :; do i=$((i+1)); echo $i >/data/count; sleep 0.01; done'

async function launchCounter(box: Box): Promise<() => Promise<boolean>> {
  await box.launch(COUNTER, { '/mounts/-': bindFolder(box) })
  await box.waitForFile(box.path('count'))
  const read = () => readFileSync(box.path('count'), 'utf8')
  return async () => {
    const before = read()
    await sleep(200)
    return read() !== before
  }
}

check('K1', 'a paused container stands still, and goes on after resume', async (box) => {
  const isRunning = await launchCounter(box)
  assert.ok(await isRunning())
  succeeded(await box.command(['pause', box.id]))
  assert.is((await box.state()).status, 'paused')
  assert.not.ok(await isRunning())
  const { stdout } = await box.command(['list'])
  assert.match(stdout, new RegExp(`^${box.id} .* paused `, 'm'))
  succeeded(await box.command(['resume', box.id]))
  assert.is((await box.state()).status, 'running')
  assert.ok(await isRunning())
})

check('K1', 'a created container can be paused, and is created again after resume', async (box) => {
  await box.create()
  succeeded(await box.command(['pause', box.id]))
  assert.is((await box.state()).status, 'paused')
  failed(await box.command(['start', box.id]))
  succeeded(await box.command(['resume', box.id]))
  assert.is((await box.state()).status, 'created')
  await box.start()
})

check('K3', 'pause and resume refuse other states in the words that engines know', async (box) => {
  await box.launch('exec sleep 100')
  assert.match(failed(await box.command(['resume', box.id])).stderr, /container not paused/)
  succeeded(await box.command(['pause', box.id]))
  assert.match(failed(await box.command(['pause', box.id])).stderr, /container not running/)
  succeeded(await box.command(['resume', box.id]))
  await box.kill('KILL')
  await box.waitForStatus('stopped')
  assert.match(failed(await box.command(['pause', box.id])).stderr, /container not running/)
  assert.match(failed(await box.command(['resume', box.id])).stderr, /container not paused/)
  assert.match(failed(await box.command(['pause', 'nobody'])).stderr, /does not exist/)
  assert.match(failed(await box.command(['resume', 'nobody'])).stderr, /does not exist/)
})

check('K2', 'kill KILL ends a paused container', async (box) => {
  await box.launch('exec sleep 100')
  succeeded(await box.command(['pause', box.id]))
  await box.kill('KILL')
  await box.waitForStatus('stopped')
  await box.delete()
  box.assertNothingLeft()
})

check('K2', 'another signal waits for resume', async (box) => {
  const listening = { '/mounts/-': bindFolder(box) }
  await box.launch("trap 'exit 3' TERM; echo >/data/listening; while :; do sleep 0.01; done", listening)
  await box.waitForFile(box.path('listening'))
  succeeded(await box.command(['pause', box.id]))
  await box.kill('TERM')
  await sleep(100)
  assert.is((await box.state()).status, 'paused')
  succeeded(await box.command(['resume', box.id]))
  await box.waitForStatus('stopped')
})

check('K2', 'delete --force ends and deletes a paused container', async (box) => {
  await box.launch('sleep 100 & exec sleep 100')
  succeeded(await box.command(['pause', box.id]))
  failed(await box.command(['delete', box.id]))
  assert.is((await box.state()).status, 'paused')
  await box.delete('--force')
  box.assertNothingLeft()
})
