// Flags and annotations that crun has beyond runc: Podman passes some, and people know them.

import { existsSync, readFileSync, renameSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, failed, hierarchies, isBySystemd, succeeded } from '../box.ts'
import { check, skip } from '../case.ts'
import { Saved } from '../checkpoint.ts'
import { waitUntil } from '../patience.ts'

check('K4', 'kill and delete with --regex reach all containers whose ids match', async (box) => {
  const names = ['one', 'two', 'other'].map((name) => `${box.id}-${name}`)
  for (const [index, id] of names.entries()) {
    box.configure({ '/process/args': ['sleep', '100'], '/linux/cgroupsPath': `${box.cgroupsPath}-${index}` })
    succeeded(await box.command(['create', '--bundle', box.bundle, id]))
  }
  const some = `${box.id}-(one|two)$`
  succeeded(await box.command(['kill', '--regex', some, 'KILL']))
  const statusOf = async (id: string) => JSON.parse(succeeded(await box.command(['state', id])).stdout).status
  const [one = '', two = '', other = ''] = names
  for (const id of [one, two]) {
    await waitUntil(async () => (await statusOf(id)) === 'stopped', `${id} goes on`)
  }
  assert.is(await statusOf(other), 'created')
  succeeded(await box.command(['delete', '--regex', some]))
  const { stdout } = succeeded(await box.command(['list', '--quiet']))
  assert.equal(stdout.trim().split('\n'), [other])
  succeeded(await box.command(['delete', '--force', '--regex', box.id]))
  assert.is(succeeded(await box.command(['list', '--quiet'])).stdout.trim(), '')
})

check('K4', 'run takes another file as the config', async (box) => {
  box.configure({ '/process/args': ['echo', 'elsewhere'] })
  renameSync(`${box.bundle}/config.json`, box.path('other.json'))
  const { stdout } = succeeded(
    await box.command(['run', '--bundle', box.bundle, '--config', box.path('other.json'), box.id]),
  )
  assert.is(stdout, 'elsewhere\n')
})

check('K4', 'spec writes to a file of another name', async (box) => {
  succeeded(await box.command(['spec', '--bundle', box.bundle, '-f', 'other.json']))
  assert.equal(JSON.parse(readFileSync(`${box.bundle}/other.json`, 'utf8')).process.args, ['sh'])
  assert.not(existsSync(`${box.bundle}/config.json`))
})

check('K4', 'create takes --no-subreaper', async (box) => {
  await box.create({}, ['--no-subreaper'])
})

check('K4', '--log file:PATH is a file', async (box) => {
  failed(await box.command(['--log', `file:${box.path('log')}`, 'state', 'nobody']))
  assert.match(readFileSync(box.path('log'), 'utf8'), /nobody/)
})

/** The cgroup of pids that a container with these global flags is in. */
async function cgroupWith(box: Box, ...flags: string[]): Promise<string> {
  if (isBySystemd(box.runtime)) skip('a manager is chosen already')
  box.configure({ '/process/args': ['cat', '/proc/self/cgroup'], '/linux/resources': undefined })
  const { stdout } = succeeded(await box.command([...flags, 'run', '--bundle', box.bundle, box.id]))
  return stdout.trim().split('\n').at(0)?.replace(/^.*:/, '') ?? ''
}

check('K4', '--cgroup-manager cgroupfs makes the cgroup', async (box) => {
  assert.match(await cgroupWith(box, '--cgroup-manager', 'cgroupfs'), box.cgroup)
})

check('K4', '--cgroup-manager disabled leaves the container in the cgroup of the caller', async (box) => {
  assert.not.match(await cgroupWith(box, '--cgroup-manager', 'disabled'), box.cgroup)
})

check('K4', '--cgroup-manager disabled makes no cgroup at restore either', async (box) => {
  if (isBySystemd(box.runtime)) skip('a manager is chosen already')
  const saved = new Saved(box)
  await saved.launch({ '/linux/resources': undefined })
  succeeded(await saved.checkpoint())
  succeeded(await saved.restoreAfter(['--cgroup-manager', 'disabled'], ['--detach']))
  await saved.counts()
  for (const hierarchy of hierarchies()) assert.not.ok(existsSync(`${hierarchy}${box.cgroup}`), hierarchy)
})

const GROUPS = ['setpriv', '--groups', '4242,4243']
const GROUPS_INSIDE = { '/process/args': ['grep', '^Groups:', '/proc/self/status'] }

check('K4', 'the groups of the caller stay when run.oci.keep_original_groups asks for it', async (box) => {
  const annotations = { 'run.oci.keep_original_groups': '1' }
  const kept = succeeded(await box.runPrepared('true', { ...GROUPS_INSIDE, '/annotations': annotations }, GROUPS))
  assert.match(kept.stdout, /4242 4243/)
  const dropped = succeeded(await box.runPrepared('true', GROUPS_INSIDE, GROUPS))
  assert.not.match(dropped.stdout, /4242/)
})

check('K4', 'a handler that is to run the container in place of the runtime is not ignored', async (box) => {
  for (const handler of ['krun', 'wasm']) await box.rejected({ '/annotations': { 'run.oci.handler': handler } })
})
