// linux.intelRdt on a machine without resctrl: a folder of a v1 cgroup hierarchy stands in for it. Both have a `tasks` file in
// each folder that is made, and remove one by rmdir; that it is mounted is said by a mountinfo of the test's own.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { execute, findRuntime, type Result } from './runtime.ts'

const HIERARCHY = '/sys/fs/cgroup/pids'
const ROOT = `${HIERARCHY}/runt-resctrl-${process.pid}`

/** Runs its arguments where resctrl seems to be mounted: the file is one of this very process, which stays the same in exec. */
const FAKE = `
set -e
fake=$(mktemp)
cat /proc/$$/mountinfo >$fake
echo "9999 1 0:99 / ${ROOT} rw - resctrl resctrl rw" >>$fake
mount --bind $fake /proc/$$/mountinfo
rm $fake
exec "$@"
`

const reason =
  missingForTests() ?? (existsSync(`${HIERARCHY}/tasks`) ? undefined : 'needs a pids hierarchy of cgroup v1')

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`resctrl (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-resctrl-`)
  const real = findRuntime(linkBuilt(`${folder}/runtime`))
  const ground = new Ground({ ...real, command: ['unshare', '-m', 'sh', '-c', FAKE, 'sh', ...real.command] })
  for (const path of ['', '/mon_groups', '/shared', '/shared/mon_groups']) mkdirSync(`${ROOT}${path}`)
  declareTests(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    for (const path of ['/shared/mon_groups', '/shared', '/mon_groups', '']) rmdirSync(`${ROOT}${path}`)
    rmSync(folder, { recursive: true, force: true })
  })
}

function tasks(path: string): string[] {
  return readFileSync(`${ROOT}/${path}/tasks`, 'utf8').split('\n').filter(Boolean)
}

function groups(path: string): string[] {
  const entries = readdirSync(`${ROOT}/${path}`, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

/** A folder with a schemata file, which those of the stand-in have not: for one command it is where the group is. */
function updateWithSchemata(box: Box, flags: readonly string[]): Promise<Result> {
  const stand = box.path('group')
  mkdirSync(stand, { recursive: true })
  if (!existsSync(`${stand}/schemata`)) writeFileSync(`${stand}/schemata`, 'L3:0=ff;1=ff\nMB:0=100\n')
  const prepare = `mount --bind ${stand} ${ROOT}/${box.id} && exec "$@"`
  const words = [...box.runtime.command, '--root', box.stateRoot, 'update', ...flags, box.id]
  return execute(['unshare', '-m', 'sh', '-c', prepare, 'sh', ...words], box.path('output-update'))
}

function schemata(box: Box): string {
  return readFileSync(`${box.path('group')}/schemata`, 'utf8')
}

function declareTests(ground: Ground): void {
  test('a container without closID is in a group of its own, exec joins it, and delete removes it', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60', { '/linux/intelRdt': {} })
    const { pid } = await box.state()
    assert.equal(tasks(box.id), [`${pid}`])
    succeeded(await box.command(['exec', '--detach', box.id, 'sleep', '50']))
    assert.is(tasks(box.id).length, 2)
    await box.delete('--force')
    assert.equal(groups('').includes(box.id), false)
  })

  test('a group that is there is joined and left there; the monitoring group in it comes and goes', async () => {
    await using box = new Box(ground)
    await box.create({ '/linux/intelRdt': { closID: 'shared', enableMonitoring: true } })
    const { pid } = await box.state()
    assert.equal(tasks(`shared/mon_groups/${box.id}`), [`${pid}`])
    await box.kill('KILL')
    await box.waitForStatus('stopped')
    await box.delete()
    assert.equal(groups('shared/mon_groups'), [])
    assert.ok(groups('').includes('shared'))
  })

  test('update writes the schemata of the group, and nothing when another limit can not be had', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60', { '/linux/intelRdt': {}, '/linux/resources/pids': { limit: 50 } })
    const update = (...flags: string[]) => updateWithSchemata(box, flags)
    succeeded(await update('--l3-cache-schema', 'L3:0=7;1=1', '--mem-bw-schema', 'MB:0=20'))
    assert.is(schemata(box), 'L3:0=7;1=1\nMB:0=20\n')
    succeeded(await update('--mem-bw-schema', 'MB:0=30', '--pids-limit', '40'))
    assert.is(schemata(box), 'MB:0=30\n')
    assert.is(box.knob('pids', 'pids.max'), '40')
    const { status, stderr } = await update('--mem-bw-schema', 'MB:0=40', '--cpuset-cpus', '4000')
    assert.is(status, 1)
    assert.match(stderr, /cpuset/)
    assert.is(schemata(box), 'MB:0=30\n')
    assert.match((await update('--mem-bw-schema', 'L3:0=1')).stderr, /--mem-bw-schema "L3:0=1": not a line as/)
  })

  test('update of a container that is in no group says so', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60')
    const { status, stderr } = await box.command(['update', '--l3-cache-schema', 'L3:0=7', box.id])
    assert.is(status, 1)
    assert.match(stderr, /--l3-cache-schema: container \S+ is in no resctrl group: its config has no linux.intelRdt/)
  })

  test('run in the foreground leaves nothing', async () => {
    await using box = new Box(ground)
    succeeded(await box.run({ '/process/args': ['true'], '/linux/intelRdt': { closID: '/', enableMonitoring: true } }))
    assert.equal([groups('mon_groups'), groups('').sort()], [[], ['mon_groups', 'shared']])
  })

  test('a create that fails takes its groups back, whatever it failed for', async () => {
    for (const edits of [
      { '/process/cwd': '/etc/passwd', '/linux/intelRdt': {} },
      { '/process/cwd': '/etc/passwd', '/linux/intelRdt': { closID: 'shared', enableMonitoring: true } },
      { '/linux/intelRdt': { enableMonitoring: true } }, // there is no mon_groups in a new folder here
      { '/linux/intelRdt': { closID: 'new', schemata: ['L3:0=f'] } }, // nor schemata
      { '/linux/intelRdt': { closID: 'absent' } },
    ]) {
      await using box = new Box(ground)
      assert.match(await box.rejected(edits), /./)
      assert.equal(groups('').sort(), ['mon_groups', 'shared'], JSON.stringify(edits))
      assert.equal(groups('shared/mon_groups'), [])
    }
  })
}

test.run()
