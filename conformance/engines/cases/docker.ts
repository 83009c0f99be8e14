// What Docker alone has.

import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { succeeded } from '../../box.ts'
import { on } from '../case.ts'
import { loadImage, startAnotherDockerd } from '../docker.ts'
import { Session } from '../engine.ts'
import { IMAGE } from '../image.ts'
import { RUNTIME_NAME } from '../path.ts'

on('docker', 'the runtime under test is the default, and may be named', async (engine) => {
  const told = '{{.DefaultRuntime}} {{.Driver}} {{.CgroupDriver}}'
  assert.is(await engine.said('info', '--format', told), `${RUNTIME_NAME} overlay2 cgroupfs`)
  const { name } = await engine.ended('true')
  assert.is(await engine.inspect(name, '{{.HostConfig.Runtime}}'), RUNTIME_NAME)
  assert.is(await engine.sh('echo here', `--runtime=${RUNTIME_NAME}`), 'here')
  assert.match((await engine.run(['run', '--rm', '--runtime=no-such', IMAGE, 'true'])).stderr, /no-such/)
})

on('docker', 'layers: a container sees the changes of each, removals too', async (engine) => {
  const dockerfile = `FROM ${IMAGE}
RUN mkdir /d && echo 1 >/d/one && echo 1 >/d/two && echo 1 >/d/three
RUN rm /d/one && echo 2 >/d/two
RUN mv /d/three /d/four && ln -s four /d/five && rm -r /mnt && mkdir /mnt && touch /mnt/new
`
  const { tag, result } = await engine.build({ Dockerfile: dockerfile }, [], { DOCKER_BUILDKIT: '0' })
  succeeded(result)
  const script = 'cd /d; ls | tr "\\n" " "; cat two five; ls /mnt; grep -c "^overlay / overlay" /proc/mounts'
  assert.is(
    await engine.said('run', '--rm', '--name', engine.fresh(), tag, 'sh', '-c', script),
    'five four two 2\n1\nnew\n1',
  )
})

on('docker', 'events: what became of a container', async (engine) => {
  const name = await engine.launch('sleep 300', '--health-cmd=true', '--health-interval=1s')
  await engine.until(/^healthy/, 'inspect', '--format', '{{.State.Health.Status}}', name)
  await engine.said('pause', name)
  await engine.said('unpause', name)
  await engine.said('kill', name)
  await engine.said('start', name)
  await engine.said('rm', '--force', name)
  const until = await engine.shell('sleep 1; date +%s')
  const words = [
    'events',
    '--since=10m',
    `--until=${until}`,
    '--filter',
    `container=${name}`,
    '--format',
    '{{.Action}}',
  ]
  const expected = 'create start pause unpause kill die start kill die destroy'.split(' ')
  const seen = (await engine.said(...words)).split('\n').filter((action) => expected.includes(action))
  assert.equal(seen, expected)
})

on('docker', 'the end of memory is told as an event', async (engine) => {
  const { name } = await engine.ended('tail /dev/zero', '--memory=16m', '--memory-swap=16m')
  const until = await engine.shell('sleep 1; date +%s')
  const words = [
    'events',
    '--since=10m',
    `--until=${until}`,
    '--filter',
    `container=${name}`,
    '--format',
    '{{.Action}}',
  ]
  assert.match(await engine.said(...words), /^oom$/m)
})

on('docker', 'an anonymous volume that is a tmpfs, and no IPC', async (engine) => {
  const volume = engine.fresh()
  await engine.said('volume', 'create', '--opt=type=tmpfs', '--opt=device=tmpfs', '--opt=o=size=1m,uid=12', volume)
  const script = 'stat -c %u /t; df -k /t | tail -1 | tr -s " " | cut -d" " -f2; grep -o " /t tmpfs" /proc/mounts'
  assert.is(await engine.sh(script, '-v', `${volume}:/t`), '12\n1024\n /t tmpfs')
  assert.is(await engine.sh('test -e /dev/shm; echo $?', '--ipc=none'), '1')
})

on('docker', 'cgroups: another parent, and the host’s namespace', async (engine) => {
  const said = await engine.sh('cut -d: -f3 /proc/self/cgroup | sort -u', '--cgroup-parent=/mine', '--cgroupns=host')
  assert.match(said, /^(\/\n)?\/mine\/[0-9a-f]{64}$/)
})

on('docker', 'reading and writing of a device is throttled', async (engine) => {
  const device = await engine.shell('lsblk -dpno NAME | head -1')
  const number = await engine.shell(`lsblk -dno MAJ:MIN ${device} | tr -d ' '`)
  const script = 'cat /sys/fs/cgroup/blkio/blkio.throttle.read_bps_device'
  assert.is(await engine.sh(script, `--device-read-bps=${device}:1mb`), `${number} ${1 << 20}`)
})

on('docker', 'live restore: a container lives on without dockerd, and dockerd finds it again', async (engine) => {
  const start = (): ReturnType<typeof startAnotherDockerd> =>
    startAnotherDockerd(engine.engine.world, 'docker-live', { 'live-restore': true })
  const first = await start()
  await loadImage(first)
  const before = new Session(first)
  const name = await before.launch('while :; do date +%s%N >>/ticks; sleep 0.05; done')
  const pid = await before.inspect(name, '{{.State.Pid}}')
  await first.daemon.stop('SIGKILL')
  const ticks = (): Promise<string> => engine.shell(`wc -l </proc/${pid}/root/ticks`)
  const [early, late] = [Number(await ticks()), Number(await engine.shell(`sleep 0.5; wc -l </proc/${pid}/root/ticks`))]
  assert.ok(late > early, `${late} > ${early}`)
  await using second = await start()
  await using after = new Session(second)
  after.names.push(name)
  assert.is(await after.inspect(name, '{{.State.Status}} {{.State.Pid}}'), `running ${pid}`)
  assert.is(await after.exec(name, 'echo inside'), 'inside')
  await after.said('stop', '--time=0', name)
  assert.is(await after.inspect(name, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137')
  assert.is(await after.sh('echo another'), 'another')
})

on('docker', 'userns-remap: root of every container is nobody outside', async (engine) => {
  const settings = { 'userns-remap': 'default' }
  await using docker = await startAnotherDockerd(engine.engine.world, 'docker-remap', settings)
  await loadImage(docker)
  await using session = new Session(docker)
  const name = await session.launch('id -u; touch /x; stat -c %u:%g /x; sleep 300', '--memory=64m')
  await session.until(/0:0/, 'logs', name)
  assert.is(await session.said('logs', name), '0\n0:0')
  const first = readFileSync('/etc/subuid', 'utf8').match(/^dockremap:(\d+):/m)?.[1]
  assert.is(await engine.shell(`stat -c %u /proc/${await session.inspect(name, '{{.State.Pid}}')}`), first)
  assert.match(await session.exec(name, 'tr -s " " </proc/self/uid_map; id -u'), new RegExp(`^0 ${first} 65536\n0$`))
  assert.is(await session.exec(name, 'id -u', '--user=12'), '12')
  const namespace = 'readlink /proc/self/ns/user'
  assert.is(await session.sh(namespace, '--userns=host'), await engine.shell(namespace))
  const folder = `${engine.folder}/share`
  await engine.shell(`mkdir -m 755 ${folder}; echo here >${folder}/file`)
  assert.match(await session.sh('cat /in/file; touch /in/x 2>&1; true', '-v', `${folder}:/in`), /^here\n.*denied/)
  const { result } = await session.build({ Dockerfile: `FROM ${IMAGE}\nRUN id -u && touch /made\n` }, [], {
    DOCKER_BUILDKIT: '0',
  })
  succeeded(result)
})
