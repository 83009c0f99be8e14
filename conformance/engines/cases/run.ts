// run, and what becomes of a container until it is removed.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { succeeded } from '../../box.ts'
import { BOTH, on } from '../case.ts'
import { IMAGE } from '../image.ts'

on(
  BOTH,
  'run gives output, environment and working directory',
  async (engine) => {
    assert.is(await engine.sh('echo $IMAGE $X; pwd', '--env', 'X=y'), 'box y\n/root')
    assert.is(await engine.sh('pwd', '--workdir', '/etc'), '/etc')
  },
  { short: true },
)

on(
  BOTH,
  'run ends with the status of the program, of its signal, or of what kept it from starting',
  async (engine) => {
    const status = async (...words: string[]): Promise<number> => (await engine.run(['run', '--rm', ...words])).status
    assert.is(await status(IMAGE, 'sh', '-c', 'exit 3'), 3)
    assert.is(await status('--init', IMAGE, 'sh', '-c', 'kill -TERM $$'), 143)
    assert.is(await status(IMAGE, '/etc/passwd'), 126)
    assert.is(await status(IMAGE, '/etc'), 126)
    assert.is(await status(IMAGE, 'no-such-program'), 127)
    assert.is(await status(IMAGE, '/no/such/program'), 127)
  },
  { short: true },
)

on(BOTH, 'the program reads what run is given on its standard input', async (engine) => {
  const client = engine.engine.client.join(' ')
  const command = `printf 'one\\ntwo\\n' | ${client} run --rm -i ${IMAGE} wc -l`
  assert.is(succeeded(await engine.host(['sh', '-c', command])).stdout.trim(), '2')
})

on(
  BOTH,
  'run -it is a shell in a terminal',
  async (engine) => {
    const status = await engine.inTerminal(
      ['run', '--rm', '-it', '--env', 'PS1=READY> ', IMAGE, 'sh'],
      async ({ terminal }) => {
        await terminal.until(/READY> /)
        terminal.write('tty; test -t 0 && stty size; cat /proc/self/stat | cut -d" " -f7\n')
        await terminal.until(/\/dev\/pts\/0\r\n24 80\r\n\d\d+\r\n/)
        // What is typed is echoed, too, and must not be taken for what is said.
        terminal.write('trap "echo got""-it" INT; echo set""-up; sleep 1; echo sl""ept\n')
        await terminal.until(/set-up\r\n/)
        terminal.write('\x03')
        await terminal.until(/got-it\r\n[\s\S]*READY> /)
        terminal.write('exit 5\n')
      },
    )
    assert.is(status, 5)
  },
  { short: true },
)

on(BOTH, 'attach to a terminal, and detach from it', async (engine) => {
  const name = engine.fresh()
  await engine.said('create', '-it', '--name', name, IMAGE, 'sh', '-c', 'read x; echo "<$x>"; sleep 300')
  await engine.said('start', name)
  await engine.inTerminal(['attach', name], async ({ terminal }) => {
    terminal.write('hello\n')
    await terminal.until(/<hello>/)
    terminal.write('\x10')
    await sleep(100)
    terminal.write('\x11')
  })
  assert.is(await engine.inspect(name, '{{.State.Running}}'), 'true')
})

on('docker', 'a working directory is made', async (engine) => {
  assert.is(await engine.sh('pwd; stat -c "%a %u" .', '--workdir=/made/for/me', '--user=12'), '/made/for/me\n755 0')
})

on(BOTH, 'the user: by number, by name, with more groups', async (engine) => {
  assert.is(await engine.sh('id -u; id -g', '--user', '12:34'), '12\n34')
  assert.is(await engine.sh('id -un; echo $HOME', '--user', 'user'), 'user\n/home/user')
  assert.is(await engine.sh('id -G', '--user', '12:34', '--group-add', '56'), '34 56')
})

on(BOTH, 'host name, hosts file and resolver', async (engine) => {
  const said = await engine.sh(
    'hostname; grep -c "10.9.8.7.*other" /etc/hosts; cat /etc/resolv.conf',
    '--hostname=mine',
    '--add-host=other:10.9.8.7',
    '--dns=10.1.1.1',
  )
  assert.match(said, /^mine\n1\n(.*\n)*nameserver 10\.1\.1\.1/)
})

on(BOTH, 'a read-only root, and a tmpfs in it', async (engine) => {
  const said = await engine.sh(
    'touch /x 2>&1; touch /scratch/x && df -k /scratch | tail -1 | tr -s " " | cut -d" " -f2; touch /dev/shm/x; ' +
      'grep -o " /scratch .*" /proc/mounts',
    '--read-only',
    '--tmpfs=/scratch:size=1m,mode=700,noexec',
  )
  assert.match(said, /^touch: \/x: Read-only file system\n1024\n \/scratch tmpfs rw,[^\n]*noexec/)
})

on(BOTH, '--init buries orphans and passes on signals', async (engine) => {
  const name = await engine.launch(
    'trap "exit 7" TERM; (sh -c "sleep 0.1 &" &); sleep 0.5; ps -o pid,stat | grep -c Z; while :; do sleep 0.1; done',
    '--init',
  )
  await engine.until(/^0/m, 'logs', name)
  assert.match(await engine.exec(name, 'tr "\\0" " " < /proc/1/cmdline'), /init|catatonit|tini/)
  await engine.said('stop', name)
  assert.is(await engine.inspect(name, '{{.State.ExitCode}}'), '7')
})

on(BOTH, '--entrypoint and --env-file', async (engine) => {
  const file = `${engine.folder}/env`
  await engine.host(['sh', '-c', `echo 'A=b c' > ${file}`])
  const said = await engine.said(
    ...['run', '--rm', '--env-file', file, '--entrypoint', '/bin/sh', IMAGE],
    '-c',
    'echo "$A"',
  )
  assert.is(said, 'b c')
})

on(BOTH, 'logs keep both streams, and follow to the end', async (engine) => {
  const name = await engine.launch('echo out; echo err >&2; sleep 0.3; echo last')
  const { stdout, stderr } = succeeded(await engine.run(['logs', '--follow', name]))
  assert.match(stdout, /out\nlast\n/)
  assert.match(stderr, /err/)
})

on(BOTH, 'stop sends the stop signal, and KILL when that does nothing', async (engine) => {
  const kind = await engine.launch('trap "exit 9" USR1; while :; do sleep 0.1; done', '--stop-signal=USR1')
  await engine.said('stop', kind)
  assert.is(await engine.inspect(kind, '{{.State.ExitCode}}'), '9')
  const stubborn = await engine.launch('trap "" TERM; while :; do sleep 0.1; done')
  await engine.said('stop', '--time', '1', stubborn)
  assert.is(await engine.inspect(stubborn, '{{.State.ExitCode}}'), '137')
})

on(BOTH, 'kill sends any signal, and refuses a container that has ended', async (engine) => {
  const name = await engine.launch('trap "echo hup" HUP; trap "exit 4" 34; while :; do sleep 0.05; done')
  await engine.said('kill', '--signal', 'HUP', name)
  await engine.until(/hup/, 'logs', name)
  await engine.said('kill', '--signal', '34', name)
  assert.is(await engine.said('wait', name), '4')
  const { status, stderr } = await engine.run(['kill', name])
  assert.is.not(status, 0)
  assert.match(stderr, /not running|can only kill running/)
})

on(BOTH, 'create, start, restart, rename, remove', async (engine) => {
  const [name, renamed] = [engine.fresh(), engine.fresh()]
  await engine.said('create', '--name', name, IMAGE, 'sh', '-c', 'echo x >> /count; wc -l < /count; sleep 300')
  assert.match(await engine.inspect(name, '{{.State.Status}}'), /created/)
  await engine.said('start', name)
  await engine.until(/^1$/m, 'logs', name)
  await engine.said('restart', '--time', '0', name)
  await engine.until(/^2$/m, 'logs', name)
  await engine.said('rename', name, renamed)
  const { status } = await engine.run(['rm', renamed])
  assert.is.not(status, 0, 'a running container was removed without force')
  await engine.said('kill', renamed)
  await engine.said('rm', '--force', renamed)
  assert.is.not((await engine.run(['inspect', renamed])).status, 0)
})

on(BOTH, 'a restart policy starts it again, as often as it says', async (engine) => {
  const name = await engine.launch('echo x; exit 3', '--restart=on-failure:2')
  await engine.until(
    /^2 exited 3$/m,
    'inspect',
    '--format',
    '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}',
    name,
  )
  assert.is(await engine.said('logs', name), 'x\nx\nx')
  const always = await engine.launch('sleep 0.2', '--restart=always')
  await engine.until(/^[2-9]/, 'inspect', '--format', '{{.RestartCount}}', always)
})

on('docker', 'a health check is run again and again', async (engine) => {
  const name = await engine.launch(
    'touch /well; sleep 300',
    '--health-cmd=test -e /well',
    '--health-interval=1s',
    '--health-retries=1',
  )
  await engine.until(/^healthy/, 'inspect', '--format', '{{.State.Health.Status}}', name)
  await engine.exec(name, 'rm /well')
  await engine.until(/^unhealthy/, 'inspect', '--format', '{{.State.Health.Status}}', name)
})

on('podman', 'a health check', async (engine) => {
  const name = await engine.launch('touch /well; sleep 300', '--health-cmd=test -e /well', '--health-interval=disable')
  await engine.said('healthcheck', 'run', name)
  await engine.exec(name, 'rm /well')
  assert.is((await engine.run(['healthcheck', 'run', name])).status, 1)
  assert.is((await engine.run(['healthcheck', 'run', name])).status, 1)
  assert.is((await engine.run(['healthcheck', 'run', name])).status, 1)
  assert.match(await engine.inspect(name, '{{.State.Healthcheck.Status}}'), /unhealthy/)
})

on(BOTH, 'cp into and out of a running container', async (engine) => {
  const name = await engine.launch('sleep 300', '--tmpfs=/ram')
  const file = `${engine.folder}/file`
  await engine.host(['sh', '-c', `echo text > ${file}`])
  await engine.said('cp', file, `${name}:/etc/copied`)
  assert.is(await engine.exec(name, 'cat /etc/copied; echo more >> /etc/copied'), 'text')
  await engine.said('cp', `${name}:/etc/copied`, `${file}.back`)
  assert.is(readFileSync(`${file}.back`, 'utf8'), 'text\nmore\n')
  assert.match(await engine.said('diff', name), /A \/etc\/copied/)
})

on(BOTH, 'top and stats see the processes', async (engine) => {
  const name = await engine.launch('sleep 301 & sleep 302 & wait')
  const top = await engine.said('top', name)
  assert.match(top, /sleep 301/)
  assert.match(top, /sleep 302/)
  const stats = await engine.until(/^3 /m, 'stats', '--no-stream', '--format', '{{.PIDs}} {{.MemUsage}}', name)
  assert.match(stats, /^3 [1-9]\S+ ?[kKM]i?B \/ /)
})

on(BOTH, 'pause stops all of it, and unpause lets it go on', async (engine) => {
  const name = await engine.launch('while :; do echo x; sleep 0.02; done')
  await engine.said('pause', name)
  assert.is(await engine.inspect(name, '{{.State.Status}}'), 'paused')
  const lines = async (): Promise<number> => (await engine.said('logs', name)).length
  const before = await lines()
  await engine.host(['sleep', '0.3'])
  assert.is(await lines(), before)
  const { status, stderr } = await engine.run(['exec', name, 'true'])
  assert.is.not(status, 0)
  assert.match(stderr, /paused|running/)
  await engine.said('unpause', name)
  assert.is(await engine.inspect(name, '{{.State.Status}}'), 'running')
  await engine.host(['sleep', '0.3'])
  assert.ok((await lines()) > before)
})

on(BOTH, 'a paused container can be killed and removed', async (engine) => {
  const name = await engine.launch('sleep 300')
  await engine.said('pause', name)
  await engine.said('rm', '--force', name)
})

on(BOTH, 'inspect tells a process that lives in namespaces of its own', async (engine) => {
  const name = await engine.launch('sleep 300')
  const pid = await engine.inspect(name, '{{.State.Pid}}')
  const namespaces = (of: string): Promise<string> =>
    engine.host(['sh', '-c', `cd /proc/${of}/ns; readlink pid net ipc uts mnt`]).then(({ stdout }) => stdout.trim())
  const [theirs, ours] = [await namespaces(pid), await namespaces('self')]
  const shared = theirs.split('\n').filter((namespace) => ours.split('\n').includes(namespace))
  assert.equal(shared, [])
  assert.is(await engine.exec(name, 'readlink /proc/1/ns/pid'), theirs.split('\n')[0])
})

on(BOTH, 'commit makes an image of it', async (engine) => {
  const { name } = await engine.ended('echo kept > /kept; rm /etc/group; ln -s /kept /link')
  const image = `localhost/${engine.fresh()}`
  await engine.said('commit', '--change', 'ENV NEW=1', name, image)
  const said = await engine.said('run', '--rm', image, 'sh', '-c', 'cat /link; test -e /etc/group; echo $? $NEW')
  assert.is(said, 'kept\n1 1')
  await engine.said('rmi', image)
})

on(BOTH, 'thirty at once', async (engine) => {
  const all = await Promise.all(
    Array.from({ length: 30 }, (_, index) => engine.sh(`echo ${index}; cat /proc/1/comm; true`, '--network=none')),
  )
  assert.equal(
    all,
    Array.from({ length: 30 }, (_, index) => `${index}\nsh`),
  )
})
