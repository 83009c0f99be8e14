import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readFile } from './file.ts'

test('an error of a path with controls in it is one line, and steers no terminal', () => {
  try {
    readFile('/nowhere/\x1b[2J\nruntime: fine\x7f')
    assert.unreachable()
  } catch (error) {
    assert.is(
      (error as Error).message,
      'openat /nowhere/\\x1b[2J\\nruntime: fine\\x7f: ENOENT: no such file or directory',
    )
  }
})

test.run()
