// Connections of TCP of a container, checkpointed and restored.

import * as assert from 'uvu/assert'
import { failed, succeeded } from '../box.ts'
import { check } from '../case.ts'
import { COUNTER, OWN_STREAMS, requireNetworkLock, Saved } from '../checkpoint.ts'
import { NetworkNamespace } from '../network-namespace.ts'
import { listenForConsole } from '../terminal.ts'

const PORT = 5000
/** Says what it hears. */
const ECHO = `sh -c 'while read line; do echo got $line; done'`

check('K6', 'a connection of TCP goes on', async (box) => {
  requireNetworkLock(box)
  const saved = new Saved(box)
  using network = await NetworkNamespace.make()
  const script = `${OWN_STREAMS}; nc -l -p ${PORT} -e ${ECHO} & ${COUNTER}`
  await saved.launch({ '/linux/namespaces': network.namespaces }, script)
  await network.listensTo(PORT)
  using connection = network.connect('127.0.0.1', PORT)
  await connection.says('one', /got one/)
  assert.match(failed(await saved.checkpoint()).stderr, box.runtime.name === 'runt' ? /--tcp-established/ : /criu/)
  await connection.says('two', /got two/)
  succeeded(await saved.checkpoint('--tcp-established'))
  connection.send('three')
  await saved.standsStill()
  await saved.restored('--tcp-established')
  await connection.says('four', /got three\ngot four/)
})

check('K6', 'an open connection of TCP and a terminal at once survive checkpoint and restore', async (box) => {
  requireNetworkLock(box)
  const saved = new Saved(box)
  using network = await NetworkNamespace.make()
  const script = `nc -l -p ${PORT} -e ${ECHO} </dev/null >/dev/null 2>&1 & echo ready; count=0
    while read line; do count=$((count+1)); echo "line $count is $line."; done`
  const edits = {
    '/linux/namespaces': network.namespaces,
    '/process/terminal': true,
    '/process/args': ['sh', '-c', script],
  }
  using socket = listenForConsole(box.path('socket'))
  await box.create(edits, ['--console-socket', socket.path])
  const before = socket.accept().terminal
  await box.start()
  await before.until(/ready/)
  before.write('a\n')
  await before.until(/line 1 is a\./)
  await network.listensTo(PORT)
  using connection = network.connect('127.0.0.1', PORT)
  await connection.says('one', /got one/)
  succeeded(await saved.checkpoint('--tcp-established'))
  before[Symbol.dispose]()
  box.assertNothingLeft()
  connection.send('two')
  using again = listenForConsole(box.path('again'))
  await saved.restored('--tcp-established', '--console-socket', again.path)
  using after = again.accept().terminal
  after.write('b\n')
  await after.until(/line 2 is b\./)
  await connection.says('three', /got two\ngot three/)
  // Both are as much its own as before: it is checkpointed once more.
  succeeded(await saved.checkpoint('--tcp-established', '--leave-running'))
  after.write('c\n')
  await after.until(/line 3 is c\./)
  await connection.says('four', /got four/)
})
