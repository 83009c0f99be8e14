// What engines make of errors: exit status, text on stderr, and the same in --log.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, failed } from '../box.ts'
import type { Edits } from '../bundle.ts'
import { check, skip } from '../case.ts'
import { execute } from '../runtime.ts'

check('K3', 'a program that is not in the PATH is told in the words that engines look for', async (box) => {
  const said = await box.rejected({ '/process/args': ['nothing-of-the-kind'] })
  assert.match(said, /executable file .*not found in \$PATH|executable file not found in \$PATH/)
})

check('K3', 'a program whose path does not exist is told so', async (box) => {
  const said = await box.rejected({ '/process/args': ['/bin/nothing-of-the-kind'] })
  assert.match(said, /no such file or directory/i)
})

check('K3', 'a program that may not be executed is told so', async (box) => {
  writeFileSync(`${box.rootfs}/plain`, 'x')
  chmodSync(`${box.rootfs}/plain`, 0o644)
  const said = await box.rejected({ '/process/args': ['/plain'] })
  assert.match(said, /permission denied/i)
})

check('K3', 'a program that is a folder is refused', async (box) => {
  const said = await box.rejected({ '/process/args': ['/etc'] })
  assert.match(said, /permission denied|is a directory|not permitted/i)
})

check('K3', 'a script without its interpreter is told in one line, in words that people look up', async (box) => {
  if (box.runtime.name === 'crun') skip('crun has words of its own')
  writeFileSync(`${box.rootfs}/run.sh`, '#!/no/interpreter\n', { mode: 0o755 })
  await box.launch('sleep 100')
  const { stderr } = failed(await box.command(['exec', box.id, '/run.sh']))
  assert.match(stderr, /^.*exec \/run.sh: no such file or directory.*\n$/)
  await box.kill('KILL')
})

check('K3', 'a program that is in no format is refused by start', async (box) => {
  writeFileSync(`${box.rootfs}/noise`, '\u0001\u0002\u0003')
  chmodSync(`${box.rootfs}/noise`, 0o755)
  const said = await box.rejected({ '/process/args': ['/noise'] })
  assert.match(said, /exec format error/i)
})

check('K3', 'an error is on stderr and, as a JSON line, in the log', async (box) => {
  const log = box.path('log')
  box.configure({ '/root/path': 'nowhere' })
  const flags = ['--log', log, '--log-format', 'json']
  const { stderr } = failed(await box.command([...flags, 'create', '--bundle', box.bundle, box.id]))
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  const entries = lines.map((line) => JSON.parse(line))
  const last = entries.findLast(({ level }) => level === 'error')
  assert.ok(stderr.includes(last.msg.split('\n')[0]), `${JSON.stringify(last.msg)} is not in ${JSON.stringify(stderr)}`)
  assert.match(last.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/)
})

for (const [how, redirection] of [
  ['is open for reading only, as containerd gives it', '2</dev/null'],
  ['is full', '2>/dev/full'],
  ['is closed', '2>&-'],
] as const) {
  check('K3', `an error is in the log when stderr ${how}`, async (box) => {
    box.configure({ '/root/path': 'nowhere' })
    const log = box.path('log')
    const flags = ['--root', box.stateRoot, '--log', log, '--log-format', 'json']
    const command = [...box.runtime.command, ...flags, 'create', '--bundle', box.bundle, box.id]
    const { status } = await execute(['sh', '-c', `exec "$@" ${redirection}`, 'sh', ...command], box.path('output'))
    assert.is(status, 1)
    const { level, msg } = JSON.parse(readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '')
    assert.is(level, 'error')
    assert.match(msg, /nowhere/)
    box.assertNothingLeft()
  })
}

/** What the last line of the log says, beside the message that every runtime has. */
async function lastError(box: Box, args: readonly string[]): Promise<Record<string, unknown>> {
  const log = box.path('log')
  failed(await box.command(['--log', log, '--log-format', 'json', ...args]))
  return JSON.parse(readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '')
}

const create = (box: Box, edits: Edits): string[] => {
  box.configure(edits)
  return ['create', '--bundle', box.bundle, box.id]
}

const OWN_ID = [{ containerID: 0, hostID: 0, size: 1 }]

/** A root that can't be read-only: in a user namespace the caller's mount namespace is not to be changed. */
const READONLY_WITHOUT_MOUNTS: Edits = {
  '/root/readonly': true,
  '/mounts': [],
  '/linux/maskedPaths': [],
  '/linux/readonlyPaths': [],
  '/linux/namespaces': [{ type: 'user' }, { type: 'uts' }],
  '/linux/uidMappings': OWN_ID,
  '/linux/gidMappings': OWN_ID,
}

const CODES: readonly (readonly [code: string, args: (box: Box) => string[], fields: readonly string[]])[] = [
  ['usage', () => ['frobnicate'], []],
  ['config-unsupported', (box) => create(box, READONLY_WITHOUT_MOUNTS), ['problems']],
  ['bundle', (box) => ['create', '--bundle', box.path('none'), box.id], []],
  ['config-invalid', (box) => create(box, { '/process/cwd': 7 }), ['bundle', 'problems']],
  ['id-invalid', () => ['state', 'a/b'], ['hint']],
  ['container-not-found', () => ['state', 'nobody'], []],
  ['program-not-found', (box) => create(box, { '/process/args': ['nothing-of-the-kind'] }), ['pointer', 'errno']],
  ['program-not-executable', (box) => create(box, { '/process/args': ['/etc'] }), ['pointer', 'errno']],
  [
    'init',
    (box) => create(box, { '/mounts/-': { destination: '/x', type: 'nofs', source: 'x' } }),
    ['pointer', 'syscall'],
  ],
  ['hook', (box) => create(box, { '/hooks': { createRuntime: [{ path: '/bin/false' }] } }), []],
  ['cgroup', (box) => create(box, { '/linux/resources/cpu': { cpus: '4000' } }), []],
]

for (const [code, args, fields] of CODES) {
  check('K3', `the last line of a JSON log has the code ${code}`, async (box) => {
    if (box.runtime.name !== 'runt') skip('codes are a word of runt: engines do not ask for them')
    const line = await lastError(box, args(box))
    assert.is(line.code, code, JSON.stringify(line))
    for (const field of ['msg', 'time', ...fields])
      assert.ok(field in line, `${field} is not in ${JSON.stringify(line)}`)
  })
}

check('K3', 'a log is appended to', async (box) => {
  const log = box.path('log')
  writeFileSync(log, 'before\n')
  await box.command(['--log', log, 'state', 'nobody'])
  await box.command(['--log', log, 'state', 'nobody'])
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  assert.is(lines[0], 'before')
  assert.ok(lines.length >= 3)
})

check('K3', 'an unknown container is told in the words that engines look for', async (box) => {
  const log = box.path('log')
  await box.command(['--log', log, '--log-format', 'json', 'kill', 'nobody', 'KILL'])
  const last = JSON.parse(readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '')
  assert.match(last.msg, /does not exist/)
})

check('K3', 'an id that is taken is told in the words that engines look for', async (box) => {
  await box.create()
  const { stderr } = failed(await box.tryCreate())
  assert.match(stderr, /container with given ID already exists|already exists/)
})

check('K3', 'an unknown command and an unknown flag are errors', async (box) => {
  failed(await box.command(['frobnicate']))
  failed(await box.command(['state', '--frobnicate', 'x']))
  failed(await box.command(['--frobnicate', 'list']))
})

function needsWordsOfRunc({ runtime }: Box): void {
  if (runtime.name === 'crun') skip('crun has words of its own')
}

/** What scripts and other people's tests look for: see src/words.ts. */
const HOOKS = [{ path: '/bin/true' }, { path: '/bin/false' }]
const WORDS: readonly (readonly [words: RegExp, edits: Edits])[] = [
  [/error running (createRuntime )?hook #1/, { '/hooks': { createRuntime: HOOKS } }],
  [/error running (createContainer )?hook #1/, { '/hooks': { createContainer: HOOKS } }],
  [
    /error running (startContainer )?hook.*bad system call/,
    {
      '/linux/seccomp': {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_KILL' }],
      },
      '/hooks': { startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'mkdir /tmp/x'] }] },
    },
  ],
  [
    /SCMP_ACT_NOTIFY cannot be used for the write syscall/,
    {
      '/linux/seccomp': {
        defaultAction: 'SCMP_ACT_ALLOW',
        listenerPath: '/nowhere',
        syscalls: [{ names: ['write'], action: 'SCMP_ACT_NOTIFY' }],
      },
    },
  ],
  [
    /failed to connect with seccomp agent/,
    {
      '/linux/seccomp': {
        defaultAction: 'SCMP_ACT_ALLOW',
        listenerPath: '/nowhere',
        syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
      },
    },
  ],
]
for (const [words, edits] of WORDS) {
  check('K3', `scripts find ${words.source}`, async (box) => {
    needsWordsOfRunc(box)
    assert.match(await box.rejected(edits), words)
  })
}

check('K3', 'scripts find what is wrong with the words of a call', async (box) => {
  needsWordsOfRunc(box)
  await box.launch('sleep 100')
  for (const [args, words] of [
    [['frobnicate'], /No help topic for 'frobnicate'/],
    [['state', '--frobnicate'], /flag provided but not defined: -+frobnicate/],
    [['create', '--bundle'], /flag needs an argument: -+bundle/],
    [['exec', '--cgroup', '..', box.id, 'true'], /\.\. is not a sub cgroup path/],
    [['exec', '--cgroup', '/nonexistent', box.id, 'true'], / adding pid .*\/nonexistent\/cgroup.procs: no such file /],
    [['start', 'nobody'], /container does not exist/],
  ] as const) {
    assert.match(failed(await box.command(args)).stderr, words, args.join(' '))
  }
  await box.kill('KILL')
  await box.waitForStatus('stopped')
  assert.match(failed(await box.command(['kill', box.id, 'TERM'])).stderr, /container not running/)
  assert.match(failed(await box.command(['exec', box.id, 'true'])).stderr, /cannot exec in a stopped container/)
})
