import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ERROR_CODES } from './error-codes.ts'
import { logFields, RuntError } from './errors.ts'
import { SyscallError } from './native/syscall.ts'

test('the fields of an error are its code, its hint and what it is about', () => {
  const error = new RuntError('container-status', 'x', { hint: 'y', data: { id: 'z', status: 'paused' } })
  assert.equal(logFields(error), { code: 'container-status', hint: 'y', id: 'z', status: 'paused' })
})

test('a system call that failed is told with its errno, as an error or as the cause of one', () => {
  const call = new SyscallError('openat', 2, '/x')
  assert.equal(logFields(call), { code: 'syscall', syscall: 'openat', errno: 'ENOENT' })
  assert.equal(logFields(new RuntError('state', 'x', { cause: call })), {
    code: 'state',
    syscall: 'openat',
    errno: 'ENOENT',
  })
})

test('whatever else is thrown is a mistake of runt', () => {
  assert.equal(logFields(new TypeError('x')), { code: 'internal' })
  assert.equal(logFields('x'), { code: 'internal' })
})

test('no code is there that nothing uses', () => {
  const folder = new URL('.', import.meta.url).pathname
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && name !== 'error-codes.ts')
    .map((name) => readFileSync(`${folder}${name}`, 'utf8'))
  for (const code of Object.keys(ERROR_CODES)) {
    if (code === 'config-invalid' || code === 'config-unsupported') continue // made of the verdict's kind
    assert.ok(
      sources.some((text) => text.includes(`'${code}'`)),
      code,
    )
  }
})

test.run()
