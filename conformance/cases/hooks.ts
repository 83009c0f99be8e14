// config.md, POSIX-platform Hooks; runtime.md, Lifecycle.

import { existsSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { bindFolder, failed, hierarchies, removeCgroup, succeeded } from '../box.ts'
import { NAMESPACES } from '../bundle.ts'
import { check, skip } from '../case.ts'
import { waitUntil } from '../patience.ts'
import { execute } from '../runtime.ts'

const ENV = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin']
const shell = (script: string) => ({ path: '/bin/sh', args: ['sh', '-c', script], env: ENV })
const fails = { path: '/bin/sh', args: ['sh', '-c', 'echo the hook says no >&2; exit 3'], env: ENV }
const HOST_HOOKS = ['prestart', 'createRuntime', 'createContainer'] as const

check('B10', 'all hooks and the program run in the order of the lifecycle', async (box) => {
  const log = box.path('log')
  const note = (word: string) => [shell(`echo ${word} >>${log}`)]
  await box.create({
    '/mounts/-': bindFolder(box),
    '/process/args': ['sh', '-c', 'echo program >>/data/log; exec sleep 100'],
    '/hooks': {
      prestart: note('prestart'),
      createRuntime: note('createRuntime'),
      createContainer: note('createContainer'),
      startContainer: [shell('echo startContainer >>/data/log')],
      poststart: [
        shell(`for i in $(seq 50); do grep -q program ${log} && break; sleep 0.02; done; echo poststart >>${log}`),
      ],
      poststop: note('poststop'),
    },
  })
  const words = () => readFileSync(log, 'utf8').trim().split('\n')
  assert.equal(words(), ['prestart', 'createRuntime', 'createContainer'])
  await box.start()
  assert.equal(words().slice(3), ['startContainer', 'program', 'poststart'])
  await box.delete('--force')
  assert.equal(words().slice(6), ['poststop'])
})

for (const kind of HOST_HOOKS) {
  check('B11', `a failing ${kind} hook fails create, and poststop hooks run`, async (box) => {
    const marker = box.path('marker')
    await box.rejected({ '/hooks': { [kind]: [fails], poststop: [shell(`touch ${marker}`)] } })
    assert.ok(existsSync(marker), 'poststop did not run')
  })
}

check('B11', 'of a hook that prints more than there is memory, the end is in the error', async (box) => {
  if (!existsSync('/sys/fs/cgroup/memory/cgroup.procs')) skip('needs the memory controller of cgroup v1')
  // The runtime and its hooks have 100 MB.
  const group = `/sys/fs/cgroup/memory${box.cgroup}-caller`
  mkdirSync(group, { recursive: true })
  writeFileSync(`${group}/memory.limit_in_bytes`, `${100 << 20}`)
  try {
    box.configure({ '/hooks': { createRuntime: [shell('yes | head -c 300M; echo the end >&2; exit 3')] } })
    const words = ['--root', box.stateRoot, 'create', '--bundle', box.bundle, box.id]
    const command = ['sh', '-c', `echo $$ >${group}/cgroup.procs && exec "$@"`, 'sh', ...box.runtime.command, ...words]
    const { status, stderr } = await execute(command, box.path('output'))
    assert.ok(status > 0, `${status}`)
    assert.match(stderr, /the end/)
  } finally {
    removeCgroup(group)
  }
})

check('B11', 'a hook that prints without end is ended by its timeout', async (box) => {
  const said = await box.rejected({ '/hooks': { createRuntime: [{ ...shell('exec yes'), timeout: 1 }] } })
  assert.ok(said.length < 100_000, `${said.length} characters of an error`)
})

check('B11', 'a hook that leaves a process behind is not waited for beyond its end', async (box) => {
  const left = box.path('left')
  const began = Date.now()
  await box.create({ '/hooks': { createRuntime: [shell(`sleep 15 & echo $! >${left}`)] } })
  const took = Date.now() - began
  process.kill(Number(readFileSync(left, 'utf8')), 'SIGKILL')
  assert.ok(took < 10_000, `it took ${took} ms`)
})

for (const command of ['start', 'run', 'run --detach']) {
  check('B12', `a container that is killed in a startContainer hook fails ${command}`, async (box) => {
    const marker = box.path('marker')
    const edits = {
      '/mounts/-': bindFolder(box),
      // As the first process of a pid namespace it would not hear what is sent from inside.
      '/linux/namespaces': NAMESPACES.filter(({ type }) => type !== 'pid'),
      '/process/args': ['touch', '/data/ran'],
      '/hooks': { startContainer: [shell('kill -9 $PPID; sleep 1')], poststop: [shell(`touch ${marker}`)] },
    }
    if (command === 'start') {
      await box.create(edits)
      failed(await box.command(['start', box.id]))
      await box.command(['delete', '--force', box.id])
    } else failed(await box.run(edits, command.split(' ').slice(1)))
    assert.not.ok(existsSync(box.path('ran')), 'the program ran')
    assert.ok(existsSync(marker), 'poststop did not run')
    box.assertNothingLeft()
  })
}

check('B12', 'a failing startContainer hook fails start, and the container is stopped', async (box) => {
  const marker = box.path('marker')
  await box.create({
    '/mounts/-': bindFolder(box),
    '/process/args': ['touch', '/data/ran'],
    '/hooks': { startContainer: [shell('exit 3')], poststop: [shell(`touch ${marker}`)] },
  })
  failed(await box.command(['start', box.id]))
  await box.command(['delete', '--force', box.id])
  assert.not.ok(existsSync(box.path('ran')), 'the program ran')
  assert.ok(existsSync(marker), 'poststop did not run')
  box.assertNothingLeft()
})

check('B13', 'a failing poststart hook fails start, and the container is stopped', async (box) => {
  await box.create({ '/process/args': ['sleep', '100'], '/hooks': { poststart: [fails] } })
  const { pid } = await box.state()
  failed(await box.command(['start', box.id]))
  const status = () => (existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : 'State: Z')
  await waitUntil(() => /State:\s+[ZX]/.test(status()), 'the program is running')
})

check('B14', 'a failing poststop hook is a warning, and the others run', async (box) => {
  const marker = box.path('marker')
  await box.create({ '/hooks': { poststop: [fails, shell(`touch ${marker}`)] } })
  await box.delete('--force')
  assert.ok(existsSync(marker))
  box.assertNothingLeft()
})

check('E1', 'a relative path is refused', async (box) => {
  const marker = box.path('marker')
  await box.rejected({ '/hooks': { createRuntime: [{ path: 'touch', args: ['touch', marker], env: ENV }] } })
  assert.not.ok(existsSync(marker), 'it ran')
})

check('0.17', 'a relative path is refused for its being relative', async (box) => {
  // poststop hooks don't run in create, so only a look at the path can find this one.
  await box.rejected({ '/hooks': { poststop: [{ path: 'true', env: ENV }] } })
})

for (const timeout of [0, -1]) {
  check('0.16', `a timeout of ${timeout} is refused`, async (box) => {
    const marker = box.path('marker')
    await box.rejected({ '/hooks': { poststop: [{ ...shell(`touch ${marker}`), timeout }] } })
  })
}

check('E1', 'a hook that takes longer than its timeout is killed, and create fails', async (box) => {
  const started = Date.now()
  await box.rejected({ '/hooks': { createRuntime: [{ ...shell('exec sleep 5'), timeout: 1 }] } })
  assert.ok(Date.now() - started < 4500, 'it was waited for')
})

check('E1', 'a hook that does not exist fails create', async (box) => {
  await box.rejected({ '/hooks': { createRuntime: [{ path: '/no/such/hook' }] } })
})

check('E2', 'hooks of a kind run in their order, each with the state on its standard input', async (box) => {
  const note = (name: string) => shell(`cat >${box.path(name)}; echo ${name} >>${box.path('order')}`)
  await box.create({ '/annotations': { a: 'b' }, '/hooks': { createRuntime: ['one', 'two', 'three'].map(note) } })
  assert.is(readFileSync(box.path('order'), 'utf8'), 'one\ntwo\nthree\n')
  const { pid } = await box.state()
  for (const name of ['one', 'two', 'three']) {
    const state = JSON.parse(readFileSync(box.path(name), 'utf8'))
    assert.match(state.ociVersion, /^1\.\d+\.\d+/)
    const { id, bundle, annotations } = state
    assert.equal(
      { id, bundle, annotations, pid: state.pid },
      { id: box.id, bundle: box.bundle, annotations: { a: 'b' }, pid },
    )
  }
})

const links = (to: string) => `readlink /proc/self/ns/mnt /proc/self/ns/uts /proc/self/ns/net >${to}`
const ownNamespaces = () => ['mnt', 'uts', 'net'].map((name) => readlinkSync(`/proc/self/ns/${name}`))
const read = (file: string) => readFileSync(file, 'utf8').trim().split('\n')

check('E3', 'prestart and createRuntime hooks run in the namespaces of the runtime', async (box) => {
  await box.create({
    '/hooks': { prestart: [shell(links(box.path('a')))], createRuntime: [shell(links(box.path('b')))] },
  })
  // uts and net: a runtime may have been given a mount namespace of its own for this test.
  assert.equal(read(box.path('a')).slice(1), ownNamespaces().slice(1))
  assert.equal(read(box.path('b')).slice(1), ownNamespaces().slice(1))
})

check('E3', 'a createRuntime hook can enter the network namespace by the pid of the state', async (box) => {
  const script = `pid=$(sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p'); readlink /proc/$pid/ns/net >${box.path('net')}`
  await box.create({ '/hooks': { createRuntime: [shell(script)] } })
  const { pid } = await box.state()
  assert.is(read(box.path('net'))[0], readlinkSync(`/proc/${pid}/ns/net`))
})

check('E4', 'a createContainer hook is a program of the host in the namespaces of the container', async (box) => {
  const script = `${links(box.path('seen'))}; test -e ${box.rootfs}/proc/self && echo mounted >>${box.path('seen')}`
  await box.create({ '/hooks': { createContainer: [shell(script)] } })
  const { pid } = await box.state()
  const [mount, uts, net, mounted] = read(box.path('seen'))
  const of = (name: string) => readlinkSync(`/proc/${pid}/ns/${name}`)
  assert.equal([mount, uts, net], [of('mnt'), of('uts'), of('net')])
  assert.is(mounted, 'mounted', 'the mounts of the container are not there')
})

check('B4', 'the pid in the state of a createContainer hook is as the container sees it', async (box) => {
  await box.create({ '/hooks': { createContainer: [shell(`cat >${box.path('told')}`)] } })
  assert.is(JSON.parse(readFileSync(box.path('told'), 'utf8')).pid, 1)
})

check('E5', 'a startContainer hook is a program of the container', async (box) => {
  writeFileSync(`${box.rootfs}/only-inside`, '#!/bin/sh\nhostname >/hooked\n', { mode: 0o755 })
  await box.create({ '/hooks': { startContainer: [{ path: '/only-inside', env: ['PATH=/bin'] }] } })
  assert.not.ok(existsSync(`${box.rootfs}/hooked`), 'it ran in create')
  await box.start()
  assert.is(await box.waitForFile(`${box.rootfs}/hooked`), 'conformance\n')
})

check('0.20', 'the status in the state of a poststart hook is running', async (box) => {
  await box.create({
    '/process/args': ['sleep', '100'],
    '/hooks': { poststart: [shell(`cat >${box.path('told')}`)] },
  })
  await box.start()
  assert.is(JSON.parse(readFileSync(box.path('told'), 'utf8')).status, 'running')
})

check('E6', 'start waits for poststart hooks', async (box) => {
  await box.create({
    '/process/args': ['sleep', '100'],
    '/hooks': { poststart: [shell(`sleep 0.2; touch ${box.path('marker')}`)] },
  })
  await box.start()
  assert.ok(existsSync(box.path('marker')))
})

check('E7', 'poststop hooks run once process and cgroups are gone', async (box) => {
  const [pidFile, left, told] = [box.path('pid'), box.path('left'), box.path('told')]
  const folders = hierarchies().map((hierarchy) => `${hierarchy}${box.cgroup}`)
  const script =
    `cat >${told}; ls -d ${folders.join(' ')} 2>/dev/null >${left}; ` +
    `grep -s '^State:' /proc/$(cat ${pidFile})/status | grep -v '[ZX] (' >>${left}`
  await box.create({ '/hooks': { poststop: [shell(script)] } }, ['--pid-file', pidFile])
  await box.delete()
  assert.is(readFileSync(left, 'utf8'), '')
  assert.is(JSON.parse(readFileSync(told, 'utf8')).status, 'stopped')
})

check('E8', 'args are argv, the first as well', async (box) => {
  const hook = { path: '/bin/sh', args: ['another-name', '-c', `echo "$0 $1" >${box.path('args')}`, 'zero', 'one'] }
  await box.create({ '/hooks': { createRuntime: [hook] } })
  assert.is(readFileSync(box.path('args'), 'utf8'), 'zero one\n')
})

check('E8', 'env is the whole environment', async (box) => {
  const dump = `exec cat /proc/self/environ >${box.path('env')}`
  const hook = { path: '/bin/sh', args: ['sh', '-c', dump], env: ['PATH=/usr/bin:/bin', 'A=b=c'] }
  await box.create({ '/hooks': { createRuntime: [hook] } }, [], { env: { SECRET: 'of the caller' } })
  const names = readFileSync(box.path('env'), 'utf8').split('\0').filter(Boolean)
  // The shell adds a few of its own to what it executes.
  const own = names.filter((entry) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(entry))
  assert.equal(own.sort(), ['A=b=c', 'PATH=/usr/bin:/bin'])
})

for (const kind of ['prestart', 'createRuntime', 'poststop'] as const) {
  check('K3', `a ${kind} hook without env has the environment of the runtime`, async (box) => {
    const hook = { path: '/bin/sh', args: ['sh', '-c', `echo "<$WORD>" >${box.path('env')}`] }
    await box.create({ '/hooks': { [kind]: [hook] } }, [], { env: { WORD: 'of the caller' } })
    succeeded(await box.command(['delete', '--force', box.id], { env: { WORD: 'of the caller' } }))
    assert.is(readFileSync(box.path('env'), 'utf8'), '<of the caller>\n')
  })
}

check('0.18', 'an empty env is an empty environment', async (box) => {
  const hook = { path: '/bin/sh', args: ['sh', '-c', `echo "<$WORD>" >${box.path('env')}`], env: [] }
  await box.create({ '/hooks': { createRuntime: [hook] } }, [], { env: { WORD: 'of the caller' } })
  assert.is(readFileSync(box.path('env'), 'utf8'), '<>\n')
})

check('K3', 'a startContainer hook without env has the environment of the program', async (box) => {
  const hook = { path: '/bin/sh', args: ['sh', '-c', 'echo "$ONE $HOME" >/tmp/env'] }
  const edits = { '/hooks': { startContainer: [hook] }, '/process/env': ['PATH=/bin', 'ONE=two'] }
  assert.is(await box.sh('cat /tmp/env', edits, [], { env: { ONE: 'of the caller' } }), 'two /root')
})

check('K3', 'a createContainer hook without env sees nothing of the environment of the runtime', async (box) => {
  const hook = { path: '/bin/sh', args: ['sh', '-c', `echo "<$WORD>" >${box.path('env')}`] }
  await box.create({ '/hooks': { createContainer: [hook] } }, [], { env: { WORD: 'of the caller' } })
  assert.is(readFileSync(box.path('env'), 'utf8'), '<>\n')
})

check('K3', 'a createContainer hook works in the root file system', async (box) => {
  const hook = { ...shell(`pwd >${box.path('cwd')}; ls -di . >>${box.path('cwd')}`) }
  await box.create({ '/hooks': { createContainer: [hook] } })
  const [place, folder = ''] = readFileSync(box.path('cwd'), 'utf8').split('\n')
  assert.is(place, box.rootfs)
  assert.is(folder.trim().split(' ')[0], `${statSync(box.rootfs).ino}`)
})

check('E8', 'a long state reaches every hook', async (box) => {
  const words = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`word.${index}`, 'ü'.repeat(10_000)]))
  const wants = `wc -c | grep -qx '6[0-9]*'`
  const hook = [{ path: '/bin/busybox', args: ['sh', '-c', wants], env: ENV }]
  await box.create({
    '/annotations': words,
    '/process/args': ['sleep', '100'],
    '/hooks': { createRuntime: hook, createContainer: hook, startContainer: hook, poststart: hook },
  })
  await box.start()
})

const speaks = (end: string) => ({
  path: '/bin/sh',
  args: ['sh', '-c', `echo on standard output; echo on standard error >&2; ${end}`],
  env: ENV,
})
const SAID = /on standard output[\s\S]*on standard error/

for (const kind of HOST_HOOKS) {
  check('K3', `what a failing ${kind} hook printed is in the error of create`, async (box) => {
    assert.match(await box.rejected({ '/hooks': { [kind]: [speaks('exit 3')] } }), SAID)
  })
}

for (const kind of ['startContainer', 'poststart'] as const) {
  check('K3', `what a failing ${kind} hook printed is in the error of start`, async (box) => {
    await box.create({ '/process/args': ['sleep', '100'], '/hooks': { [kind]: [speaks('exit 3')] } })
    assert.match(failed(await box.command(['start', box.id])).stderr, SAID)
  })

  check('K3', `what a failing ${kind} hook printed is in the error of run`, async (box) => {
    const result = await box.run({ '/process/args': ['sleep', '100'], '/hooks': { [kind]: [speaks('exit 3')] } })
    assert.match(failed(result).stderr, SAID)
  })
}

check('K3', 'what a failing poststop hook printed is in a warning of delete', async (box) => {
  await box.create({ '/hooks': { poststop: [speaks('exit 3')] } })
  const { stderr } = await box.command(['delete', '--force', box.id])
  assert.match(stderr, SAID)
})

check('K3', 'a hook that prints without end is cut short', async (box) => {
  const floods = speaks('yes | head -c 1000000; exit 3')
  for (const kind of HOST_HOOKS) {
    const said = await box.rejected({ '/hooks': { [kind]: [floods] } })
    assert.match(said, /y(\n|\\n)y/)
    assert.ok(said.length < 100_000, `${kind}: ${said.length} characters`)
  }
})

check('K3', 'what a hook printed before its time was up is in the error, too', async (box) => {
  const said = await box.rejected({ '/hooks': { createRuntime: [{ ...speaks('exec sleep 5'), timeout: 1 }] } })
  assert.match(said, SAID)
})

const steers = { path: '/bin/sh', args: ['sh', '-c', "printf 'a\\033[2Jb\\233c\\nd\\177'; exit 3"], env: ENV }

for (const kind of [...HOST_HOOKS, 'startContainer'] as const) {
  check('K3', `what a failing ${kind} hook printed doesn't steer the terminal of the caller`, async (box) => {
    const { stderr } = failed(await box.run({ '/hooks': { [kind]: [steers] } }))
    assert.match(stderr, /a.+\[2Jb/)
    assert.not.match(stderr, /[^\P{Cc}\n]/u)
  })
}
