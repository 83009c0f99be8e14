// What a person sees of `run` in a terminal, what an engine sees of --console-socket, and what a program gets from either.

import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, Ground, hierarchies, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { type Edits, NAMESPACES } from './bundle.ts'
import { waitUntil } from './patience.ts'
import { Pty, type Running, statusOf } from './pty.ts'
import { findRuntime } from './runtime.ts'
import { listenForConsole } from './terminal.ts'

/** The shell's own descriptors, told without opening any. */
const OPEN = 'for n in 0 1 2 3 4 5 6 7 8 9; do test -e /proc/$$/fd/$n && echo -n "$n "; done'

const reason = missingForTests()

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`terminals (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-terminal-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  testShell(ground)
  testRestored(ground)
  testConsoleSocket(ground)
  testForeground(ground)
  testExec(ground)
  testClosed(ground)
  testFlags(ground)
  testPreserved(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function commandOf(box: Box, ...args: readonly string[]): string[] {
  return [...box.runtime.command, '--root', box.stateRoot, ...args]
}

function runIn(pty: Pty, box: Box, edits: Edits): Running {
  box.configure({ '/process/terminal': true, ...edits })
  return pty.start(commandOf(box, 'run', '--bundle', box.bundle, box.id))
}

function script(text: string): Edits {
  return { '/process/args': ['sh', '-c', text] }
}

const PROMPT = /\/ # /

function testShell(ground: Ground): void {
  test('spec and run give a shell that behaves like a local one', async () => {
    await using box = new Box(ground)
    using pty = new Pty(33, 101)
    succeeded(await box.command(['spec'], { cwd: box.bundle }))
    const before = pty.settings()
    const { terminal } = pty
    const running = pty.start(commandOf(box, 'run', box.id), box.bundle)
    await terminal.until(PROMPT)
    assert.is.not(pty.settings(), before, 'the terminal is not raw')
    terminal.write('echo sum$((40+2)).\n')
    assert.match(await terminal.until(/sum42\./), /echo sum\$\(\(40\+2\)\)\.\r\n/)
    terminal.write('stty size; hostname\n')
    await terminal.until(/33 101\r\nrunt\r\n/)
    pty.resize(44, 122)
    await sleep(100)
    terminal.write('stty size\n')
    await terminal.until(/44 122\r\n/)
    terminal.write('sleep 30; echo status=$?.\n')
    await sleep(100)
    terminal.write('\x03')
    terminal.write('echo status=$?.\n')
    await terminal.until(/status=130\./)
    terminal.write('cat\n')
    await sleep(100)
    terminal.write('line\n')
    await terminal.until(/line\r\nline\r\n/)
    terminal.write('\x04')
    await sleep(100)
    terminal.write('(sleep 5 & wait) & sleep 0.1; tty; exit 7\n')
    assert.is(await running.status, 7)
    assert.is(pty.settings(), before, 'the terminal is not as it was')
    box.assertNothingLeft()
    for (const hierarchy of hierarchies()) assert.not.ok(existsSync(`${hierarchy}/${box.id}`), hierarchy)
  })

  test('all that a program writes before it ends is there', async () => {
    for (let round = 0; round < 8; round++) {
      await using box = new Box(ground)
      using pty = new Pty(24, 80)
      if (round % 2 === 1) pty.makeNonBlocking()
      const running = runIn(pty, box, script('head -c 50000 /dev/zero | tr "\\0" x; echo "<end>"'))
      if (round % 2 === 1) await sleep(100) // it fills up meanwhile
      const text = await pty.terminal.until(/<end>/)
      assert.is(text.replace(/[^x]/g, '').length, 50_000)
      assert.is(await running.status, 0)
    }
  })

  test('a pipe gets the lines that the program wrote, a terminal shows them', async () => {
    await using box = new Box(ground)
    assert.is(
      succeeded(await box.run({ '/process/terminal': true, ...script('tty; echo two') })).stdout,
      '/dev/pts/0\ntwo\n',
    )
    await box.launch('exec sleep 100')
    const words = ['sh', '-c', 'tty; echo two']
    assert.is(succeeded(await box.command(['exec', '-t', box.id, ...words])).stdout, '/dev/pts/0\ntwo\n')
    using pty = new Pty(24, 80)
    pty.start(commandOf(box, 'exec', '-t', box.id, ...words))
    assert.is(await pty.terminal.until(/two\r?\n/), '/dev/pts/0\r\ntwo\r\n')
  })

  test('the terminal is /dev/console, the controlling one, and the only one open', async () => {
    await using box = new Box(ground)
    using pty = new Pty(24, 80)
    const text = `test -t 0 && test -t 1 && test -t 2 && echo three
      test $(stat -c %t:%T /dev/console) = $(stat -L -c %t:%T /proc/self/fd/0) && echo console
      echo by-tty > /dev/tty; echo by-console > /dev/console; ${OPEN}; echo "<end>"`
    const running = runIn(pty, box, script(text))
    const got = await pty.terminal.until(/<end>/)
    for (const word of ['three', 'console', 'by-tty', 'by-console', '0 1 2']) assert.ok(got.includes(word), got)
    assert.not.match(got, /0 1 2 [3-9] /)
    assert.is(await running.status, 0)
  })
}

function testRestored(ground: Ground): void {
  const waiting = 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done'

  test("the caller's terminal is as before on every way out", async () => {
    type Way = (box: Box, running: Running) => Promise<unknown>
    const ways: [what: string, expected: number | string, edits: Edits, way: Way | undefined][] = [
      ['the program ends', 0, script('echo ready'), undefined],
      ['the program fails', 3, script('echo ready; exit 3'), undefined],
      ['the container is killed', 137, script(waiting), (box) => box.kill('KILL')],
      ['the container is deleted', 137, script(waiting), (box) => box.delete('--force')],
      ['runt is told to end', 5, script(waiting), async (_box, { child }) => child.kill('SIGTERM')],
      ['there is no such program', 1, { '/process/args': ['nowhere'] }, undefined],
      ['a mount fails', 1, { '/mounts/-': { destination: '/x', source: '/nowhere', options: ['bind'] } }, undefined],
      ['a hook fails', 1, { '/hooks/startContainer': [{ path: '/bin/false' }] }, undefined],
      ['a hook fails later', 1, { ...script(waiting), '/hooks/poststart': [{ path: '/bin/false' }] }, undefined],
    ]
    for (const [what, expected, edits, way] of ways) {
      await using box = new Box(ground)
      using pty = new Pty(24, 80)
      const before = pty.settings()
      const running = runIn(pty, box, edits)
      if (way !== undefined) {
        await pty.terminal.until(/ready/)
        await way(box, running)
      }
      assert.is(await running.status, expected, what)
      assert.is(pty.settings(), before, what)
      box.assertNothingLeft()
    }
  })

  test('when the window is closed, the shell ends and nothing is left', async () => {
    for (const text of [undefined, 'trap "" HUP; echo ready; while echo more; do sleep 0.02; done']) {
      await using box = new Box(ground)
      using pty = new Pty(24, 80)
      const running = runIn(pty, box, text === undefined ? { '/process/args': ['sh'] } : script(text))
      await pty.terminal.until(text === undefined ? PROMPT : /ready/)
      pty.hangUp()
      const late = sleep(5000).then(() => 'late')
      assert.is.not(await Promise.race([running.status, late]), 'late', `${text ?? 'a shell'} goes on`)
      box.assertNothingLeft()
    }
  })
}

function testConsoleSocket(ground: Ground): void {
  test("--console-socket gets the terminal's master, sized as the config says", async () => {
    await using box = new Box(ground)
    using socket = listenForConsole(box.path('console'))
    const edits = {
      '/process/terminal': true,
      '/process/consoleSize': { height: 20, width: 70 },
      ...script('stty size; read line; echo "got $line"; echo by-console > /dev/console'),
    }
    await box.create(edits, ['--console-socket', socket.path])
    const { terminal, payload } = socket.accept()
    using _terminal = terminal
    assert.is(payload, '/dev/ptmx')
    await box.start()
    terminal.write('a line\n')
    assert.match(await terminal.until(/by-console/), /20 70\r\n[\s\S]*got a line\r\n/)
    await box.waitForStatus('stopped')
  })

  test('a create that fails has connected to the console socket once at most', async () => {
    await using box = new Box(ground)
    using socket = listenForConsole(box.path('console'))
    const missing = { '/process/terminal': true, '/process/args': ['/nowhere'] }
    const { status } = await box.tryCreate(missing, ['--console-socket', socket.path])
    assert.is.not(status, 0)
    let connections = 0
    for (; connections < 3; connections++) {
      try {
        closeSync(socket.acceptDescriptor().descriptor)
      } catch {
        break
      }
    }
    assert.is(connections, 1)
  })

  test('--pidfd-socket gets the pidfd of init', async () => {
    await using box = new Box(ground)
    using socket = listenForConsole(box.path('pidfd'))
    await box.create(script('true'), ['--pidfd-socket', socket.path])
    const { descriptor } = socket.acceptDescriptor()
    const { pid } = await box.state()
    const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')
    closeSync(descriptor)
    assert.match(info, new RegExp(`^Pid:\\t${pid}$`, 'm'))
  })

  test('a pidfd socket that nobody made is an error, and nothing is left', async () => {
    await using box = new Box(ground)
    const result = await box.tryCreate(script('true'), ['--pidfd-socket', box.path('nobody')])
    assert.is(result.status, 1)
    assert.match(result.stderr, /nobody.*ENOENT/)
    assert.is((await box.command(['state', box.id])).status, 1)
  })

  test("the socket's path may be longer than an address", async () => {
    await using box = new Box(ground)
    const folder = box.path(`${'long'.repeat(30)}/${'longer'.repeat(20)}`)
    mkdirSync(folder, { recursive: true })
    const fd = openSync(folder, constants.O_RDONLY)
    using socket = listenForConsole(`/proc/self/fd/${fd}/console`)
    closeSync(fd)
    await box.create({ '/process/terminal': true, ...script('echo there') }, ['--console-socket', `${folder}/console`])
    using terminal = socket.accept().terminal
    await box.start()
    await terminal.until(/there/)
  })

  test('flags that contradict the config are refused', async () => {
    await using socketBox = new Box(ground)
    using socket = listenForConsole(socketBox.path('console'))
    writeFileSync(socketBox.path('file'), '')
    const withSocket = ['--console-socket', socket.path]
    const cases: [terminal: boolean, command: string, flags: string[], said: RegExp][] = [
      [true, 'create', [], /cannot allocate terminal/],
      [true, 'run', ['--detach'], /cannot allocate terminal/],
      [false, 'create', withSocket, /cannot use console socket/],
      [false, 'run', withSocket, /cannot use console socket/],
      [false, 'run', ['--detach', ...withSocket], /cannot use console socket/],
      [true, 'run', withSocket, /cannot use console socket/],
      [true, 'create', ['--console-socket', socketBox.path('nowhere')], /console socket .*nowhere.*ENOENT/],
      [true, 'create', ['--console-socket', socketBox.path('file')], /console socket .*file.*ECONNREFUSED/],
    ]
    for (const [terminal, command, flags, said] of cases) {
      await using box = new Box(ground)
      box.configure({ '/process/terminal': terminal })
      const { status, stderr } = await box.command([command, '--bundle', box.bundle, ...flags, box.id])
      assert.is.not(status, 0, `${command} ${flags}`)
      assert.match(stderr, said, `${command} ${flags}`)
      box.assertNothingLeft()
    }
  })
}

interface Piped {
  readonly child: ChildProcess
  readonly status: Promise<number | string>
  output(): string
  until(pattern: RegExp): Promise<void>
}

/** run without a terminal, its streams being pipes. */
function runPiped(box: Box, edits: Edits, flags: readonly string[] = []): Piped {
  box.configure(edits)
  return piped(box, 'run', '--bundle', box.bundle, ...flags, box.id)
}

function piped(box: Box, ...words: readonly string[]): Piped {
  const [program = '', ...args] = commandOf(box, ...words)
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  return {
    child,
    status: statusOf(child),
    output: () => text,
    async until(pattern) {
      await waitUntil(
        () => pattern.test(text),
        () => `no ${pattern} in ${JSON.stringify(text)}`,
      )
    },
  }
}

const WITHOUT_PIDS = { '/linux/namespaces': NAMESPACES.filter(({ type }) => type !== 'pid') }

function testForeground(ground: Ground): void {
  test('signals of runt are for the program', async () => {
    await using box = new Box(ground)
    const names = ['HUP', 'INT', 'QUIT', 'USR1', 'USR2', 'TERM'] as const
    const traps = names.map((name) => `trap "echo got ${name}." ${name}`).join('; ')
    const run = runPiped(box, script(`${traps}; trap "exit 9" ALRM; echo ready; while :; do sleep 0.02; done`))
    await run.until(/ready/)
    for (const name of names) {
      run.child.kill(`SIG${name}`)
      await run.until(new RegExp(`got ${name}\\.`))
    }
    run.child.kill('SIGALRM')
    assert.is(await run.status, 9)
    box.assertNothingLeft()
  })

  test('a program that a signal ended gives 128 and its number', async () => {
    for (const [signal, expected] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
      ['SIGHUP', 129],
      ['SIGUSR1', 138],
    ] as const) {
      await using box = new Box(ground)
      const run = runPiped(box, { ...WITHOUT_PIDS, ...script('echo ready; exec sleep 60') })
      await run.until(/ready/)
      await sleep(20)
      run.child.kill(signal)
      assert.is(await run.status, expected, signal)
      box.assertNothingLeft()
    }
    await using box = new Box(ground)
    const run = runPiped(box, script('echo ready; sleep 60'))
    await run.until(/ready/)
    await box.kill('KILL')
    assert.is(await run.status, 137)
  })

  test('orphans of the container are buried while it runs, and end with it', async () => {
    await using box = new Box(ground)
    const text = 'for i in 1 2 3 4 5; do (sleep 0.01 &); done; (sleep 60 &); sleep 0.3; echo ready; read line'
    const run = runPiped(box, { ...WITHOUT_PIDS, ...script(text) })
    await run.until(/ready/)
    const children = childrenOf(run.child.pid)
    assert.equal(
      children.filter((pid) => stateOf(pid) === 'Z'),
      [],
    )
    assert.ok(children.length >= 2, `${children}`) // the first process, and the orphan that sleeps
    run.child.stdin?.end('\n')
    assert.is(await run.status, 0)
    box.assertNothingLeft()
    const left = children.map(stateOf).filter((state) => state !== undefined && state !== 'Z')
    assert.equal(left, [])
  })

  test('pipes pass all bytes and their end', async () => {
    await using box = new Box(ground)
    const run = runPiped(box, script('cat | wc -c'))
    run.child.stdin?.end('x'.repeat(300_000))
    assert.is(await run.status, 0)
    assert.is(run.output(), '300000\n')
  })

  test('the output of a program that ends at once is whole', async () => {
    for (let round = 0; round < 10; round++) {
      await using box = new Box(ground)
      const run = runPiped(box, script('head -c 60000 /dev/zero | tr "\\0" x; echo "<end>"'))
      run.child.stdin?.end()
      assert.is(await run.status, 0)
      assert.is(run.output().length, 60_006)
    }
  })
}

function testExec(ground: Ground): void {
  test('exec --tty gives a shell that behaves like a local one', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60')
    using pty = new Pty(33, 101)
    const before = pty.settings()
    const { terminal } = pty
    const running = pty.start(commandOf(box, 'exec', '--tty', box.id, 'sh'))
    await terminal.until(PROMPT)
    assert.is.not(pty.settings(), before, 'the terminal is not raw')
    terminal.write('stty size; hostname; tty\n')
    await terminal.until(/33 101\r\nconformance\r\n\/dev\/pts\/0\r\n/)
    pty.resize(44, 122)
    await sleep(100)
    terminal.write('stty size\n')
    await terminal.until(/44 122\r\n/)
    terminal.write('sleep 30\n')
    await sleep(100)
    terminal.write('\x03')
    terminal.write('echo status=$?.\n')
    await terminal.until(/status=130\./)
    terminal.write('exit 7\n')
    assert.is(await running.status, 7)
    assert.is(pty.settings(), before, 'the terminal is not as it was')
    assert.is((await box.state()).status, 'running')
  })

  test('several terminals of one container know nothing of each other', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60')
    using one = new Pty(24, 80)
    using other = new Pty(24, 80)
    const first = one.start(commandOf(box, 'exec', '-t', box.id, 'sh', '-c', 'tty; read word; echo got $word; exit 3'))
    await one.terminal.until(/pts\/0/)
    const second = other.start(commandOf(box, 'exec', '-t', box.id, 'sh', '-c', 'tty; read word; echo got $word'))
    await other.terminal.until(/pts\/1/)
    one.terminal.write('one\n')
    assert.not.match(await one.terminal.until(/got one/), /other/)
    assert.is(await first.status, 3)
    other.terminal.write('other\n')
    await other.terminal.until(/got other/)
    assert.is(await second.status, 0)
  })

  test('when the window of an exec is closed, its shell ends and the container goes on', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60')
    using pty = new Pty(24, 80)
    const running = pty.start(commandOf(box, 'exec', '--tty', box.id, 'sh'))
    await pty.terminal.until(PROMPT)
    pty.hangUp()
    await running.status
    await sleep(100)
    const { pid, status } = await box.state()
    assert.is(status, 'running')
    assert.is(box.knob('pids', 'cgroup.procs'), `${pid}`)
  })

  test('signals of an exec in the foreground are for its program', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60')
    const text = 'trap "echo got USR1." USR1; trap "exit 9" TERM; echo ready; while :; do sleep 0.02; done'
    const run = piped(box, 'exec', box.id, 'sh', '-c', text)
    await run.until(/ready/)
    run.child.kill('SIGUSR1')
    await run.until(/got USR1\./)
    run.child.kill('SIGTERM')
    assert.is(await run.status, 9)
    assert.is((await box.state()).status, 'running')
  })

  test('runt that is killed while it waits leaves the program of an exec to the container', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60')
    const run = piped(box, 'exec', box.id, 'sh', '-c', 'echo ready; exec sleep 60')
    await run.until(/ready/)
    const gone = new Promise((resolve) => run.child.on('exit', resolve))
    run.child.kill('SIGKILL')
    await gone
    assert.is(box.knob('pids', 'cgroup.procs').split('\n').length, 2)
    await box.kill('KILL')
    await box.waitForStatus('stopped')
  })
}

function testClosed(ground: Ground): void {
  test('streams that the caller has closed are the null device inside, and nothing else', async () => {
    for (const closed of ['<&-', '>&-', '<&- >&-', '<&- >&- 2>&-']) {
      await using box = new Box(ground)
      const text = 'for n in 0 1 2; do stat -L -c %F /proc/$$/fd/$n; done > /data/streams; echo written; cat; true'
      box.configure(script(text))
      const create = commandOf(box, 'create', '--bundle', box.bundle, box.id).join(' ')
      const caller = spawn('sh', ['-c', `exec ${create} ${closed}`], { stdio: ['ignore', 'ignore', 'inherit'] })
      assert.is(await statusOf(caller), 0, closed)
      const { pid } = await box.state()
      for (const fd of [0, 1]) assert.is(readlinkSync(`/proc/${pid}/fd/${fd}`), '/dev/null', `${fd} with ${closed}`)
      if (closed.includes('2>')) assert.is(readlinkSync(`/proc/${pid}/fd/2`), '/dev/null')
      await box.start()
      await box.waitForStatus('stopped')
      const device = 'character special file'
      assert.match(readFileSync(`${box.rootfs}/data/streams`, 'utf8'), new RegExp(`^${device}\\n.*\\n`), closed)
      await box.delete()
    }
  })
}

function childrenOf(pid: number | undefined): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean),
  )
}

function stateOf(pid: string): string | undefined {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ''
  return stat.slice(stat.lastIndexOf(')') + 2)[0]
}

function testFlags(ground: Ground): void {
  test('--detach leaves the container running', async () => {
    await using box = new Box(ground)
    const flags = ['--detach', '--pid-file', box.path('pid')]
    const result = await box.run({ '/process/args': ['sleep', '60'] }, flags)
    assert.is(succeeded(result).stdout, '')
    const { status, pid } = await box.state()
    assert.is(status, 'running')
    assert.is(readFileSync(box.path('pid'), 'utf8'), `${pid}`)
    await box.delete('--force')
    box.assertNothingLeft()
  })

  test('--keep leaves the record of a container that has ended', async () => {
    await using box = new Box(ground)
    assert.is((await box.run(script('exit 4'), ['--keep'])).status, 4)
    assert.is((await box.state()).status, 'stopped')
    await box.delete()
    box.assertNothingLeft()
  })

  test('--pid-file is replaced as a whole, and holds the pid without a newline', async () => {
    await using box = new Box(ground)
    const folder = box.path('pids')
    mkdirSync(folder)
    writeFileSync(`${folder}/pid`, 'old')
    linkSync(`${folder}/pid`, `${folder}/kept`)
    await box.create({}, ['--pid-file', `${folder}/pid`])
    assert.is(readFileSync(`${folder}/pid`, 'utf8'), `${(await box.state()).pid}`)
    assert.is(readFileSync(`${folder}/kept`, 'utf8'), 'old')
    assert.equal(readdirSync(folder).sort(), ['kept', 'pid'])
    assert.is(statSync(`${folder}/pid`).mode & 0o777, 0o644)
    await box.delete()
  })

  test("a --pid-file that can't be written is told, and nothing is left", async () => {
    await using box = new Box(ground)
    for (const path of [box.path('nowhere/pid'), box.folder]) {
      const { status, stderr } = await box.tryCreate({}, ['--pid-file', path])
      assert.is.not(status, 0)
      assert.ok(stderr.includes(path), stderr)
      box.assertNothingLeft()
    }
  })
}

function testPreserved(ground: Ground): void {
  const listing = script(`${OPEN}; cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_PID`)

  test('--preserve-fds passes descriptors from 3 on, and nothing else', async () => {
    await using box = new Box(ground)
    const [one, two, three] = filesOf(box)
    const result = await box.run(listing, ['--preserve-fds', '2'], { descriptors: [one, two, three, three, three] })
    for (const fd of [one, two, three]) closeSync(fd)
    assert.is(succeeded(result).stdout, '0 1 2 3 4 one\ntwo\n\n')
    for (const flags of [['3'], ['1000']]) {
      const refused = await box.run(listing, ['--preserve-fds', ...flags], { descriptors: [] })
      assert.match(refused.stderr, /descriptor 3 is not open in the caller/)
      box.assertNothingLeft()
    }
  })

  test("LISTEN_FDS of a caller that means runt is the program's", async () => {
    await using box = new Box(ground)
    const [one, two, three] = filesOf(box)
    const descriptors = [one, two, three]
    const starter = ['sh', '-c', 'LISTEN_FDS=2 LISTEN_PID=$$ exec "$@"', 'listener']
    const result = await box.run(listing, [], { descriptors, starter })
    assert.is(succeeded(result).stdout, '0 1 2 3 4 one\ntwo\n2 1\n')
    for (const fd of descriptors) closeSync(fd)
  })
}

function filesOf(box: Box): [number, number, number] {
  const open = (name: string): number => {
    writeFileSync(box.path(name), `${name}\n`)
    return openSync(box.path(name), 'r')
  }
  return [open('one'), open('two'), open('three')]
}

test.run()
