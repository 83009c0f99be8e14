// Programs with routines: what these return, whom a failure speaks of, what a fork in one does. Run on both machines.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ERRNO } from '../linux/errno.ts'
import { PlanBuilder } from '../plan/builder.ts'
import { type Plan, REPORT, type Routine } from '../plan/step.ts'
import { type CompileOptions, compile } from './codegen.ts'
import { REPORT_FD, TEXT_ROOM } from './testing/plan.ts'
import { MACHINES, type Machine, NATIVE, type Outcome, run } from './testing/run.ts'

const STDOUT = 1

function build(body: (plan: PlanBuilder) => void): Plan {
  const plan = new PlanBuilder(REPORT_FD, TEXT_ROOM)
  body(plan)
  return plan.finish()
}

function onAll(
  plan: Plan,
  check: (outcome: Outcome, machine: Machine) => void,
  options: CompileOptions = {},
  machines = MACHINES,
): void {
  for (const machine of machines) check(run(machine, compile(plan, machine.target, options).bytes), machine)
}

function writes(body: (plan: PlanBuilder) => void, output: string): void {
  onAll(build(body), (outcome, { name }) => {
    assert.is(outcome.report.toString('hex'), '', name)
    assert.is(outcome.output.toString(), output, name)
    assert.is(outcome.status, 0, name)
  })
}

/** Step, caller and code of the report. */
function reportOf({ report, status }: Outcome): { step: number; caller: number; code: number } {
  assert.is(status, 1)
  assert.is(report.length, REPORT.text)
  return {
    step: report.readUInt32LE(REPORT.step),
    caller: report.readUInt32LE(REPORT.caller) - 1,
    code: Number(report.readBigInt64LE(REPORT.value)),
  }
}

/** A routine that writes a string. @returns how many bytes it has */
function print(plan: PlanBuilder): Routine {
  return plan.routine('print', ['text'], (text) => {
    const length = plan.add(0, 0, plan.value('length'))
    const cursor = plan.add(text, 0, plan.value('cursor'))
    plan.loop(({ done }) => {
      plan.branch(plan.load(cursor, 1), 'eq', 0, done)
      plan.add(length, 1, length)
      plan.add(cursor, 1, cursor)
    })
    plan.syscall('write', [STDOUT, text, length])
    return length
  })
}

test('a routine is called from many places, and routines call others', () => {
  writes((plan) => {
    const twice = plan.routine('twice', ['text', 'end'], (text, end) => {
      const first = plan.call(print(plan), [text])
      const second = plan.call(print(plan), [text])
      plan.call(print(plan), [end])
      return plan.add(first, second)
    })
    plan.call(print(plan), ['a '])
    const length = plan.call(twice, ['bc', ' '])
    plan.require(length, 'eq', 4, ERRNO.EIO)
    plan.loop(({ done }) => {
      plan.branch(plan.add(length, plan.call(twice, ['d', '\n']), length), 'above', 9, done)
    })
    plan.exit(0)
  }, 'a bcbc dd\ndd\ndd\n')
})

test('of two ways out of a routine each returns to its caller', () => {
  writes((plan) => {
    const word = plan.routine('word', ['number'], (number) => {
      plan.when([number, 'above', 9], () => plan.return('many'))
      plan.when(
        [number, 'eq', 0],
        () => plan.return('none'),
        () => plan.return('few'),
      )
    })
    for (const number of [0, 3, 10]) plan.call(print(plan), [plan.call(word, [number])])
    plan.exit(0)
  }, 'nonefewmany')
})

/** A routine in a routine that closes a descriptor which isn't open. */
function fails(plan: PlanBuilder): Routine {
  const inner = plan.routine('inner', ['fd'], (fd) => {
    plan.call(print(plan), ['inner '])
    plan.syscall('close', [fd])
  })
  return plan.routine('outer', [], () => {
    plan.call(inner, [99])
    plan.call(print(plan), ['never'])
  })
}

/** The number of the last step of this call, or the only one of this op. */
function stepOf({ steps }: Plan, wanted: string): number {
  return steps.findLastIndex((step) => (step.op === 'syscall' ? step.name : step.op) === wanted)
}

test('a failure in a routine is reported with its step, and with the call in the program that led there', () => {
  const plan = build((plan) => {
    plan.call(print(plan), ['first '])
    plan.call(fails(plan), [])
    plan.exit(0)
  })
  onAll(plan, (outcome) => {
    assert.is(outcome.output.toString(), 'first inner ')
    assert.equal(reportOf(outcome), { step: stepOf(plan, 'close'), caller: 1, code: ERRNO.EBADF })
  })
})

test('behind a routine that came back failures are the program`s own', () => {
  const plan = build((plan) => {
    plan.call(fails(plan), [], { ignore: { EBADF: 'a test' } })
    const wrong = plan.label('wrong')
    const fine = plan.label('fine')
    plan.call(fails(plan), [], { onError: { EIO: wrong, EBADF: fine } })
    plan.place(wrong)
    plan.exit(9)
    plan.place(fine)
    plan.syscall('fchdir', [98])
    plan.exit(0)
  })
  onAll(plan, (outcome) =>
    assert.equal(reportOf(outcome), { step: stepOf(plan, 'fchdir'), caller: -1, code: ERRNO.EBADF }),
  )
})

test('what a routine returns on an error is -errno, and a label that takes any error takes it', () => {
  writes((plan) => {
    const rescue = plan.label('rescue')
    plan.rescueAt(rescue)
    const result = plan.call(fails(plan), [])
    plan.exit(9)
    plan.place(rescue)
    plan.rescueAt(undefined)
    plan.require(plan.add(result, ERRNO.EBADF), 'eq', 0, ERRNO.EIO)
    plan.exit(0)
  }, 'inner ')
})

test('a routine fails by itself, or where a result is too short', () => {
  const plan = build((plan) => {
    const short = plan.routine('short', [], () => {
      plan.syscall('write', [STDOUT, 'abc', 3], { atLeast: { count: 4, errno: 'EPIPE' } })
    })
    const no = plan.routine('no', [], () => void plan.fail(ERRNO.EXDEV, 'nothing'))
    plan.call(short, [], { ignore: { EPIPE: 'a test' } })
    plan.call(no, [])
    plan.exit(0)
  })
  onAll(plan, (outcome) => {
    assert.is(outcome.output.toString(), 'abc')
    assert.equal(reportOf(outcome), { step: stepOf(plan, 'fail'), caller: 1, code: ERRNO.EXDEV })
  })
})

test('the child of a fork in a routine reports by itself, whatever its caller lists (natively: the emulator has no clone3)', () => {
  const plan = build((plan) => {
    const split = plan.routine('split', [], () => {
      const pid = plan.fork('child', 0n, () => {
        plan.call(fails(plan), [])
        plan.exit(0)
      })
      plan.syscall('wait4', [pid, 0, 0, 0])
    })
    plan.call(split, [], { ignore: { EBADF: 'not the child`s' } })
    plan.exit(1)
  })
  const report = { step: stepOf(plan, 'close'), caller: 0, code: ERRNO.EBADF }
  onAll(plan, (outcome) => assert.equal(reportOf(outcome), report), {}, [NATIVE])
})

test('a store that misses its object in a routine is the caller`s to treat', () => {
  const plan = build((plan) => {
    const room = plan.buffer('room', 8)
    const write = plan.routine('write_at', ['at'], (at) => void plan.storeIn(room, plan.add(room.address, at), 1, 0))
    plan.call(write, [7])
    plan.call(write, [8], { ignore: { EFAULT: 'a test' } })
    plan.call(write, [-1])
    plan.exit(0)
  })
  onAll(plan, (outcome) =>
    assert.equal(reportOf(outcome), { step: stepOf(plan, 'store'), caller: 2, code: ERRNO.EFAULT }),
  )
})

test('a failure is injected into a routine`s step', () => {
  const plan = build((plan) => {
    plan.call(print(plan), ['x'])
    plan.exit(0)
  })
  const step = stepOf(plan, 'write')
  onAll(plan, (outcome) => assert.equal(reportOf(outcome), { step, caller: 0, code: ERRNO.ENOSPC }), {
    inject: { step, errno: ERRNO.ENOSPC },
  })
})

test.run()
