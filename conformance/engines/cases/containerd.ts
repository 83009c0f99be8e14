// containerd's own client, ctr: the runtime is called by containerd-shim-runc-v2.

import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { capabilityBit } from '../../../src/linux/capabilities.ts'
import { succeeded } from '../../box.ts'
import type { Result } from '../../runtime.ts'
import { on } from '../case.ts'
import { startContainerdAs } from '../containerd.ts'
import { refused, Session } from '../engine.ts'
import { IMAGE, makeFullRootfs } from '../image.ts'
import { RUNTIME_NAME } from '../path.ts'

function words(engine: Session, name: string, script: string, ...flags: string[]): string[] {
  return ['run', '--runc-binary', engine.engine.world.runtime.path, ...flags, IMAGE, name, 'sh', '-c', script]
}

/** For a shell. */
function quoted(command: readonly string[]): string {
  return command.map((word) => `'${word}'`).join(' ')
}

/** Run a script to its end. */
function run(engine: Session, script: string, ...flags: string[]): Promise<Result> {
  return engine.run(words(engine, engine.fresh(), script, '--rm', ...flags))
}

async function sh(engine: Session, script: string, ...flags: string[]): Promise<string> {
  return succeeded(await run(engine, script, ...flags)).stdout.trim()
}

export async function launch(engine: Session, script: string, ...flags: string[]): Promise<string> {
  const name = engine.fresh()
  await engine.said(...words(engine, name, script, '--detach', ...flags))
  return name
}

let execs = 0

export function exec(engine: Session, name: string, script: string, ...flags: string[]): Promise<Result> {
  return engine.run(['tasks', 'exec', '--exec-id', `exec${++execs}`, ...flags, name, 'sh', '-c', script])
}

/** What `tasks ls` says of it. */
export async function status(engine: Session, name: string): Promise<string | undefined> {
  const lines = (await engine.said('tasks', 'ls')).split('\n').map((line) => line.split(/\s+/))
  return lines.find(([task]) => task === name)?.[2]
}

on(
  'containerd',
  'run: output, status, environment, user, working folder',
  async (engine) => {
    assert.is(await sh(engine, 'echo $IMAGE $X; pwd; id -u', '--env=X=y', '--cwd=/etc'), 'box y\n/etc\n0')
    assert.is((await run(engine, 'exit 3')).status, 3)
    assert.is(
      (await run(engine, 'kill -9 $$; :')).status,
      0,
      'the first process of a namespace is not killed from inside',
    )
    const missing = [
      'run',
      '--rm',
      '--runc-binary',
      engine.engine.world.runtime.path,
      IMAGE,
      engine.fresh(),
      'no-such-program',
    ]
    assert.match(refused(await engine.run(missing)), /executable file not found in \$PATH/)
  },
  { short: true },
)

on(
  'containerd',
  'tasks: list, exec, ps, pause, resume, kill, delete',
  async (engine) => {
    const name = await launch(engine, 'trap "exit 4" TERM; while :; do sleep 0.05; echo x >>/ticks; done')
    assert.is(await status(engine, name), 'RUNNING')
    assert.is((await exec(engine, name, 'id -u; exit 6', '--user=12')).status, 6)
    assert.is(succeeded(await exec(engine, name, 'id -u; pwd', '--user=12', '--cwd=/etc')).stdout, '12\n/etc\n')
    assert.match(await engine.said('tasks', 'ps', name), /^PID .*\n\d+ /)
    await engine.said('tasks', 'pause', name)
    assert.is(await status(engine, name), 'PAUSED')
    const pid = (await engine.said('tasks', 'ls')).match(new RegExp(`^${name} +(\\d+)`, 'm'))?.[1]
    const ticks = `wc -l </proc/${pid}/root/ticks`
    assert.is(await engine.shell(`sleep 0.1; ${ticks}`), await engine.shell(`sleep 0.3; ${ticks}`))
    await engine.said('tasks', 'resume', name)
    assert.is(await status(engine, name), 'RUNNING')
    await engine.said('tasks', 'kill', name)
    await engine.until(new RegExp(`^${name} .*STOPPED`, 'm'), 'tasks', 'ls')
    assert.match((await engine.run(['tasks', 'delete', name])).stderr, /exit code 4/)
    assert.is(await status(engine, name), undefined)
    await engine.said('containers', 'delete', name)
  },
  { short: true },
)

on('containerd', 'tasks: metrics, and limits that are felt', async (engine) => {
  const flags = ['--memory-limit', `${64 << 20}`, '--cpus=0.5']
  const name = await launch(engine, 'sleep 300', ...flags)
  const metrics = await engine.said('tasks', 'metrics', name)
  assert.match(metrics, new RegExp(`^memory.limit_in_bytes +${64 << 20} *$`, 'm'))
  assert.match(metrics, /^memory.usage_in_bytes +[1-9]\d+ *$/m)
  assert.match(metrics, /^pids.current +1 *$/m)
  const json = JSON.parse(await engine.said('tasks', 'metrics', '--format=json', name))
  assert.is(Number(json.memory.usage.limit), 64 << 20)
  const path = succeeded(await exec(engine, name, 'sed -n "s/.*:cpu://p" /proc/self/cgroup')).stdout.trim()
  assert.is(await engine.shell(`cat /sys/fs/cgroup/cpu${path}/cpu.cfs_quota_us`), '50000')
})

on('containerd', 'the end of memory is an event', async (engine) => {
  const [log, name] = [`${engine.folder}/events`, engine.fresh()]
  const command = words(engine, name, 'tail /dev/zero', '--rm', '--memory-limit', `${16 << 20}`)
  const client = engine.engine.client.join(' ')
  const script = `${client} events >${log} & sleep 0.5; ${client} ${quoted(command)}; echo $?; sleep 0.5; kill $!`
  assert.is(await engine.shell(script), '137')
  const topics = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"container_id":"${name}"`))
    .map((line) => line.match(/\/tasks\/\w+/)?.[0])
  assert.equal(topics, ['/tasks/create', '/tasks/start', '/tasks/oom', '/tasks/exit', '/tasks/delete'])
})

on('containerd', 'the runtime by its name in the PATH, and as runc', async (engine) => {
  const log = `${engine.engine.world.folder}/containerd-alone/runc.log`
  for (const [name, flags] of [
    [RUNTIME_NAME, ['--runc-binary', RUNTIME_NAME]],
    ['runc', []],
  ] as const) {
    const id = engine.fresh()
    assert.is(await engine.said('run', '--rm', ...flags, IMAGE, id, 'echo', 'here'), 'here')
    assert.match(readFileSync(log, 'utf8'), new RegExp(`^${name} .* create --bundle .* ${id}$`, 'm'))
  }
})

on('containerd', 'another state folder for the runtime', async (engine) => {
  const root = `${engine.folder}/state`
  const name = await launch(engine, 'sleep 300', '--runc-root', root)
  assert.is(await engine.shell(`find ${root} -name ${name} | wc -l`), '1')
  await engine.said('tasks', 'kill', '--signal=KILL', name)
  await engine.until(new RegExp(`^${name} .*STOPPED`, 'm'), 'tasks', 'ls')
  await engine.run(['tasks', 'delete', name])
  assert.is(await engine.shell(`find ${root} -name ${name} | wc -l`), '0')
})

on('containerd', 'run -t is a terminal', async (engine) => {
  const name = engine.fresh()
  const command = [
    'run',
    '--rm',
    '-t',
    '--runc-binary',
    engine.engine.world.runtime.path,
    '--env',
    'PS1=READY> ',
    IMAGE,
    name,
    'sh',
  ]
  const status = await engine.inTerminal(command, async (pty) => {
    await pty.terminal.until(/READY> /)
    pty.terminal.write('tty; stty size\n')
    await pty.terminal.until(/\/dev\/pts\/0\r+\n24 80\r+\n/)
    pty.resize(40, 100)
    pty.terminal.write('sleep 0.5; stty size\n')
    await pty.terminal.until(/40 100\r+\n/)
    pty.terminal.write('exit 5\n')
  })
  assert.is(status, 5)
})

on('containerd', 'run reads its standard input', async (engine) => {
  // ctr 1.6 forgets to pass on the end of what ends before the task has started.
  const command = [...engine.engine.client, ...words(engine, engine.fresh(), 'wc -l', '--rm')]
  assert.is(await engine.shell(`(sleep 1; seq 1 1000) | ${quoted(command)}`), '1000')
})

on('containerd', 'run: capabilities, filter, read-only root, mounts, host network', async (engine) => {
  const effective = async (...flags: string[]): Promise<bigint> =>
    BigInt(`0x${await sh(engine, 'grep CapEff /proc/self/status | cut -f2', ...flags)}`)
  const [chown, netAdmin] = [capabilityBit(0), capabilityBit(12)]
  assert.is((await effective()) & (chown | netAdmin), chown)
  assert.is((await effective('--cap-drop=CAP_CHOWN', '--cap-add=CAP_NET_ADMIN')) & (chown | netAdmin), netAdmin)
  assert.is(await sh(engine, 'grep Seccomp: /proc/self/status | cut -f2', '--seccomp'), '2')
  await engine.shell(`mkdir ${engine.folder}/share; echo here >${engine.folder}/share/file`)
  const mount = `--mount=type=bind,src=${engine.folder}/share,dst=/mnt,options=rbind:ro`
  assert.match(
    await sh(engine, 'cat /mnt/file; touch /mnt/x /x 2>&1; true', mount, '--read-only'),
    /^here\n.*Read-only.*\n.*Read-only/,
  )
  const network = 'readlink /proc/self/ns/net'
  assert.is(await sh(engine, network, '--net-host'), await engine.shell(network))
  assert.is.not(await sh(engine, network), await engine.shell(network))
})

on('containerd', 'run: a namespace that is given by its path', async (engine) => {
  const other = await launch(engine, 'sleep 300')
  const pid = (await engine.said('tasks', 'ls')).match(new RegExp(`^${other} +(\\d+)`, 'm'))?.[1]
  const [network, theirs] = ['readlink /proc/self/ns/net', await engine.shell(`readlink /proc/${pid}/ns/net`)]
  assert.is(await sh(engine, network, `--with-ns=network:/proc/${pid}/ns/net`), theirs)
})

on('containerd', 'run: a user namespace', async (engine) => {
  const said = await sh(
    engine,
    'tr -s " " </proc/self/uid_map; id -u; touch /tmp/x && stat -c %u:%g /tmp/x',
    '--uidmap=0:100000:65536',
    '--gidmap=0:200000:65536',
  )
  assert.is(said, '0 100000 65536\n0\n0:0')
})

on('containerd', 'run: a folder as the root, and the snapshots that are plain copies', async (engine) => {
  const rootfs = makeFullRootfs(engine.folder)
  const command = ['run', '--rm', '--runc-binary', engine.engine.world.runtime.path, '--rootfs', rootfs, engine.fresh()]
  assert.is(await engine.said(...command, '/bin/sh', '-c', 'echo x >/made; /bin/cat /made'), 'x')
  assert.is(readFileSync(`${rootfs}/made`, 'utf8'), 'x\n')
  const name = engine.fresh()
  const native = words(
    engine,
    name,
    'echo y >/made; cat /made; grep -c "^overlay / " /proc/mounts',
    '--rm',
    '--snapshotter=native',
  )
  assert.match((await engine.run(native)).stdout, /^y\n0\n$/)
})

on('containerd', 'a container lives on without containerd, and is found again', async (engine) => {
  const start = (): ReturnType<typeof startContainerdAs> => startContainerdAs(engine.engine.world, 'containerd-again')
  const first = await start()
  const name = await launch(new Session(first), 'while :; do echo x >>/ticks; sleep 0.05; done')
  await first.daemon.stop('SIGKILL')
  await using second = await start()
  await using session = new Session(second)
  session.names.push(name)
  assert.is(await status(session, name), 'RUNNING')
  const ticks = async (): Promise<number> => Number(succeeded(await exec(session, name, 'wc -l </ticks')).stdout)
  const before = await ticks()
  assert.ok((await ticks()) > before)
  await session.said('tasks', 'kill', '--signal=KILL', name)
  await session.until(new RegExp(`^${name} .*STOPPED`, 'm'), 'tasks', 'ls')
})

on('containerd', 'ten at once', async (engine) => {
  const all = await Promise.all(
    Array.from({ length: 10 }, (_, index) => sh(engine, `echo ${index}; cat /proc/1/comm; true`)),
  )
  assert.equal(
    all,
    Array.from({ length: 10 }, (_, index) => `${index}\nsh`),
  )
})
