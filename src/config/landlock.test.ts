import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseLandlock } from './landlock.ts'

const NOTHING = { handledAccessFS: undefined, handledAccessNet: [], scoped: [], paths: [], ports: [] }

test('what is left out: all of the file system is handled, and nothing else', () => {
  assert.equal(parseLandlock('{}'), NOTHING)
})

test('rules', () => {
  const rules = {
    handledAccessFS: ['execute', 'read_file'],
    handledAccessNet: ['bind_tcp'],
    scoped: ['signal', 'abstract_unix_socket'],
    paths: [{ paths: ['/bin', '/lib'], access: ['execute'] }],
    ports: [{ ports: [0, 65535], access: ['bind_tcp'] }],
  }
  assert.equal(parseLandlock(JSON.stringify(rules)), rules)
})

/** [the annotation, what is wrong with it] */
const WRONG: readonly (readonly [string, RegExp])[] = [
  ['', /^must be JSON: /],
  ['{', /^must be JSON: /],
  ['[]', /^the annotation must be an object$/],
  ['null', /^the annotation must be an object$/],
  ['{"path": []}', /^the annotation has "path", and may have handledAccessFS, handledAccessNet, scoped, paths, ports$/],
  ['{"scoped": "signal"}', /^scoped must be a list$/],
  ['{"scoped": ["signals"]}', /^scoped\[0\] is "signals", and may be abstract_unix_socket, signal$/],
  ['{"scoped": ["toString"]}', /^scoped\[0\] is "toString"/],
  ['{"handledAccessFS": ["read"]}', /^handledAccessFS\[0\] is "read", and may be execute, write_file, /],
  ['{"paths": [{"paths": ["/"]}]}', /^paths\[0\].access must be a list$/],
  ['{"paths": [{"paths": ["/"], "access": []}]}', /^paths\[0\].access is empty$/],
  ['{"paths": [{"paths": [], "access": ["execute"]}]}', /^paths\[0\].paths is empty$/],
  ['{"paths": [{"paths": ["bin"], "access": ["execute"]}]}', /^paths\[0\].paths\[0\] must be an absolute path$/],
  ['{"paths": [{"paths": ["/\\u0000"], "access": ["execute"]}]}', /must not have a NUL/],
  [
    '{"handledAccessFS": ["execute"], "paths": [{"paths": ["/"], "access": ["read_file"]}]}',
    /^paths\[0\].access\[0\] is "read_file", and may be execute$/,
  ],
  ['{"ports": [{"ports": [80], "access": ["bind_tcp"]}]}', /^ports\[0\].access\[0\] is "bind_tcp", and may be $/],
  [
    '{"handledAccessNet": ["bind_tcp"], "ports": [{"ports": [65536], "access": ["bind_tcp"]}]}',
    /^ports\[0\].ports\[0\] must be a port, 0 to 65535$/,
  ],
  ['{"handledAccessFS": []}', /^denies nothing/],
]
for (const [text, pattern] of WRONG) {
  test(`${text || 'an empty text'} is refused`, () => {
    assert.throws(
      () => parseLandlock(text),
      (error: Error) => pattern.test(error.message),
    )
  })
}

test.run()
