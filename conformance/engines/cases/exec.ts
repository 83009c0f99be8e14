// exec: one more process in a running container.

import * as assert from 'uvu/assert'
import { succeeded } from '../../box.ts'
import { assertAllCapabilities } from '../capabilities.ts'
import { BOTH, on } from '../case.ts'
import { isDocker } from '../engine.ts'

on(
  BOTH,
  'exec runs in the namespaces, root and cgroup of the container',
  async (engine) => {
    const name = await engine.launch('echo mark > /mark; sleep 300', '--hostname=inside', '--memory=100m')
    const where =
      'cat /mark; hostname; cd /proc/self/ns; for n in pid net ipc uts mnt; do readlink $n; done; cat /proc/self/cgroup'
    await engine.until(/mark/, 'exec', name, 'cat', '/mark')
    const [hostSide, execSide] = [
      await engine.exec(name, where.replaceAll('/proc/self', '/proc/1')),
      await engine.exec(name, where),
    ]
    assert.is(execSide, hostSide)
    assert.match(execSide, /^mark\ninside\n/)
  },
  { short: true },
)

on(
  BOTH,
  'exec ends with the status of the program, or of what kept it from starting',
  async (engine) => {
    const name = await engine.launch('sleep 300')
    const status = async (...words: string[]): Promise<number> => (await engine.run(['exec', name, ...words])).status
    assert.is(await status('sh', '-c', 'exit 3'), 3)
    assert.is(await status('sh', '-c', 'kill -9 $$'), 137)
    assert.is(await status('/etc/passwd'), 126)
    const notFound = isDocker(engine.engine) ? 126 : 127
    assert.is(await status('no-such-program'), notFound)
    assert.is(await status('/no/such/program'), notFound)
  },
  { short: true },
)

on(BOTH, 'exec has its own user, environment and working directory', async (engine) => {
  const name = await engine.launch('sleep 300', '--env', 'A=1')
  assert.is(await engine.exec(name, 'echo $A $B $IMAGE', '--env', 'B=2'), '1 2 box')
  assert.is(await engine.exec(name, 'id -u; id -g', '--user', '12:34'), '12\n34')
  assert.is(await engine.exec(name, 'id -un; echo $HOME', '--user', 'user'), 'user\n/home/user')
  assert.is(await engine.exec(name, 'pwd', '--workdir', '/etc'), '/etc')
  assert.is.not((await engine.run(['exec', '--workdir', '/nowhere', name, 'true'])).status, 0)
})

on(BOTH, 'exec has the rights of the container, and all with --privileged', async (engine) => {
  const name = await engine.launch(
    'sleep 300',
    '--cap-drop=ALL',
    '--cap-add=NET_ADMIN',
    '--security-opt=no-new-privileges',
  )
  const status = 'grep -E "Cap(Eff|Bnd|Inh)|NoNewPrivs|Seccomp:" /proc/self/status'
  assert.is(await engine.exec(name, status), await engine.exec(name, status.replace('self', '1')))
  assertAllCapabilities(await engine.exec(name, 'grep CapEff /proc/self/status | cut -f2', '--privileged'))
})

on(BOTH, 'exec reads its standard input', async (engine) => {
  const name = await engine.launch('sleep 300')
  const command = `seq 1 100000 | ${engine.engine.client.join(' ')} exec -i ${name} wc -l`
  assert.is(succeeded(await engine.host(['sh', '-c', command])).stdout.trim(), '100000')
})

on(
  BOTH,
  'exec -it is a shell in a terminal',
  async (engine) => {
    const name = await engine.launch('sleep 300')
    const status = await engine.inTerminal(['exec', '-it', '--env', 'PS1=READY> ', name, 'sh'], async (pty) => {
      await pty.terminal.until(/READY> /)
      pty.terminal.write('tty; stty size\n')
      await pty.terminal.until(/\/dev\/pts\/\d\r\n24 80\r\n/)
      pty.resize(40, 100)
      pty.terminal.write('sleep 0.5; stty size\n')
      await pty.terminal.until(/40 100\r\n/)
      pty.terminal.write('exit 6\n')
    })
    assert.is(status, 6)
  },
  { short: true },
)

on(BOTH, 'exec --detach leaves a process that lives on', async (engine) => {
  const name = await engine.launch('sleep 300')
  await engine.said('exec', '--detach', name, 'sh', '-c', 'echo $$ > /mine; sleep 303')
  await engine.until(/sleep 303/, 'top', name)
})

on(BOTH, 'exec is refused in a container that has ended', async (engine) => {
  const { name } = await engine.ended('true')
  const { status, stderr } = await engine.run(['exec', name, 'true'])
  assert.is.not(status, 0)
  assert.match(stderr, /not running|can only create exec sessions on running/)
})

on(BOTH, 'the processes of exec end with the container', async (engine) => {
  const name = await engine.launch('sleep 300')
  const exec = engine.run(['exec', name, 'sleep', '304'])
  await engine.until(/sleep 304/, 'top', name)
  await engine.said('kill', name)
  assert.is((await exec).status, 137)
})

on(BOTH, 'twenty execs at once', async (engine) => {
  const name = await engine.launch('sleep 300')
  const all = await Promise.all(Array.from({ length: 20 }, (_, index) => engine.exec(name, `echo ${index}`)))
  assert.equal(
    all,
    Array.from({ length: 20 }, (_, index) => `${index}`),
  )
})
