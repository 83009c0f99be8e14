import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseHarmless } from './config-file.ts'

test('options of a file become fields of a request', () => {
  const text = '# for this one\ntcp-established\n  ghost-limit=2M\t# large\n\ntimeout 30\npre-dump-mode read'
  const options = { tcp_established: true, ghost_limit: 2 << 20, timeout: 30, pre_dump_mode: 2 }
  assert.equal(parseHarmless(text, 'here'), options)
  assert.equal(parseHarmless('', 'here'), {})
})

test('of two the last counts', () => {
  assert.equal(parseHarmless('timeout 1\ntimeout 2\n', 'here'), { timeout: 2 })
})

test('what may reach the host, or nobody knows, is told by its line', () => {
  const lines = [
    'action-script /x',
    'action-script=/x',
    'lib /x',
    'config /x',
    'log-file x',
    '"tcp-established"',
    'root /',
  ]
  const wrong = [
    'timeout',
    'timeout x',
    'timeout 1 2',
    'tcp-established yes',
    'ghost-limit 4G',
    'network-lock no',
    'toString',
  ]
  for (const line of [...lines, ...wrong]) {
    assert.throws(() => parseHarmless(`file-locks\n${line}\n`, 'here'), /^here: line 2: not an option/, line)
  }
})

test.run()
