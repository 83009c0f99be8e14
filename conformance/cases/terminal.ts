// process.terminal and --console-socket.

import { existsSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { O } from '../../src/linux/open-flags.ts'
import { tryConnectUnix } from '../../src/native/descriptors.ts'
import { close } from '../../src/native/file.ts'
import type { Box } from '../box.ts'
import type { Edits } from '../bundle.ts'
import { check } from '../case.ts'
import { listenForConsole, type Terminal } from '../terminal.ts'

const TERMINAL: Edits = { '/process/terminal': true }

/** Start a script with a terminal, and talk to it. */
async function withTerminal(
  box: Box,
  script: string,
  edits: Edits,
  talk: (terminal: Terminal, payload: string) => Promise<void>,
): Promise<void> {
  using socket = listenForConsole(box.path('console'))
  await box.create({ ...TERMINAL, '/process/args': ['sh', '-c', script], ...edits }, ['--console-socket', socket.path])
  const { terminal, payload } = socket.accept()
  using _ = terminal
  await box.start()
  await talk(terminal, payload)
}

check('D4', 'standard streams are a terminal of the container', async (box) => {
  await withTerminal(box, 'tty; readlink /proc/self/fd/2; echo end', {}, async (terminal) => {
    assert.match(await terminal.until(/end/), /\/dev\/(pts\/0|console)\r\n\/dev\/(pts\/0|console)\r\n/)
  })
})

check('D4', '/dev/console is that terminal', async (box) => {
  await withTerminal(box, 'stat -c %F:%t /dev/console; echo hello >/dev/console; echo end', {}, async (terminal) => {
    const text = await terminal.until(/end/)
    assert.match(text, /character special file:88/)
    assert.match(text, /hello\r\n/)
  })
})

check('D4', 'it is the controlling terminal', async (box) => {
  await withTerminal(box, 'echo through >/dev/tty; echo end', {}, async (terminal) => {
    assert.match(await terminal.until(/end/), /through\r\n/)
  })
})

check('D4', 'what is typed reaches the program', async (box) => {
  await withTerminal(box, 'read word; echo got $word', {}, async (terminal) => {
    terminal.write('something\n')
    await terminal.until(/got something\r\n/)
  })
})

check('D4', 'Ctrl-C is an interrupt', async (box) => {
  const script = `trap 'echo interrupted; exit' INT; echo ready; while true; do sleep 0.02; done`
  await withTerminal(box, script, {}, async (terminal) => {
    await terminal.until(/ready/)
    terminal.write('\u0003')
    await terminal.until(/interrupted/)
  })
})

check('0.30', 'consoleSize is the size of the terminal', async (box) => {
  const size = { '/process/consoleSize': { height: 33, width: 77 } }
  await withTerminal(box, 'stty size; echo end', size, async (terminal) => {
    assert.match(await terminal.until(/end/), /33 77\r\n/)
  })
})

check('K2', 'the message with the terminal names it', async (box) => {
  await withTerminal(box, 'echo end', {}, async (terminal, payload) => {
    await terminal.until(/end/)
    assert.match(payload, /^\/dev\/(ptmx|pts)/)
  })
})

check('K2', 'the terminal belongs to the program user', async (box) => {
  await withTerminal(
    box,
    'stat -L -c %u /proc/self/fd/0; echo end',
    { '/process/user/uid': 1000 },
    async (terminal) => {
      assert.match(await terminal.until(/end/), /1000\r\n/)
    },
  )
})

check('K2', 'create with a terminal needs a console socket', async (box) => {
  await box.rejected(TERMINAL)
})

check('K2', 'a console socket needs a terminal', async (box) => {
  using socket = listenForConsole(box.path('console'))
  await box.rejected({}, ['--console-socket', socket.path])
})

check('K2', 'a console socket that nobody made is an error', async (box) => {
  await box.rejected(TERMINAL, ['--console-socket', box.path('nobody')])
  assert.not.ok(existsSync(box.path('nobody')))
})

check('K2', 'a console socket whose queue is full is an error', async (box) => {
  using socket = listenForConsole(box.path('console'))
  const waiting: number[] = []
  try {
    for (let fd = 0; fd >= 0; ) {
      fd = tryConnectUnix(socket.path, O.NONBLOCK)
      if (fd >= 0) waiting.push(fd)
    }
    await box.rejected(TERMINAL, ['--console-socket', socket.path])
  } finally {
    waiting.forEach(close)
  }
})

check('C12', 'consoleSize without a terminal is ignored', async (box) => {
  assert.is(await box.sh('echo on', { '/process/consoleSize': { height: 10, width: 10 } }), 'on')
})
