// What Podman alone has.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { succeeded } from '../../box.ts'
import { skip } from '../../case.ts'
import { on } from '../case.ts'
import { IMAGE, makeFullRootfs } from '../image.ts'
import { missingPrograms } from '../missing.ts'

on('podman', 'the runtime is the one under test, and its flags are the user’s', async (engine) => {
  const { name } = await engine.ended('true')
  assert.is(await engine.inspect(name, '{{.OCIRuntime}}'), engine.engine.world.runtime.name)
  const root = `${engine.folder}/state`
  const flags = ['--runtime', engine.engine.world.runtime.path, '--runtime-flag=debug', `--runtime-flag=root=${root}`]
  const other = engine.fresh()
  const id = await engine.said(...flags, 'run', '--detach', '--name', other, IMAGE, 'sleep', '300')
  assert.ok(readdirSync(root).includes(id))
  // What is left in there isn't looked at: when the process that Podman leaves to clean up comes first, it forgets the flags.
  await engine.said(...flags, 'rm', '--force', '--time=0', other)
})

on('podman', 'a root file system without an image, and one with an overlay', async (engine) => {
  const rootfs = makeFullRootfs(engine.folder)
  const run = (...words: string[]): Promise<string> =>
    engine.said('run', '--rm', '--name', engine.fresh(), '--rootfs', ...words)
  assert.is(await run(`${rootfs}:O`, 'sh', '-c', 'echo x >/made; cat /made'), 'x')
  assert.is.not((await engine.host(['test', '-e', `${rootfs}/made`])).status, 0)
  assert.is(await run(rootfs, 'sh', '-c', 'echo y >/made; cat /made'), 'y')
  assert.is(readFileSync(`${rootfs}/made`, 'utf8'), 'y\n')
})

on('podman', 'volumes: an overlay over a folder, an image, devpts, no execution', async (engine) => {
  const folder = `${engine.folder}/share`
  mkdirSync(folder)
  writeFileSync(`${folder}/file`, 'here\n')
  assert.is(await engine.sh('cat /in/file; echo x >/in/file; cat /in/file', '-v', `${folder}:/in:O`), 'here\nx')
  assert.is(readFileSync(`${folder}/file`, 'utf8'), 'here\n')
  assert.match(
    await engine.sh('cat /img/etc/passwd; touch /img/x 2>&1; true', `--mount=type=image,src=${IMAGE},dst=/img`),
    /root:x:0:0.*Read-only/s,
  )
  assert.match(await engine.sh('grep " /terminals " /proc/mounts', '--mount=type=devpts,dst=/terminals'), /devpts/)
  const script = 'cp /bin/busybox /in/b && /in/b true 2>&1; grep -o " /in [^ ]* [^ ]*" /proc/mounts; true'
  assert.match(
    await engine.sh(script, '-v', `${folder}:/in:noexec,nodev,nosuid`),
    /Permission denied\n \/in ext4 rw,nosuid,nodev,noexec/,
  )
})

on('podman', 'a container for systemd: its folders are writable file systems', async (engine) => {
  const script =
    'for f in /run /run/lock /tmp /var/log/journal; do grep -c " $f tmpfs rw" /proc/mounts; done; echo $container; ' +
    'mkdir $(sed -n "s,.*name=systemd:,/sys/fs/cgroup/systemd,p" /proc/self/cgroup)/below && echo made'
  assert.is(await engine.sh(script, '--systemd=always'), '1\n1\n1\n1\npodman\nmade')
})

on('podman', 'options of /proc, masks, umask, no IPC', async (engine) => {
  assert.match(
    await engine.sh('grep " /proc proc" /proc/mounts', '--security-opt=proc-opts=hidepid=2'),
    /hidepid=(2|invisible)/,
  )
  assert.is(await engine.sh('wc -c </proc/uptime', '--security-opt=mask=/proc/uptime'), '0')
  assert.is(await engine.sh('umask; touch /x; stat -c %a /x', '--umask=0027'), '0027\n640')
  assert.is(await engine.sh('test -e /dev/shm; echo $?', '--ipc=none'), '1')
})

on('podman', 'personality: a 32-bit machine', async (engine) => {
  assert.match(await engine.sh('uname -m', '--personality=LINUX32'), /^(i686|armv8l)$/)
})

on('podman', 'cgroups: another parent, and the host’s namespace', async (engine) => {
  const said = await engine.sh('cut -d: -f3 /proc/self/cgroup | sort -u', '--cgroup-parent=/mine', '--cgroupns=host')
  assert.match(said, /^(\/\n)?\/mine\/libpod-[0-9a-f]{64}(\n|$)/)
})

on('podman', 'descriptors of the caller: run and exec --preserve-fds', async (engine) => {
  const client = engine.engine.client.join(' ')
  const [name, file] = [engine.fresh(), `${engine.folder}/file`]
  writeFileSync(file, 'passed\n')
  assert.is(
    await engine.shell(`exec 3<${file}; ${client} run --rm --name ${name} --preserve-fds=1 ${IMAGE} sh -c 'cat <&3'`),
    'passed',
  )
  const running = await engine.launch('sleep 300')
  const exec = `exec --preserve-fds=1 ${running}`
  assert.is(await engine.shell(`exec 3<${file}; ${client} ${exec} sh -c 'cat <&3'`), 'passed')
  assert.is(await engine.exec(running, 'ls /proc/self/fd | wc -l'), '4') // ls has its folder open
})

on('podman', 'time is up: --timeout', async (engine) => {
  const { result, name } = await engine.ended('sleep 300', '--timeout=1')
  assert.is(result.status, 255)
  assert.is(await engine.inspect(name, '{{.State.Status}}'), 'exited')
})

on('podman', 'hooks of a folder run with the state on their standard input', async (engine) => {
  const folder = `${engine.folder}/hooks`
  mkdirSync(folder)
  writeFileSync(
    `${folder}/hook`,
    `#!/bin/sh\ncat >${folder}/$1.state\nreadlink /proc/self/ns/net >${folder}/$1.net\n`,
    { mode: 0o755 },
  )
  const stages = ['prestart', 'createRuntime', 'poststart', 'poststop']
  for (const stage of stages) {
    const hook = { path: `${folder}/hook`, args: ['hook', stage] }
    const text = { version: '1.0.0', hook, when: { always: true }, stages: [stage] }
    writeFileSync(`${folder}/${stage}.json`, JSON.stringify(text))
  }
  const name = engine.fresh()
  const words = [`--hooks-dir=${folder}`, 'run', '--rm', '--name', name, '--annotation=a=b', IMAGE, 'sleep', '0.5']
  succeeded(await engine.run(words))
  const statuses = stages.map((stage) => {
    const { status, annotations } = JSON.parse(readFileSync(`${folder}/${stage}.state`, 'utf8'))
    assert.is(annotations.a, 'b')
    return `${stage} ${status}`
  })
  assert.equal(statuses, ['prestart creating', 'createRuntime creating', 'poststart running', 'poststop stopped'])
  assert.is(readFileSync(`${folder}/prestart.net`, 'utf8').trim(), await engine.shell('readlink /proc/self/ns/net'))
})

on('podman', 'events: what became of a container', async (engine) => {
  const { name } = await engine.ended('true')
  const words = ['events', '--stream=false', '--filter', `container=${name}`, '--format', '{{.Status}}']
  assert.equal((await engine.said(...words)).split('\n'), ['create', 'init', 'start', 'attach', 'died', 'cleanup'])
})

on('podman', 'init, start: created by the runtime first, and started later', async (engine) => {
  const name = engine.fresh()
  await engine.said('create', '--name', name, IMAGE, 'sh', '-c', 'echo ran; sleep 300')
  await engine.said('init', name)
  const pid = await engine.inspect(name, '{{.State.Pid}}')
  assert.match(await engine.shell(`cat /proc/${pid}/status`), /^State:\tS/m)
  assert.is(await engine.said('logs', name), '')
  await engine.said('start', name)
  await engine.until(/ran/, 'logs', name)
  assert.is(await engine.inspect(name, '{{.State.Pid}}'), pid)
})

on('podman', 'mount, export, import', async (engine) => {
  const name = await engine.launch('echo x >/made; sleep 300')
  await engine.until(/x/, 'exec', name, 'cat', '/made')
  const root = await engine.said('mount', name)
  assert.is(readFileSync(`${root}/made`, 'utf8'), 'x\n')
  const image = `localhost/${engine.fresh()}`
  await engine.shell(`podman export ${name} | podman import - ${image}`)
  assert.is(await engine.said('run', '--rm', '--name', engine.fresh(), image, '/bin/cat', '/made'), 'x')
})

on('podman', 'a user-mode network', async (engine) => {
  const missing = missingPrograms(['slirp4netns'])
  if (missing !== undefined) skip(missing)
  assert.match(await engine.sh('ip -o -4 addr show tap0', '--network=slirp4netns'), /inet 10\.0\.2\.100\/24/)
})
