// bundle.md, config.md: what a bundle is, and which configs are refused.

import { readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { bindFolder, failed, succeeded } from '../box.ts'
import { check } from '../case.ts'

check('A1', 'a bundle without config.json is refused', async (box) => {
  failed(await box.command(['create', '--bundle', box.bundle, box.id]))
  box.assertNothingLeft()
})

check('A1', 'the name config.json has no other spelling', async (box) => {
  box.configure({})
  renameSync(`${box.bundle}/config.json`, `${box.bundle}/Config.json`)
  failed(await box.command(['create', '--bundle', box.bundle, box.id]))
})

check('A1', 'a config that is no JSON is refused', async (box) => {
  writeFileSync(`${box.bundle}/config.json`, '{ "ociVersion": "1.0.2",')
  failed(await box.command(['create', '--bundle', box.bundle, box.id]))
  box.assertNothingLeft()
})

check('A1', 'the path of a bundle may have any bytes', async (box) => {
  const link = Buffer.from(`${box.folder}/\xff \xc3`, 'latin1')
  symlinkSync(box.bundle, link)
  box.configure({ '/process/args': ['echo', 'there'] })
  const words = `exec "$@" --bundle "$(printf '${box.folder}/\\377 \\303')" ${box.id}`
  const named = await box.command(['run'], { starter: ['sh', '-c', words, 'sh'] })
  assert.is(succeeded(named).stdout, 'there\n')
  const inside = `cd "$(printf '${box.folder}/\\377 \\303')" && exec "$@" ${box.id}`
  assert.is(succeeded(await box.command(['run'], { starter: ['sh', '-c', inside, 'sh'] })).stdout, 'there\n')
})

check('A1', 'a property of null is one that is not there', async (box) => {
  const edits = {
    '/hooks': { prestart: null, poststart: null },
    '/process/user/additionalGids': null,
    '/process/oomScoreAdj': null,
    '/linux/resources': { memory: null, pids: null, devices: null },
    '/linux/sysctl': null,
    '/linux/maskedPaths': null,
    '/annotations': null,
  }
  assert.is(await box.sh('echo there', edits), 'there')
})

check('A2', 'a relative root.path starts at the bundle', async (box) => {
  writeFileSync(`${box.rootfs}/here`, 'yes')
  assert.is(await box.sh('cat /here', { '/root/path': './rootfs' }), 'yes')
})

check('A2', 'an absolute root.path is taken as it is', async (box) => {
  renameSync(box.rootfs, box.path('elsewhere'))
  writeFileSync(`${box.path('elsewhere')}/here`, 'yes')
  assert.is(await box.sh('cat /here', { '/root/path': box.path('elsewhere') }), 'yes')
})

check('A2', 'a root.path that does not exist is refused', async (box) => {
  await box.rejected({ '/root/path': 'nowhere' })
})

check('A2', 'a root.path that is a file is refused', async (box) => {
  writeFileSync(box.path('bundle/file'), '')
  await box.rejected({ '/root/path': 'file' })
})

for (const version of ['1.0.0', '1.0.2-dev', '1.0.2']) {
  check('A3', `ociVersion ${version} is accepted`, async (box) => {
    assert.is(await box.sh('echo on', { '/ociVersion': version }), 'on')
  })
}

for (const version of ['abc', '2.0.0', '', undefined]) {
  check('A3', `ociVersion ${version === '' ? 'of no letters' : (version ?? 'left out')} is refused`, async (box) => {
    await box.rejected({ '/ociVersion': version })
  })
}

check('A4', 'a config without root is refused', async (box) => {
  await box.rejected({ '/root': undefined })
})

check('A4', 'with root.readonly the root file system can not be written to', async (box) => {
  const said = await box.sh('touch /x 2>&1 || true', { '/root/readonly': true })
  assert.match(said, /Read-only file system/)
})

check('A4', 'without root.readonly it can', async (box) => {
  await box.sh('echo written >/x')
  assert.is(readFileSync(`${box.rootfs}/x`, 'utf8'), 'written\n')
})

check('A5', 'changes of config.json after create have no effect', async (box) => {
  const [written, wrong] = [box.path('written'), box.path('wrong')]
  const hook = (path: string) => [{ path: '/bin/sh', args: ['sh', '-c', `echo poststop >>${path}`] }]
  writeFileSync(written, '')
  const bind = bindFolder(box)
  await box.create({
    '/mounts/-': bind,
    '/process/args': ['sh', '-c', 'echo $WHO >>/data/written'],
    '/process/env/-': 'WHO=first',
    '/hooks': { poststop: hook(written) },
  })
  box.configure({ '/process/args': ['touch', '/data/wrong'], '/hooks': { poststop: hook(wrong) } })
  await box.start()
  await box.waitForStatus('stopped')
  await box.delete()
  assert.is(readFileSync(written, 'utf8'), 'first\npoststop\n')
  assert.throws(() => readFileSync(wrong), /ENOENT/)
})

check('A6', 'properties that nobody knows are no error', async (box) => {
  const said = await box.sh('echo on', {
    '/unknown': { a: [1] },
    '/process/unknown': true,
    '/process/user/unknown': 'x',
    '/root/unknown': null,
    '/linux/unknown': [],
    '/linux/resources/unknown': {},
    '/mounts/0/unknown': 1,
    '/annotations': { 'org.opencontainers.unknown': 'x' },
  })
  assert.is(said, 'on')
})

const WRONG: readonly (readonly [pointer: string, value: unknown])[] = [
  ['/hostname', 5],
  ['/root/path', ['rootfs']],
  ['/root/readonly', 'yes'],
  ['/process/args', 'true'],
  ['/process/args', []],
  ['/process/args', [5]],
  ['/process/env', { PATH: '/bin' }],
  ['/process/user/uid', -1],
  ['/process/user/uid', '0'],
  ['/process/user/uid', 4294967296],
  ['/process/user/uid', 1.5],
  ['/process/user/additionalGids', [-1]],
  ['/process/terminal', 'false'],
  ['/process/oomScoreAdj', 1001],
  ['/process/rlimits', [{ type: 'RLIMIT_NOFILE', soft: -1, hard: 1 }]],
  ['/mounts', {}],
  ['/mounts/0/options', 'ro'],
  ['/annotations', { number: 5 }],
  ['/annotations', { '': 'empty key' }],
  ['/linux', []],
  ['/linux/namespaces', [{ type: 'moon' }]],
  ['/linux/resources', { memory: { limit: 'much' } }],
  ['/linux/maskedPaths', ['proc/kcore']],
  ['/linux/readonlyPaths', ['proc/bus']],
  ['/linux/rootfsPropagation', 'sideways'],
]
for (const [pointer, value] of WRONG) {
  check('A7', `${pointer} ${JSON.stringify(value)} is refused`, async (box) => {
    await box.rejected({ [pointer]: value })
  })
}

check('A8', 'annotations reach the state, empty values too', async (box) => {
  await box.create({ '/annotations': { 'org.example.a': '1', 'org.example.empty': '' } })
  const { annotations } = await box.state()
  assert.is(Reflect.get(annotations as object, 'org.example.a'), '1')
  assert.is(Reflect.get(annotations as object, 'org.example.empty'), '')
})

check('0.25', 'mounts are optional', async (box) => {
  assert.is(
    await box.sh('echo on', { '/mounts': undefined, '/linux/maskedPaths': [], '/linux/readonlyPaths': [] }),
    'on',
  )
})

check('0.25', 'process is optional until start', async (box) => {
  await box.create({ '/process': undefined })
  assert.is((await box.state()).status, 'created')
  failed(await box.command(['start', box.id]))
})

check('A2', 'the bundle is the working directory when none is given', async (box) => {
  box.configure({ '/process/args': ['echo', 'here'] })
  const { stdout } = await box.command(['run', box.id], { cwd: box.bundle })
  assert.is(stdout, 'here\n')
})

check('K2', 'the bundle may be given in any spelling of the flag', async (box) => {
  box.configure({ '/process/args': ['echo', 'here'] })
  for (const flags of [
    [`--bundle=${box.bundle}`],
    ['-b', box.bundle],
    [`-b=${box.bundle}`],
    ['--bundle', './bundle'],
  ]) {
    const { stdout, stderr } = await box.command(['run', ...flags, box.id], { cwd: box.folder })
    assert.is(stdout, 'here\n', `${flags.join(' ')}: ${stderr}`)
  }
})
