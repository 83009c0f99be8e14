// exec: one more process in a container that is there.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { type Box, failed, hierarchies, succeeded } from '../box.ts'
import { type Edits, NAMESPACES } from '../bundle.ts'
import { check, needsKernel, skip } from '../case.ts'
import { PATIENCE, waitUntil } from '../patience.ts'
import type { Result, RunOptions } from '../runtime.ts'
import { listenForConsole } from '../terminal.ts'

/** The shell's own descriptors, told without opening any. */
const OPEN = 'for n in 0 1 2 3 4 5 6 7 8 9; do test -e /proc/$$/fd/$n && echo -n "$n "; done; true'

/** A container that does nothing for a while. */
async function idle(box: Box, edits: Edits = {}): Promise<void> {
  await box.launch('exec sleep 60', edits)
}

function exec(box: Box, flags: readonly string[], command: readonly string[], options?: RunOptions): Promise<Result> {
  return box.command(['exec', ...flags, box.id, ...command], options)
}

/** What a shell script prints that exec runs, when it ends well. */
async function said(box: Box, script: string, flags: readonly string[] = [], options?: RunOptions): Promise<string> {
  return succeeded(await exec(box, flags, ['sh', '-c', script], options)).stdout.trim()
}

/** A file for --process. */
function processFile(box: Box, process: object): string {
  const path = box.path('process.json')
  writeFileSync(path, JSON.stringify({ cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 }, ...process }))
  return path
}

function init(box: Box): Promise<number> {
  return box.state().then(({ pid = 0 }) => pid)
}

check('K2', 'exec runs a command in all namespaces and the root of the container', async (box) => {
  await idle(box)
  const links = 'for n in pid net ipc uts mnt; do readlink /proc/PID/ns/$n; done'
  const [own, first] = [links.replace('PID', 'self'), links.replace('PID', '1')]
  const parts = (await said(box, `${own}; echo -; ${first}; echo -; hostname; ls /bin | grep -c busybox`)).split('-\n')
  assert.is(parts[0], parts[1])
  assert.is(parts[2]?.trim(), 'conformance\n1')
})

check('K2', 'exec takes words of any bytes', async (box) => {
  await idle(box)
  const starter = ['sh', '-c', `exec "$@" "$(printf '\\377 \\303')"`, 'sh']
  const script = 'echo -n "$0" | od -An -tx1'
  assert.is(await said(box, script, [], { starter }), 'ff 20 c3')
})

check('K2', 'exec in a created container', async (box) => {
  await box.create()
  assert.is(await said(box, 'echo in; hostname'), 'in\nconformance')
  assert.is((await box.state()).status, 'created')
})

check('K2', 'exec joins the cgroup namespace of the container', async (box) => {
  await idle(box, { '/linux/namespaces': [...NAMESPACES, { type: 'cgroup' }] })
  assert.is(await said(box, 'cat /proc/self/cgroup | grep -vc ":/$"; true'), '0')
})

check('K2', 'exec in a container with a user namespace', async (box) => {
  const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  await idle(box, {
    '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
    '/linux/uidMappings': mappings,
    '/linux/gidMappings': mappings,
  })
  const text = await said(box, 'id -u; readlink /proc/self/ns/user; readlink /proc/1/ns/user; cat /proc/self/uid_map')
  const [uid, own, first, map = ''] = text.split('\n')
  assert.is(uid, '0')
  assert.is(own, first)
  assert.match(map, /^\s*0\s+100000\s+65536$/)
  const host = await said(box, 'stat -L -c %u /proc/self', ['--user', '7:8'])
  assert.is(host, '7')
})

check('K2', 'the exit status of exec is that of the command, or 128 and the signal', async (box) => {
  await idle(box)
  for (const status of [0, 1, 7, 126, 127, 255]) {
    assert.is((await exec(box, [], ['sh', '-c', `exit ${status}`])).status, status)
  }
  assert.is((await exec(box, [], ['sh', '-c', 'kill -9 $$'])).status, 137)
  assert.is((await exec(box, [], ['sh', '-c', 'kill -TERM $$'])).status, 143)
})

check('K2', 'flags behind the id belong to the command, also "--"', async (box) => {
  await idle(box)
  const { stdout } = succeeded(await exec(box, ['-e', 'A=b'], ['echo', '-d', '--user', '--', '-t', '--help']))
  assert.is(stdout, '-d --user -- -t --help\n')
})

check('K2', 'an unknown container is an error of exec with status 255', async (box) => {
  const { status, stderr } = await box.command(['exec', 'nobody', 'true'])
  assert.is(status, 255)
  assert.match(stderr, /does not exist/)
})

check('K2', 'exec in a stopped container is refused', async (box) => {
  await box.launch('true')
  await box.waitForStatus('stopped')
  const { status, stderr } = await exec(box, [], ['true'])
  assert.is(status, 255)
  assert.match(stderr, /cannot exec in a stopped container/)
})

check('K2', 'a command of exec that is not there is told in the words that engines look for', async (box) => {
  await idle(box)
  const { status, stderr } = await exec(box, [], ['nothing-of-the-kind'])
  assert.match(stderr, /executable file .*not found in \$PATH/)
  assert.is.not(status, 0)
})

check('K2', 'exec of a command that can not be run has status 255, and says why', async (box) => {
  await idle(box)
  writeFileSync(`${box.rootfs}/noise`, '\u0001\u0002\u0003', { mode: 0o755 })
  const noise = await exec(box, [], ['/noise'])
  assert.match(noise.stderr, /exec format error/i)
  assert.is.not(noise.status, 0)
  writeFileSync(`${box.rootfs}/plain`, 'no program', { mode: 0o644 })
  for (const [command, words] of [
    ['nothing-of-the-kind', /executable file .*not found in \$PATH/],
    ['/bin/nothing-of-the-kind', /no such file or directory/i],
    ['/etc', /permission denied|is a directory/i],
    ['/plain', /permission denied/i],
  ] as const) {
    const { status, stderr } = await exec(box, [], [command])
    assert.match(stderr, words)
    assert.is(status, 255, command)
  }
})

check('K2', 'environment and working folder of exec are those of the config', async (box) => {
  await idle(box, { '/process/cwd': '/tmp', '/process/env/-': 'OF=config' })
  assert.is(await said(box, 'pwd; echo $OF $TERM'), '/tmp\nconfig xterm')
})

check('K2', 'exec does not care what the bundle says by now', async (box) => {
  await idle(box, { '/process/env/-': 'OF=config' })
  box.configure({ '/process/env/-': 'OF=another', '/process/user/uid': 9 })
  assert.is(await said(box, 'echo $OF; id -u'), 'config\n0')
})

check('K2', 'exec --cwd', async (box) => {
  await idle(box)
  assert.is(await said(box, 'pwd', ['--cwd', '/tmp']), '/tmp')
  assert.is((await exec(box, ['--cwd', '/not/there'], ['true'])).status, 255)
  assert.not.ok(existsSync(`${box.rootfs}/not`), 'it was made')
})

check('K2', 'a relative exec --cwd is refused', async (box) => {
  await idle(box)
  failed(await exec(box, ['--cwd', 'tmp'], ['true']))
})

check('K2', 'exec --env adds variables, the last of a name counts', async (box) => {
  await idle(box, { '/process/env/-': 'OF=config' })
  const flags = ['--env', 'A=1', '--env', 'B=x=y', '--env=A=2', '--env', 'OF=flag']
  assert.is(await said(box, 'echo $A $B $OF $TERM', flags), '2 x=y flag xterm')
})

check('K2', 'exec --env without a value is refused', async (box) => {
  await idle(box)
  failed(await exec(box, ['--env', 'NOTHING'], ['true']))
})

check('K2', 'exec --user, with a group and without', async (box) => {
  await idle(box, { '/process/user/gid': 3 })
  assert.is(await said(box, 'id -u; id -g', ['--user', '1000:1001']), '1000\n1001')
  assert.is(await said(box, 'id -u; id -g', ['-u', '1000']), '1000\n3')
})

for (const user of ['1x', '', ':', ':1', '1:', '-1', '4294967295', '1:2:3', 'root', '0x1', ' 1']) {
  check('K2', `exec --user ${JSON.stringify(user)} is refused`, async (box) => {
    await idle(box)
    failed(await exec(box, [`--user=${user}`], ['true']))
  })
}

check('K2', 'exec --additional-gids', async (box) => {
  await idle(box, { '/process/user/additionalGids': [7] })
  assert.is(await said(box, 'id -G', ['-g', '8', '-g', '9']), '0 7 8 9')
})

check('K2', 'a capability of exec --cap is bounding, permitted and effective, and never inheritable', async (box) => {
  await idle(box, { '/process/capabilities': { bounding: [], effective: [], permitted: [] } })
  const text = await said(box, 'grep Cap /proc/self/status', ['--cap', 'CAP_NET_RAW'])
  const sets = Object.fromEntries(text.split('\n').map((line) => line.split(':\t')))
  const raw = (1 << 13).toString(16).padStart(16, '0')
  assert.is(sets.CapBnd, raw)
  assert.is(sets.CapEff, raw)
  assert.is(sets.CapInh, '0'.repeat(16))
  assert.is(sets.CapAmb, '0'.repeat(16))
})

check('K2', 'an unknown capability of exec is refused', async (box) => {
  await idle(box)
  failed(await exec(box, ['--cap', 'CAP_NONSENSE'], ['true']))
})

check('K2', 'capabilities, limits and noNewPrivileges of exec are those of the config', async (box) => {
  await idle(box, { '/process/rlimits/-': { type: 'RLIMIT_CORE', soft: 3, hard: 4 } })
  const script = (pid: string) => `grep -E "Cap|NoNewPrivs" /proc/${pid}/status; cat /proc/${pid}/limits`
  assert.is(await said(box, script('self')), await said(box, script('1')))
})

check('K2', 'exec --no-new-privs', async (box) => {
  await idle(box, { '/process/noNewPrivileges': false })
  assert.match(await said(box, 'grep NoNewPrivs /proc/self/status'), /0$/)
  assert.match(await said(box, 'grep NoNewPrivs /proc/self/status', ['--no-new-privs']), /1$/)
})

check('K2', 'exec --process says all of it', async (box) => {
  await idle(box, { '/process/env/-': 'OF=config' })
  const path = processFile(box, {
    args: ['sh', '-c', 'id -u; id -g; id -G; pwd; echo $OF-$A; umask; ulimit -c; grep CapEff /proc/self/status'],
    cwd: '/tmp',
    env: ['PATH=/bin', 'A=b'],
    user: { uid: 5, gid: 6, additionalGids: [7], umask: 0o77 },
    rlimits: [{ type: 'RLIMIT_CORE', soft: 512, hard: 1024 }],
    capabilities: { bounding: ['CAP_KILL'], effective: [], permitted: [] },
  })
  for (const flag of [['--process', path], [`--process=${path}`], ['-p', path]]) {
    const { stdout } = succeeded(await box.command(['exec', ...flag, box.id]))
    const [uid, gid, groups, cwd, env, umask, core, caps] = stdout.split('\n')
    assert.equal([uid, gid, groups, cwd, env], ['5', '6', '6 7', '/tmp', '-b'])
    assert.equal([umask, core, caps], ['0077', '1', 'CapEff:\t0000000000000000'])
  }
})

check('K2', 'what a file of exec --process leaves out for the container to say is as there', async (box) => {
  await idle(box, { '/process/oomScoreAdj': 77, '/process/user/umask': 0o27 })
  const script = 'grep -E "Cap|Umask" /proc/self/status; cat /proc/self/oom_score_adj'
  const path = processFile(box, { args: ['sh', '-c', script] })
  const { stdout } = succeeded(await box.command(['exec', '--process', path, box.id]))
  assert.is(stdout.trim(), await said(box, script.replaceAll('self', '1')))
})

const BAD_PROCESSES: readonly (readonly [string, object])[] = [
  ['without args', {}],
  ['with empty args', { args: [] }],
  ['with a relative cwd', { args: ['true'], cwd: 'tmp' }],
  ['with args of another type', { args: 'true' }],
  ['with a variable without a value', { args: ['true'], env: ['NOTHING'] }],
  ['with an unknown limit', { args: ['true'], rlimits: [{ type: 'RLIMIT_NONE', soft: 1, hard: 1 }] }],
  ['with a soft limit above the hard one', { args: ['true'], rlimits: [{ type: 'RLIMIT_CORE', soft: 2, hard: 1 }] }],
]

for (const [what, process] of BAD_PROCESSES) {
  check('K2', `a file of exec --process ${what} is refused`, async (box) => {
    await idle(box)
    const { status, stderr } = await box.command(['exec', '--process', processFile(box, process), box.id])
    assert.is(status, 255)
    assert.is.not(stderr.trim(), '')
  })
}

check('K2', 'a file of exec --process that is not there, or no JSON, is refused', async (box) => {
  await idle(box)
  assert.is((await box.command(['exec', '--process', box.path('nothing'), box.id])).status, 255)
  writeFileSync(box.path('text'), '{"args": [')
  assert.is((await box.command(['exec', '--process', box.path('text'), box.id])).status, 255)
})

check('K2', 'exec without a command is refused', async (box) => {
  await idle(box)
  failed(await exec(box, [], []))
})

check('K2', 'HOME of exec comes from the passwd of the container', async (box) => {
  await idle(box)
  assert.is(await said(box, 'echo $HOME', ['--user', '1000']), '/home/user')
})

check('K2', 'exec --detach returns at once, its pid is in the pid file', async (box) => {
  await idle(box)
  const file = box.path('pid')
  const started = Date.now()
  succeeded(await exec(box, ['--detach', '--pid-file', file], ['sh', '-c', 'sleep 30']))
  assert.ok(Date.now() - started < 10_000 * PATIENCE)
  const text = readFileSync(file, 'utf8')
  assert.match(text, /^\d+$/)
  assert.match(readFileSync(`/proc/${text}/cmdline`, 'utf8'), /sleep/)
  assert.match(readFileSync(`/proc/${text}/cgroup`, 'utf8'), new RegExp(`:${box.cgroup}\n`))
})

check('K2', 'a detached exec that can not be executed is told', async (box) => {
  await idle(box)
  const file = box.path('pid')
  const { stderr } = failed(await exec(box, ['-d', '--pid-file', file], ['nothing-of-the-kind']))
  assert.match(stderr, /not found in \$PATH/)
})

check('K2', 'exec --pid-file in the foreground', async (box) => {
  await idle(box)
  const file = box.path('pid')
  succeeded(await exec(box, ['--pid-file', file], ['true']))
  assert.match(readFileSync(file, 'utf8'), /^\d+$/)
})

check('K2', 'exec --pidfd-socket hands over the pidfd of the process', async (box) => {
  await idle(box)
  using socket = listenForConsole(box.path('pidfd'))
  succeeded(await exec(box, ['-d', '--pid-file', box.path('pid'), '--pidfd-socket', socket.path], ['sleep', '30']))
  const { descriptor } = socket.acceptDescriptor()
  const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')
  assert.match(info, new RegExp(`^Pid:\\s+${readFileSync(box.path('pid'), 'utf8')}$`, 'm'))
})

check('F12', 'only the standard streams are open in exec, whatever its caller has open', async (box) => {
  await idle(box)
  const leaked = ['/etc', '/sys/fs/cgroup', '/etc/passwd'].map((path) => openSync(path, 'r'))
  assert.is(await said(box, OPEN, [], { descriptors: leaked }), '0 1 2')
})

check('K2', 'exec --preserve-fds passes descriptors', async (box) => {
  await idle(box)
  writeFileSync(box.path('passed'), 'passed on')
  const descriptors = [openSync(box.path('passed'), 'r'), openSync('/etc', 'r')]
  assert.is(await said(box, `cat <&3; echo; ${OPEN}`, ['--preserve-fds', '1'], { descriptors }), 'passed on\n0 1 2 3')
})

check('K2', 'exec --tty with a console socket', async (box) => {
  await idle(box)
  using socket = listenForConsole(box.path('console'))
  const script = 'tty; stat -c %u $(readlink /proc/self/fd/0); echo by-tty >/dev/tty; read word; echo got $word'
  const flags = ['--tty', '--detach', '--user', '1000', '--console-socket', socket.path]
  succeeded(await exec(box, flags, ['sh', '-c', script]))
  const { terminal, payload } = socket.accept()
  using _ = terminal
  assert.match(await terminal.until(/by-tty/), /\/dev\/pts\/\d+\r\n1000\r\n/)
  terminal.write('something\n')
  await terminal.until(/got something\r\n/)
  assert.match(payload, /^\/dev\/(ptmx|pts)/)
})

check('K2', 'the terminal of exec --process has the size that it asks for', async (box) => {
  await idle(box)
  using socket = listenForConsole(box.path('console'))
  const consoleSize = { height: 33, width: 77 }
  const path = processFile(box, { args: ['sh', '-c', 'stty size; echo end'], terminal: true, consoleSize })
  succeeded(await exec(box, ['--process', path, '-d', '--console-socket', socket.path], []))
  using terminal = socket.accept().terminal
  assert.match(await terminal.until(/end/), /33 77\r\n/)
})

check('K2', 'a detached exec with a terminal needs a console socket', async (box) => {
  await idle(box)
  failed(await exec(box, ['--tty', '--detach'], ['true']))
})

check('K2', 'a console socket of exec needs a terminal', async (box) => {
  await idle(box)
  using socket = listenForConsole(box.path('console'))
  failed(await exec(box, ['--detach', '--console-socket', socket.path], ['true']))
})

check('K2', 'exec is in the cgroup of the container', async (box) => {
  await idle(box)
  assert.is(await said(box, 'cat /proc/self/cgroup'), await said(box, 'cat /proc/1/cgroup'))
})

/** A cgroup below the container's, in the hierarchies of these controllers. */
function makeBelow(box: Box, name: string, controllers: readonly string[]): void {
  const chosen = box.cgroupFolders().filter((folder) => {
    const hierarchy = folder.slice('/sys/fs/cgroup/'.length).split('/')[0] ?? ''
    return controllers.length === 0 || controllers.some((each) => hierarchy.split(',').includes(each))
  })
  for (const folder of chosen) {
    mkdirSync(`${folder}/${name}`)
    for (const knob of ['cpuset.cpus', 'cpuset.mems']) {
      if (existsSync(`${folder}/${name}/${knob}`))
        writeFileSync(`${folder}/${name}/${knob}`, readFileSync(`${folder}/${knob}`))
    }
  }
}

function needV1(): void {
  if (hierarchies().length === 1) skip('needs v1 hierarchies')
}

function cgroupOf(text: string, controller: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.split(':')[1]?.split(',').includes(controller))
      ?.split(':')[2] ?? ''
  )
}

check('K2', 'exec --cgroup PATH is below the container in all hierarchies', async (box) => {
  await idle(box)
  makeBelow(box, 'sub', [])
  const text = await said(box, 'cat /proc/self/cgroup', ['--cgroup', 'sub'])
  const controllers = hierarchies().length === 1 ? [''] : ['memory', 'pids', 'cpu']
  for (const controller of controllers) assert.match(cgroupOf(text, controller), /\/sub$/)
})

check('K2', 'exec --cgroup CONTROLLER:PATH is below the container in that hierarchy only', async (box) => {
  needV1()
  await idle(box)
  makeBelow(box, 'sub', ['memory', 'pids'])
  const text = await said(box, 'cat /proc/self/cgroup', ['--cgroup', 'memory,pids:/sub'])
  assert.match(cgroupOf(text, 'memory'), /\/sub$/)
  assert.match(cgroupOf(text, 'pids'), /\/sub$/)
  assert.not.match(cgroupOf(text, 'cpu'), /\/sub$/)
})

check('K2', 'exec --cgroup with several controllers, each given once', async (box) => {
  needV1()
  await idle(box)
  makeBelow(box, 'a', ['memory'])
  makeBelow(box, 'b', ['pids'])
  const text = await said(box, 'cat /proc/self/cgroup', ['--cgroup', 'memory:a', '--cgroup', 'pids:b'])
  assert.match(cgroupOf(text, 'memory'), /\/a$/)
  assert.match(cgroupOf(text, 'pids'), /\/b$/)
})

check('K2', 'exec --cgroup / is the cgroup of the container', async (box) => {
  await idle(box)
  const text = await said(box, 'cat /proc/self/cgroup', ['--cgroup', '/'])
  assert.is(cgroupOf(text, 'pids'), cgroupOf(await said(box, 'cat /proc/1/cgroup'), 'pids'))
})

for (const path of ['missing', 'nothing:sub', ':sub', 'memory:missing']) {
  check('K2', `exec --cgroup ${path} is refused`, async (box) => {
    needV1()
    await idle(box)
    failed(await exec(box, ['--cgroup', path], ['true']))
  })
}

check('K2', 'exec --cgroup does not lead to a neighbour whose name begins alike', async (box) => {
  await idle(box)
  const name = `${box.cgroup.split('/').at(-1)}x`
  for (const folder of box.cgroupFolders()) mkdirSync(`${folder}x`)
  try {
    const result = await exec(box, ['--cgroup', `../${name}`], ['cat', '/proc/self/cgroup'])
    assert.ok(result.status !== 0 || !result.stdout.includes(`${name}\n`), result.stdout)
  } finally {
    for (const folder of box.cgroupFolders()) rmdirSync(`${folder}x`)
  }
})

check('D13', 'execCPUAffinity is for processes of exec, and not for init', async (box) => {
  await idle(box, { '/process/execCPUAffinity': { initial: '0', final: '1' } })
  const allowed = (pid: string) => said(box, `grep Cpus_allowed_list /proc/${pid}/status`)
  assert.match(await allowed('self'), /\t1$/)
  assert.not.match(await allowed('1'), /\t1$/)
})

check('D13', 'the initial affinity of execCPUAffinity stays when there is no final one', async (box) => {
  needsKernel('6.2', 'an affinity outlives the move to a cpuset')
  await idle(box)
  const script = 'grep Cpus_allowed_list /proc/self/status'
  const path = processFile(box, { args: ['sh', '-c', script], execCPUAffinity: { initial: '0', final: '' } })
  assert.match(succeeded(await box.command(['exec', '--process', path, box.id])).stdout, /\t0$/m)
})

check('D13', "a CPU affinity of the caller's is not the container's", async (box) => {
  const script = 'grep Cpus_allowed_list /proc/self/status'
  await idle(box)
  const all = await said(box, script)
  const starter = ['taskset', '-c', '0']
  const execed = await box.command(['exec', box.id, 'sh', '-c', script], { starter })
  assert.is(succeeded(execed).stdout.trim(), all)
  await box.delete('--force')
  const { stdout } = succeeded(await box.run({ '/process/args': ['sh', '-c', script] }, [], { starter }))
  assert.is(stdout.trim(), all)
})

check('K2', 'a process file may be a pipe whose writer is slow', async (box) => {
  await idle(box)
  const text = JSON.stringify({ args: ['echo', 'piped'], cwd: '/', env: ['PATH=/bin'] })
  const [begin, end] = [text.slice(0, 10), text.slice(10)]
  const script = '"$0" "$@" --process <(printf %s "$BEGIN"; sleep 0.3; printf %s "$END") "$ID"'
  const env = { BEGIN: begin, END: end, ID: box.id }
  const command = [...box.runtime.command, '--root', box.stateRoot, 'exec']
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script, ...command], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  })
  assert.is(status, 0, stderr)
  assert.is(stdout, 'piped\n')
})

check('K2', 'exec --cap makes a capability ambient that the config has as inheritable', async (box) => {
  const held = ['CAP_KILL']
  const sets = { bounding: [...held, 'CAP_NET_ADMIN'], effective: held, permitted: held }
  await idle(box, { '/process/capabilities': { ...sets, inheritable: ['CAP_NET_ADMIN'] } })
  const script = 'grep -E "Cap(Eff|Amb)" /proc/self/status | tr -s "[:space:]" " "'
  assert.is(
    await said(box, script, ['--user', '7:8', '--cap', 'CAP_NET_ADMIN']),
    'CapEff: 0000000000001000 CapAmb: 0000000000001000',
  )
  assert.is(await said(box, script, ['--user', '7:8']), 'CapEff: 0000000000000000 CapAmb: 0000000000000000')
})

check('D13', 'an execCPUAffinity that is no list of CPUs is refused', async (box) => {
  for (const execCPUAffinity of [{ initial: '1-' }, { final: '3-1' }, { initial: ',' }]) {
    await box.rejected({ '/process/execCPUAffinity': execCPUAffinity })
  }
})

check('K2', 'exec in a paused container is refused', async (box) => {
  needV1()
  await idle(box)
  const freezer = `/sys/fs/cgroup/freezer${box.cgroup}/freezer.state`
  writeFileSync(freezer, 'FROZEN')
  await box.waitForStatus('paused')
  try {
    const { status, stderr } = await exec(box, [], ['true'])
    assert.is(status, 255)
    assert.match(stderr, /cannot exec in a paused container/)
  } finally {
    writeFileSync(freezer, 'THAWED')
  }
})

check('K2', 'exec --ignore-paused in a paused container runs once that is resumed', async (box) => {
  needV1()
  await idle(box)
  const freezer = `/sys/fs/cgroup/freezer${box.cgroup}/freezer.state`
  writeFileSync(freezer, 'FROZEN')
  await box.waitForStatus('paused')
  const running = exec(box, ['--ignore-paused'], ['sh', '-c', 'echo ran; exit 3'])
  const early = await Promise.race([running, sleep(300)])
  writeFileSync(freezer, 'THAWED')
  assert.is(early, undefined, JSON.stringify(early))
  const { status, stdout } = await running
  assert.is(stdout, 'ran\n')
  assert.is(status, 3)
})

check('K2', 'a container that ends while exec runs ends that, too', async (box) => {
  await idle(box)
  const running = exec(box, [], ['sh', '-c', 'echo on > /tmp/on; sleep 30'])
  await box.waitForFile(`${box.rootfs}/tmp/on`)
  await box.kill('KILL')
  assert.is((await running).status, 137)
})

check('K2', 'exec leaves the container as it was', async (box) => {
  await idle(box)
  const pid = await init(box)
  const before = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
  await exec(box, [], ['true'])
  await exec(box, [], ['nothing-of-the-kind'])
  await exec(box, ['--cwd', '/not/there'], ['true'])
  const state = await box.state()
  assert.equal([state.status, state.pid], ['running', pid])
  assert.is(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), before)
  const processes = () => readFileSync(`${box.cgroupFolders()[0]}/cgroup.procs`, 'utf8').trim()
  await waitUntil(
    () => processes() === `${pid}`,
    () => `${processes()} are there, and not ${pid} alone`,
  )
})

check('K2', 'a command of exec that is a link of the image is found in the image', async (box) => {
  symlinkSync('/bin', `${box.rootfs}/somewhere`)
  await idle(box)
  assert.match(succeeded(await exec(box, [], ['/somewhere/echo', 'found'])).stdout, /found/)
})

check('0.4', 'exec --cwd through a descriptor is refused', async (box) => {
  await idle(box)
  const descriptors = [openSync('/sys/fs/cgroup', 'r')]
  for (let fd = 3; fd < 14; fd++) {
    const { stdout } = await exec(box, ['--cwd', `/proc/self/fd/${fd}`], ['ls'], { descriptors })
    assert.not.match(stdout, /memory|cgroup/, `descriptor ${fd}`)
  }
})
