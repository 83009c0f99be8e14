// What engines make of errors: exit status, text on stderr, and the same in --log.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { failed } from '../box.ts'
import { check } from '../case.ts'

check('K3', 'a program that is not in the PATH is told in the words that engines look for', async (box) => {
  const said = await box.rejected({ '/process/args': ['nothing-of-the-kind'] })
  assert.match(said, /executable file .*not found in \$PATH|executable file not found in \$PATH/)
})

check('K3', 'a program whose path does not exist is told so', async (box) => {
  const said = await box.rejected({ '/process/args': ['/bin/nothing-of-the-kind'] })
  assert.match(said, /no such file or directory/i)
})

check('K3', 'a program that may not be executed is told so', async (box) => {
  writeFileSync(`${box.rootfs}/plain`, 'x')
  chmodSync(`${box.rootfs}/plain`, 0o644)
  const said = await box.rejected({ '/process/args': ['/plain'] })
  assert.match(said, /permission denied/i)
})

check('K3', 'a program that is a folder is refused', async (box) => {
  const said = await box.rejected({ '/process/args': ['/etc'] })
  assert.match(said, /permission denied|is a directory|not permitted/i)
})

check('K3', 'a program that is in no format is refused by start', async (box) => {
  writeFileSync(`${box.rootfs}/noise`, '\u0001\u0002\u0003')
  chmodSync(`${box.rootfs}/noise`, 0o755)
  const said = await box.rejected({ '/process/args': ['/noise'] })
  assert.match(said, /exec format error/i)
})

check('K3', 'an error is on stderr and, as a JSON line, in the log', async (box) => {
  const log = box.path('log')
  box.configure({ '/root/path': 'nowhere' })
  const flags = ['--log', log, '--log-format', 'json']
  const { stderr } = failed(await box.command([...flags, 'create', '--bundle', box.bundle, box.id]))
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  const entries = lines.map((line) => JSON.parse(line))
  const last = entries.findLast(({ level }) => level === 'error')
  assert.ok(stderr.includes(last.msg.split('\n')[0]), `${JSON.stringify(last.msg)} is not in ${JSON.stringify(stderr)}`)
  assert.match(last.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/)
})

check('K3', 'a log is appended to', async (box) => {
  const log = box.path('log')
  writeFileSync(log, 'before\n')
  await box.command(['--log', log, 'state', 'nobody'])
  await box.command(['--log', log, 'state', 'nobody'])
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  assert.is(lines[0], 'before')
  assert.ok(lines.length >= 3)
})

check('K3', 'an unknown container is told in the words that engines look for', async (box) => {
  const log = box.path('log')
  await box.command(['--log', log, '--log-format', 'json', 'kill', 'nobody', 'KILL'])
  const last = JSON.parse(readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '')
  assert.match(last.msg, /does not exist/)
})

check('K3', 'an id that is taken is told in the words that engines look for', async (box) => {
  await box.create()
  const { stderr } = failed(await box.tryCreate())
  assert.match(stderr, /container with given ID already exists|already exists/)
})

check('K3', 'an unknown command and an unknown flag are errors', async (box) => {
  failed(await box.command(['frobnicate']))
  failed(await box.command(['state', '--frobnicate', 'x']))
  failed(await box.command(['--frobnicate', 'list']))
})
