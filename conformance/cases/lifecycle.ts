// runtime.md: state, operations, lifecycle; and what engines expect of the same commands.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import type { Box } from '../box.ts'
import { bindFolder, failed, succeeded } from '../box.ts'
import type { Edits } from '../bundle.ts'
import { check, skip } from '../case.ts'
import { waitUntil } from '../patience.ts'
import { waitForPrograms } from '../programs.ts'

const FOREVER = 'exec sleep 100'

check('B1', 'another state root knows nothing of the container', async (box) => {
  await box.create()
  const elsewhere = ['--root', box.path('other')]
  failed(await box.command([...elsewhere, 'state', box.id]))
  assert.is((await box.state()).status, 'created')
})

check('B2', 'the state of a created container', async (box) => {
  await box.create()
  const { ociVersion, id, status, bundle, pid } = await box.state()
  assert.match(ociVersion, /^1\.\d+\.\d+/)
  assert.equal({ id, status, bundle }, { id: box.id, status: 'created', bundle: box.bundle })
  assert.ok(existsSync(`/proc/${pid}`))
})

check('B2', 'the state of a running and of a stopped one', async (box) => {
  await box.launch(FOREVER)
  const running = await box.state()
  assert.is(running.status, 'running')
  await waitForPrograms(Number(running.pid), 'sleep 100')
  await box.kill('KILL')
  const stopped = await box.waitForStatus('stopped')
  assert.not.ok(stopped.pid, 'a pid in the state of a stopped container')
})

check('K1', 'the state has created, rootfs and annotations for the engines', async (box) => {
  await box.create({ '/annotations': { a: 'b' } })
  const { created, rootfs, annotations } = await box.state()
  assert.match(`${created}`, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/)
  assert.is(rootfs, box.rootfs)
  assert.equal(annotations, { a: 'b' })
})

check('B3', 'while createRuntime hooks run, the status in their state is creating', async (box) => {
  const seen = box.path('seen')
  await box.create({ '/hooks': { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `cat >${seen}`] }] } })
  assert.is(JSON.parse(readFileSync(seen, 'utf8')).status, 'creating')
})

check('B5', 'an id that is taken is refused, and its container untouched', async (box) => {
  await box.create()
  const before = await box.state()
  const { stderr } = failed(await box.tryCreate())
  assert.match(stderr, /already exists|already used|exists/)
  assert.equal(await box.state(), before)
})

for (const id of ['', '.', '..', 'a/b', '../x', 'é', 'a b', 'a\nb']) {
  check('B5', `the id ${JSON.stringify(id)} is refused`, async (box) => {
    box.configure({})
    failed(await box.command(['create', '--bundle', box.bundle, id]))
    assert.equal(existsSync(box.stateRoot) ? readdirSync(box.stateRoot) : [], [])
  })
}

check('B5', 'an id may have every kind of character that is allowed', async (box) => {
  box.configure({ '/process/args': ['true'] })
  for (const id of [`007-${box.id}`, `A_b+c.${box.id}`]) {
    const result = await box.command(['run', '--bundle', box.bundle, id])
    assert.is(result.status, 0, `${id}: ${result.stderr}`)
  }
})

check('B6', 'the program does not run before start', async (box) => {
  const marker = box.path('marker')
  await box.create({ '/mounts/-': bindFolder(box), '/process/args': ['sh', '-c', `echo on >/data/marker; ${FOREVER}`] })
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.not.ok(existsSync(marker))
  await box.start()
  assert.is(await box.waitForFile(marker), 'on\n')
})

check('B7', 'commands without an id are refused', async (box) => {
  box.configure({})
  for (const command of ['create', 'start', 'state', 'kill', 'delete']) failed(await box.command([command]))
  assert.equal(box.records(), [])
})

check('B7', 'a bundle that does not exist is refused', async (box) => {
  failed(await box.command(['create', '--bundle', box.path('nowhere'), box.id]))
  box.assertNothingLeft()
})

/** Properties that fail at different stages of create, the cgroup's and the last ones as well. */
const INAPPLICABLE: readonly (readonly [what: string, edits: Edits])[] = [
  ['a namespace that is not there', { '/linux/namespaces/0/path': '/nowhere' }],
  [
    'a limit that the kernel refuses',
    { '/linux/resources/pids': { limit: 17 }, '/linux/resources/cpu': { mems: '4000' } },
  ],
  [
    'a source that is not there',
    { '/mounts/-': { destination: '/x', type: 'bind', source: '/nowhere', options: ['bind'] } },
  ],
  ['a file system that nobody knows', { '/mounts/-': { destination: '/x', type: 'moon', source: 'moon' } }],
  ['a device in the place of a file', { '/linux/devices': [{ path: '/bin/busybox', type: 'c', major: 1, minor: 3 }] }],
  ['a sysctl that is not there', { '/linux/sysctl': { 'net.no.such': '1' } }],
  ['a hook that fails', { '/hooks': { createRuntime: [{ path: '/bin/false' }] } }],
  ['a program that is not there', { '/process/args': ['/nowhere'] }],
]
for (const [what, edits] of INAPPLICABLE) {
  check('B8', `${what} leaves nothing behind`, async (box) => {
    await box.rejected(edits)
    assert.equal(processesOf(box), [])
  })
}

/** Whoever is in the box's cgroup, or sees a mount of its files: nobody but a container of it. */
function processesOf(box: Box): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      const known = ['cgroup', 'mountinfo'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8')).join('')
      return known.includes(`${box.cgroup}\n`) || known.includes(box.folder)
    } catch {
      return false // it has ended
    }
  })
}

check('B9', 'an operation that fails leaves the container as it was', async (box) => {
  await box.launch(FOREVER, { '/linux/resources/pids': { limit: 17 } })
  const before = { state: await box.state(), processes: processesOf(box), limit: pidsLimitOf(box) }
  for (const command of [
    ['start', box.id],
    ['kill', box.id, 'SIGNONSENSE'],
    ['delete', box.id],
    ['exec', box.id, '/nowhere'],
    ['exec', '--cwd', '/bin/busybox', box.id, 'true'],
    ['update', '--pids-limit', '-7', '--cpu-period', '1', box.id],
    ['resume', box.id],
  ]) {
    failed(await box.command(command))
    const after = { state: await box.state(), processes: processesOf(box), limit: pidsLimitOf(box) }
    assert.equal(after, before, command.join(' '))
  }
})

function pidsLimitOf(box: Box): string | undefined {
  return existsSync('/sys/fs/cgroup/pids') ? box.knob('pids', 'pids.max') : undefined
}

check('B15', 'poststart hooks find the program, and start waits for them', async (box) => {
  const seen = box.path('seen')
  const script = `pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/'); sleep 0.2; tr '\\0' ' ' </proc/$pid/cmdline >${seen}`
  const hook = { path: '/bin/sh', args: ['sh', '-c', script], env: [`PATH=${process.env.PATH ?? '/bin'}`] }
  await box.create({ '/process/args': ['sleep', '100'], '/hooks': { poststart: [hook] } })
  assert.not.ok(existsSync(seen))
  await box.start()
  assert.is(readFileSync(seen, 'utf8'), 'sleep 100 ')
})

check('B18', 'a container without a process can not be started', async (box) => {
  const { status } = await box.tryCreate({ '/process': undefined })
  if (status === 0) {
    failed(await box.command(['start', box.id]))
    await box.delete('--force')
  }
  box.assertNothingLeft()
})

check('K2', 'a wrong config is refused before anything is made', async (box) => {
  await box.rejected({ '/process/args': [], '/mounts/-': { destination: '/made', type: 'tmpfs', source: 'tmpfs' } })
  assert.not.ok(existsSync(`${box.rootfs}/made`))
})

check('B16', 'state of an unknown id is an error', async (box) => {
  const { stdout, stderr } = failed(await box.command(['state', 'nobody']))
  assert.is(stdout, '')
  assert.match(stderr, /does not exist|No such file/)
})

check('B17', 'start of an unknown id is an error', async (box) => {
  failed(await box.command(['start', 'nobody']))
})

check('B17', 'start of a running container is an error without effect', async (box) => {
  await box.launch(FOREVER)
  const { pid } = await box.state()
  failed(await box.command(['start', box.id]))
  const after = await box.state()
  assert.equal([after.status, after.pid], ['running', pid])
})

check('B17', 'start of a stopped container is an error without effect', async (box) => {
  await box.launch('true')
  await box.waitForStatus('stopped')
  failed(await box.command(['start', box.id]))
  assert.is((await box.state()).status, 'stopped')
})

const SIGNALS: readonly (readonly [word: string, name: string])[] = [
  ['TERM', 'TERM'],
  ['SIGUSR1', 'USR1'],
  ['usr2', 'USR2'],
  ['sighup', 'HUP'],
  ['2', 'INT'],
  ['28', 'WINCH'],
]
for (const [word, name] of SIGNALS) {
  check('B19', `kill ${word} sends SIG${name}`, async (box) => {
    const heard = box.path('heard')
    const script = `trap 'echo ${name} >/data/heard' ${name}; echo ready >/data/ready; while true; do sleep 0.02; done`
    await box.launch(script, { '/mounts/-': bindFolder(box) })
    await box.waitForFile(box.path('ready'))
    await box.kill(word)
    assert.is(await box.waitForFile(heard), `${name}\n`)
  })
}

check('B19', 'kill sends SIGTERM when no signal is given', async (box) => {
  const script = `trap 'echo TERM >/data/heard; exit' TERM; echo ready >/data/ready; while true; do sleep 0.02; done`
  await box.launch(script, { '/mounts/-': bindFolder(box) })
  await box.waitForFile(box.path('ready'))
  await box.kill()
  await box.waitForStatus('stopped')
  assert.is(readFileSync(box.path('heard'), 'utf8'), 'TERM\n')
})

check('B19', 'kill of a created container', async (box) => {
  await box.create()
  await box.kill('KILL')
  await box.waitForStatus('stopped')
})

check('B19', 'kill of a stopped container is an error', async (box) => {
  await box.launch('true')
  await box.waitForStatus('stopped')
  const { stderr } = failed(await box.command(['kill', box.id, 'TERM']))
  assert.match(stderr, /not running|already finished|no such process/i)
})

for (const signal of ['SIGNONSENSE', '0x9', '65', '-1']) {
  check('B19', `kill with the signal ${JSON.stringify(signal)} is refused`, async (box) => {
    await box.launch(FOREVER)
    failed(await box.command(['kill', box.id, signal]))
    assert.is((await box.state()).status, 'running')
  })
}

check('B19', 'kill with signal 0 sends nothing, and fails when nobody is there', async (box) => {
  await box.launch(FOREVER)
  await box.kill('0')
  succeeded(await box.command(['kill', '--all', box.id, '0']))
  assert.is((await box.state()).status, 'running')
  await box.kill('KILL')
  await box.waitForStatus('stopped')
  failed(await box.command(['kill', box.id, '0']))
})

check('K2', 'kill KILL ends what is left of a container whose first process is gone', async (box) => {
  const namespaces = ['network', 'ipc', 'uts', 'mount'].map((type) => ({ type }))
  await box.launch('sleep 300 & echo $! >/data/child; exec sleep 300', {
    '/linux/namespaces': namespaces,
    '/mounts/-': bindFolder(box),
  })
  const child = Number((await box.waitForFile(box.path('child'))).trim())
  process.kill((await box.state()).pid ?? 0, 'SIGKILL')
  await box.waitForStatus('stopped')
  assert.ok(existsSync(`/proc/${child}`))
  await box.kill('KILL')
  const ended = (): boolean =>
    !existsSync(`/proc/${child}/exe`) || /State:\s+[ZX]/.test(readFileSync(`/proc/${child}/status`, 'utf8'))
  await waitUntil(ended, 'the child lives on')
})

check('B19', 'kill of an unknown id is an error', async (box) => {
  const { stderr } = failed(await box.command(['kill', 'nobody', 'KILL']))
  assert.match(stderr, /does not exist|No such file/)
})

check('K2', 'kill --all reaches every process of a container without a pid namespace', async (box) => {
  const namespaces = ['network', 'ipc', 'uts', 'mount'].map((type) => ({ type }))
  await box.launch('sleep 300 & echo $! >/data/child; exec sleep 300', {
    '/linux/namespaces': namespaces,
    '/mounts/-': bindFolder(box),
  })
  const child = (await box.waitForFile(box.path('child'))).trim()
  succeeded(await box.command(['kill', '--all', box.id, 'KILL']))
  await box.waitForStatus('stopped')
  const status = existsSync(`/proc/${child}/status`) ? readFileSync(`/proc/${child}/status`, 'utf8') : 'State: Z'
  assert.match(status, /State:\s+[ZX]/)
})

check('B20', 'delete of a running container is an error without effect', async (box) => {
  await box.launch(FOREVER)
  const before = await box.state()
  const { stderr } = failed(await box.command(['delete', box.id]))
  assert.match(stderr, /running|stopped/)
  assert.equal(await box.state(), before)
})

check('B20', 'delete of a stopped container leaves nothing, and what was there before', async (box) => {
  mkdirSync(box.path('source'))
  writeFileSync(box.path('source/kept'), 'x')
  const bind = { destination: '/data', type: 'bind', source: box.path('source'), options: ['bind'] }
  await box.launch('true', { '/mounts/-': bind })
  await box.waitForStatus('stopped')
  await box.delete()
  box.assertNothingLeft()
  assert.is(readFileSync(box.path('source/kept'), 'utf8'), 'x')
  failed(await box.command(['state', box.id]))
})

check('B20', 'delete of an unknown id is an error', async (box) => {
  failed(await box.command(['delete', 'nobody']))
})

check('K2', 'delete of a created container kills and deletes it, as engines need', async (box) => {
  await box.create()
  const { pid } = await box.state()
  await box.delete()
  box.assertNothingLeft()
  assert.not.ok(isAlive(pid))
})

check('K2', 'delete --force of a running container', async (box) => {
  await box.launch(FOREVER)
  const { pid } = await box.state()
  await box.delete('--force')
  box.assertNothingLeft()
  assert.not.ok(isAlive(pid))
})

check('K2', 'delete --force ends a container that hangs in its startContainer hook', async (box) => {
  const hook = { path: '/bin/sh', args: ['sh', '-c', 'echo >/data/seen; exec sleep 100'] }
  await box.create({ '/mounts/-': bindFolder(box), '/hooks': { startContainer: [hook] } })
  const started = box.command(['start', box.id])
  await box.waitForFile(box.path('seen'))
  const since = Date.now()
  await box.delete('--force')
  assert.ok(Date.now() - since < 5000)
  box.assertNothingLeft()
  await started
})

check('K2', 'delete --force of an unknown id is no error', async (box) => {
  const result = await box.command(['delete', '--force', 'nobody'])
  assert.is(result.status, 0, result.stderr)
})

function isAlive(pid: number | undefined): boolean {
  try {
    return !/State:\s+[ZX]/.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

check('B21', 'an id may be used again after delete', async (box) => {
  for (let time = 0; time < 3; time++) {
    await box.create()
    await box.delete()
  }
  box.assertNothingLeft()
})

for (const status of [0, 1, 42, 255]) {
  check('K2', `run ends with the program's exit status ${status}`, async (box) => {
    const result = await box.run({ '/process/args': ['sh', '-c', `exit ${status}`] })
    assert.is(result.status, status, result.stderr)
    box.assertNothingLeft()
  })
}

check('K2', 'run ends with 128 + n when signal n killed the program', async (box) => {
  // The first process of a pid namespace takes no signal of its own that it hasn't asked for: kill it from outside.
  const pidFile = box.path('pid')
  const running = box.run({ '/process/args': ['sleep', '100'] }, ['--pid-file', pidFile])
  await box.waitForFile(pidFile)
  while ((await box.command(['kill', box.id, 'KILL'])).status !== 0);
  assert.is((await running).status, 128 + 9)
  box.assertNothingLeft()
})

check('K2', 'run --detach leaves the container running', async (box) => {
  const result = await box.run({ '/process/args': ['sleep', '100'] }, ['--detach'])
  assert.is(result.status, 0, result.stderr)
  assert.is((await box.state()).status, 'running')
})

check('K2', 'run takes the output of its program to its own', async (box) => {
  const { stdout, stderr } = await box.run({ '/process/args': ['sh', '-c', 'echo out; echo err >&2'] })
  assert.equal([stdout, stderr], ['out\n', 'err\n'])
})

check('K2', 'the pid file has the pid of init in decimal, and no more', async (box) => {
  await box.create({}, ['--pid-file', box.path('pid')])
  const { pid } = await box.state()
  assert.is(readFileSync(box.path('pid'), 'utf8'), `${pid}`)
})

check('K2', 'a relative pid file is relative to the caller', async (box) => {
  await box.create({}, ['--pid-file', 'some.pid'], { cwd: box.folder })
  assert.ok(statSync(box.path('some.pid')).size > 0)
})

check('K1', 'list shows a table', async (box) => {
  await box.create()
  const lines = (await box.command(['list'])).stdout.trim().split('\n')
  assert.match(lines[0] ?? '', /^ID +PID +STATUS +BUNDLE +CREATED +OWNER *$/)
  assert.match(lines[1] ?? '', new RegExp(`^${box.id} +\\d+ +created +${box.bundle} +\\S+ +root *$`))
  assert.is(lines.length, 2)
})

check('K1', 'list --quiet shows ids, list --format json all', async (box) => {
  await box.create()
  const { pid } = await box.state()
  assert.is((await box.command(['list', '--quiet'])).stdout, `${box.id}\n`)
  const [entry] = JSON.parse((await box.command(['list', '--format', 'json'])).stdout)
  const { id, status, bundle } = entry
  assert.equal({ id, status, bundle, pid: entry.pid }, { id: box.id, status: 'created', bundle: box.bundle, pid })
})

check('K1', 'list of a state root that does not exist fails', async (box) => {
  const result = failed(await box.command(['list', '--quiet']))
  assert.is(result.stdout, '')
  assert.ok(result.stderr.includes(box.stateRoot), result.stderr)
})

check('K1', 'what a config says reaches no terminal as it is', async (box) => {
  const text = '\x1b[2J\u009b31m\u202efine'
  await box.create({ '/annotations': { odd: text } })
  for (const command of [
    ['state', box.id],
    ['list', '-f', 'json'],
  ]) {
    const { stdout } = succeeded(await box.command(command))
    assert.not.match(stdout, /[^\P{Cc}\n]|\p{Bidi_Control}/u, command.join(' '))
    const told = JSON.parse(stdout)
    assert.is((Array.isArray(told) ? told[0] : told).annotations.odd, text)
  }
})

check('K1', 'created is a time to the nanosecond', async (box) => {
  const before = Date.now()
  await box.create()
  const { created } = JSON.parse(succeeded(await box.command(['state', box.id])).stdout)
  assert.match(created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{4,9}Z$/)
  assert.ok(Date.parse(created) >= before - 1 && Date.parse(created) <= Date.now() + 1, created)
  assert.is(JSON.parse((await box.command(['list', '-f', 'json'])).stdout)[0].created, created)
})

for (const words of [['list'], ['--help'], ['features']]) {
  check('K1', `${words[0]} ends without a word when nobody reads on`, async (box) => {
    mkdirSync(box.stateRoot, { recursive: true })
    const starter = [
      'sh',
      '-c',
      '(exec 3>&1; "$@" >&3 3>&-; echo $? >"$0") | true',
      box.path('status'),
      'sh',
      '-c',
      'sleep 0.2; exec "$@"',
      'sh',
    ]
    const { stderr } = await box.command(words, { starter })
    assert.is(stderr, '')
    assert.is(await box.waitForFile(box.path('status')), '141\n')
  })
}

check('K1', 'list --all-roots finds containers whose root is below the runtime folder', async (box) => {
  if (box.runtime.name !== 'runt') skip('a flag of runt')
  const runtimeFolder = box.path('runtime')
  const root = `${runtimeFolder}/engine/deep`
  mkdirSync(root, { recursive: true })
  await box.create()
  box.configure({ '/linux/cgroupsPath': `${box.cgroupsPath}-other` })
  succeeded(await box.command(['--root', root, 'create', '--bundle', box.bundle, 'other']))
  try {
    const env = { XDG_RUNTIME_DIR: runtimeFolder }
    const { stdout } = succeeded(await box.command(['list', '--all-roots', '--format', 'json'], { env }))
    const states: { id: string; root: string; status: string }[] = JSON.parse(stdout)
    const found = states.filter(({ root: each }) => each.startsWith(box.folder))
    assert.equal(
      found.map(({ id, root: each, status }) => [id, each, status]),
      [
        [box.id, box.stateRoot, 'created'],
        ['other', root, 'created'],
      ],
    )
    const text = succeeded(await box.command(['list', '--all-roots'], { env })).stdout
    assert.match(text, /^ID +PID +STATUS +BUNDLE +CREATED +OWNER +ROOT$/m)
    assert.match(text, new RegExp(`^other .* ${root}$`, 'm'))
    assert.equal(JSON.parse((await box.command(['list', '-f', 'json'], { env })).stdout).length, 1)
  } finally {
    await box.command(['--root', root, 'delete', '--force', 'other'])
  }
})

check('K2', 'init is a child of whoever adopts orphans once create is back', async (box) => {
  await box.create()
  const { pid } = await box.state()
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const parent = status.match(/^PPid:\s+(\d+)$/m)?.[1]
  assert.is.not(parent, '0')
  assert.not.match(readFileSync(`/proc/${parent}/cmdline`, 'utf8'), /\0create\0/)
})

check('B22', 'a warning does not change the flow', async (box) => {
  const said = await box.sh('echo on', { '/process/capabilities/bounding/-': 'CAP_WHATEVER' })
  assert.is(said, 'on')
})

check('K2', 'run --keep leaves a container that has ended on record', async (box) => {
  succeeded(await box.run({ '/process/args': ['true'] }, ['--keep']))
  assert.is((await box.state()).status, 'stopped')
  await box.delete()
  succeeded(await box.run({ '/process/args': ['true'] }))
  assert.equal(box.records(), [])
})

check('K2', 'others can read the pid file', async (box) => {
  const runs: readonly (readonly [string, Edits])[] = [
    ['plain', {}],
    ['with hooks', { '/hooks': { poststart: [{ path: '/bin/true' }] } }],
  ]
  for (const [name, edits] of runs) {
    await box.create(edits, ['--pid-file', box.path(name)])
    assert.is(statSync(box.path(name)).mode & 0o777, 0o644, name)
    await box.delete('--force')
  }
})

check('K2', 'spec writes a config that can be run, and does not overwrite one', async (box) => {
  const made = await box.command(['spec', '--bundle', box.bundle])
  assert.is(made.status, 0, made.stderr)
  const config = JSON.parse(readFileSync(`${box.bundle}/config.json`, 'utf8'))
  assert.equal(config.process.args, ['sh'])
  failed(await box.command(['spec', '--bundle', box.bundle]))
  const process = { ...config.process, terminal: false, args: ['echo', 'inside'] }
  writeFileSync(`${box.bundle}/config.json`, JSON.stringify({ ...config, process }))
  assert.match(succeeded(await box.command(['run', '--bundle', box.bundle, box.id])).stdout, /^inside$/m)
})

check('K2', 'spec lists a cgroup namespace on cgroup v2 alone', async (box) => {
  succeeded(await box.command(['spec', '--bundle', box.bundle]))
  const config = JSON.parse(readFileSync(`${box.bundle}/config.json`, 'utf8'))
  const types = config.linux.namespaces.map(({ type }: { type: string }) => type)
  assert.is(types.includes('cgroup'), existsSync('/sys/fs/cgroup/cgroup.procs'), types.join(' '))
})

check('K2', '--version has the lines that engines read', async (box) => {
  const { stdout } = succeeded(await box.command(['--version']))
  const lines = stdout.trim().split('\n')
  // Docker splits the first line that has the word "version" at it, and takes the commit from a line of its own.
  const [name, version] = (lines.find((line) => line.includes('version')) ?? '')
    .split('version')
    .map((part) => part.trim())
  assert.match(name ?? '', /^[a-z]+$/)
  assert.match(version ?? '', /^\d+\.\d+/)
  assert.match(stdout, /^commit: \S+$/m)
  assert.match(stdout, /^spec: 1\.\d+\.\d+(-dev)?$/m)
  for (const flag of ['-v', '--version']) assert.is((await box.command([flag])).stdout, stdout)
})
