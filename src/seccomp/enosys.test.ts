import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { assembleClassic, ret } from '../bpf/classic.ts'
import { AUDIT_ARCH, SECCOMP_RET } from '../linux/seccomp-abi.ts'
import { enosysProgram } from './enosys.ts'
import { verdict } from './fixtures.ts'
import { X32 } from './names.ts'

const REST = assembleClassic([ret(SECCOMP_RET.TRAP)])
const before = (newest: ReadonlyMap<number, number>) => Uint8Array.from([...enosysProgram(newest), ...REST])
const { X86_64, I386 } = AUDIT_ARCH

test('what is newer does not exist, what is as old goes to the filter', () => {
  const program = before(
    new Map([
      [X86_64, 300],
      [I386, 400],
    ]),
  )
  for (const [call, said] of [
    [{ number: 300 }, 'TRAP'],
    [{ number: 301 }, 'ERRNO 38'],
    [{ number: 0xffffffff }, 'ERRNO 38'],
    [{ number: 301, machine: I386 }, 'TRAP'],
    [{ number: 401, machine: I386 }, 'ERRNO 38'],
    [{ number: 401, machine: AUDIT_ARCH.ARM }, 'TRAP'],
    [{ number: 0x40000000 }, 'ERRNO 38'],
  ] as const) {
    assert.is(verdict(program, call), said, JSON.stringify(call))
  }
})

test('x32 has numbers of its own', () => {
  const program = before(
    new Map([
      [X86_64, 300],
      [X32, 0x40000200],
    ]),
  )
  assert.is(verdict(program, { number: 301 }), 'ERRNO 38')
  assert.is(verdict(program, { number: 0x40000200 }), 'TRAP')
  assert.is(verdict(program, { number: 0x40000201 }), 'ERRNO 38')
  const alone = before(new Map([[X32, 0x40000200]]))
  assert.is(verdict(alone, { number: 301 }), 'TRAP')
  assert.is(verdict(alone, { number: 0x40000201 }), 'ERRNO 38')
})

test('a profile that names no call has no newest one', () => {
  assert.is(enosysProgram(new Map()).length, 0)
})

test.run()
