// Standard streams of a container, checkpointed and restored: pipes, files, terminals.

import { spawn } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, failed, succeeded } from '../box.ts'
import { check, skip } from '../case.ts'
import { Saved } from '../checkpoint.ts'
import { waitUntil } from '../patience.ts'
import { listenForConsole } from '../terminal.ts'

/** Says what it reads. */
const ECHO = 'echo ready; while read line; do echo "got $line."; done; echo end'

/** The runtime's command in a pipeline of a shell, since pipes of JavaScript engines are sockets. */
function piped(box: Box, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const starter = box.runtime.name === 'runt' ? [] : ['unshare', '-m']
  const command = [...starter, ...box.runtime.command, '--root', box.stateRoot, ...words]
  const script = 'cat | { "$@"; echo "status=$?"; } 2>&1 | cat'
  const child = spawn('sh', ['-c', script, 'sh', ...command], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  let heard = ''
  child.stdout.on('data', (chunk: Buffer) => {
    heard += chunk.toString()
  })
  return {
    write: (text: string) => child.stdin.write(text),
    end: () => child.stdin.end(),
    async until(pattern: RegExp): Promise<string> {
      await waitUntil(
        () => pattern.test(heard),
        () => `no ${pattern} in ${JSON.stringify(heard)}`,
      )
      return heard
    },
  }
}

check('K6', 'pipes of the restored container are those of restore', async (box) => {
  const saved = new Saved(box)
  box.configure({ '/process/args': ['sh', '-c', ECHO] })
  const first = piped(box, ['run', '--detach', '--bundle', box.bundle, box.id])
  await first.until(/ready/)
  first.write('one\n')
  await first.until(/got one\./)
  succeeded(await saved.checkpoint())
  const names: unknown = JSON.parse(readFileSync(`${saved.images}/descriptors.json`, 'utf8'))
  assert.ok(
    Array.isArray(names) && names.length === 3 && names.every((name) => /^pipe:\[\d+\]$/.test(name)),
    `${names}`,
  )
  first.end()
  const folders = ['--image-path', saved.images, '--work-path', saved.work]
  const second = piped(box, ['restore', '--bundle', box.bundle, ...folders, box.id], saved.environment)
  second.write('two\n')
  await second.until(/got two\./)
  second.end()
  const heard = await second.until(/status=/)
  assert.not.match(heard, /got one/)
  assert.match(heard, /end\nstatus=0/)
  box.assertNothingLeft()
})

check('K6', 'a pipe between processes of the container stays between them', async (box) => {
  const saved = new Saved(box)
  // Init's own input is a pipe, by way of another process that has it; the other end is a third one's.
  const script = `: >/data/0; (while :; do echo tick; sleep 0.02; done) | sh -c 'echo $$ >/tmp/pid; exec sleep 1000' &
    while ! test -s /tmp/pid; do sleep 0.01; done
    exec </proc/$(cat /tmp/pid)/fd/0
    i=0; while read tick; do mv /data/$i /data/$((i+1)); i=$((i+1)); done`
  await saved.launch({}, script)
  const { pid } = await box.state()
  assert.match(readlinkSync(`/proc/${pid}/fd/0`), /^pipe:/)
  succeeded(await saved.checkpoint())
  const before = await saved.standsStill()
  await saved.restored()
  await saved.counts(before)
})

check('K6', 'output into a file of the host goes on in the file of restore', async (box) => {
  if (box.runtime.name !== 'runt') skip('runc leaves it to criu, which refuses files of the host')
  const saved = new Saved(box)
  await box.create({
    '/process/args': [
      'sh',
      '-c',
      ': >/data/0; i=0; while :; do mv /data/$i /data/$((i+1)); i=$((i+1)); echo $i; sleep 0.02; done',
    ],
  })
  await box.start()
  await saved.counts()
  succeeded(await saved.checkpoint())
  const before = await saved.standsStill()
  const pending = saved.restore()
  await saved.counts(before + 3)
  await box.waitForStatus('running')
  await box.kill('KILL')
  const { stdout } = await pending
  assert.match(stdout, new RegExp(`^${before + 1}\n${before + 2}\n`))
})

check('K6', 'a terminal goes to the console socket of restore', async (box) => {
  const saved = new Saved(box)
  using socket = listenForConsole(box.path('socket'))
  const edits = { '/process/terminal': true, '/process/args': ['sh', '-c', ECHO] }
  await box.create(edits, ['--console-socket', socket.path])
  {
    using terminal = socket.accept().terminal
    await box.start()
    await terminal.until(/ready/)
    terminal.write('one\n')
    await terminal.until(/got one\./)
    succeeded(await saved.checkpoint())
  }
  assert.match(failed(await saved.restore('--detach')).stderr, /console.socket/)
  box.assertNothingLeft()
  using again = listenForConsole(box.path('again'))
  await saved.restored('--console-socket', again.path)
  using terminal = again.accept().terminal
  terminal.write('two\n')
  const heard = await terminal.until(/got two\./)
  assert.not.match(heard, /got one/)
  const { stdout } = succeeded(await box.command(['exec', box.id, 'readlink', '/proc/1/fd/0']))
  assert.match(stdout, /^\/dev\/pts\/\d+$|^\/dev\/console$/m)
})
