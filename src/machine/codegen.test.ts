// Generated programs are run, natively and emulated, and judged by what they write, report and exit with.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ERRNO } from '../linux/errno.ts'
import { openFlagsToArm64 } from '../linux/open-flags.ts'
import { SYSCALLS } from '../linux/syscalls.ts'
import { type Operand, type Plan, REPORT } from '../plan/step.ts'
import type { Assembler } from './assembler.ts'
import { type CompileOptions, compile } from './codegen.ts'
import type { Target } from './target.ts'
import {
  at,
  branch,
  buffer,
  bytes,
  call,
  type Draft,
  draft,
  exit,
  fail,
  field,
  finish,
  jump,
  label,
  object,
  profileTable,
  put,
  REPORT_FD,
  say,
  show,
  store,
  TEXT_ROOM,
} from './testing/plan.ts'
import { collect, MACHINES, type Machine, NATIVE, type Outcome, observe, run } from './testing/run.ts'

/** Run a plan on all machines that are here. */
function onAll(build: (plan: Draft) => void, check: (outcome: Outcome, machine: Machine) => void): void {
  const plan = draft()
  build(plan)
  for (const machine of MACHINES) check(start(machine, finish(plan)), machine)
}

function start(machine: Machine, plan: Plan, options: CompileOptions = {}, input = ''): Outcome {
  return run(machine, compile(plan, machine.target, options).bytes, input)
}

/** What a program is to write, and the status it is to exit with. */
function writes(build: (plan: Draft) => void, output: string, status = 0): void {
  onAll(build, (outcome, { name }) => {
    assert.is(outcome.report.toString('hex'), '', name)
    assert.is(outcome.output.toString(), output, name)
    assert.is(outcome.status, status, name)
  })
}

function reportOf({ report }: Outcome): { kind: number; step: number; value: bigint; text: string } {
  assert.ok(report.length >= REPORT.text, `a report of ${report.length} bytes`)
  const length = report.readUInt32LE(REPORT.textLength)
  assert.is(report.length, REPORT.text + length)
  assert.is(report.readUInt32LE(REPORT.textLength + 4), 0)
  return {
    kind: report.readUInt32LE(REPORT.kind),
    step: report.readUInt32LE(REPORT.step),
    value: report.readBigInt64LE(REPORT.value),
    text: report.toString('latin1', REPORT.text),
  }
}

/** Which step is to fail, and with what. */
function fails(build: (plan: Draft) => void, step: number, value: number, text = ''): void {
  onAll(build, (outcome, { name }) => {
    assert.equal(reportOf(outcome), { kind: 1, step, value: BigInt(value), text }, name)
    assert.is(outcome.status, 1, name)
  })
}

/** Numbers that a program shows, 8 bytes each. */
function numbers(output: Buffer): bigint[] {
  return Array.from({ length: output.length / 8 }, (_, index) => output.readBigUInt64LE(8 * index))
}

function shows(build: (plan: Draft) => void, expected: (machine: Machine) => readonly bigint[]): void {
  onAll(
    (plan) => {
      build(plan)
      exit(plan, 0)
    },
    (outcome, machine) => {
      assert.is(outcome.status, 0, machine.name)
      assert.equal(numbers(outcome.output), expected(machine), machine.name)
    },
  )
}

test('a program writes and exits', () => {
  writes(
    (plan) => {
      say(plan, 'hello ')
      plan.steps.push({ op: 'pivot', origin: '' })
      say(plan, 'world\n')
      exit(plan, 42)
    },
    'hello world\n',
    42,
  )
})

const CONSTANTS = [
  0n,
  1n,
  127n,
  128n,
  255n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0xfffffffen,
  0xffff1234n,
  0x100000000n,
  0x12345678n,
  0x1234567890abcdefn,
  0xffff0000ffff0000n,
  0x00ff00ff00ff00ffn,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffffffffffffn,
  0xfffffffffffeffffn,
  -1n,
  -100n,
  -4095n,
  -65537n,
  -0x80000000n,
  -0x80000001n,
  -0x8000000000000000n,
]

test('constants of 64 bits arrive whole, as numbers and as bigints', () => {
  const safe = CONSTANTS.filter((value) => Number.isSafeInteger(Number(value))).map(Number)
  const all: (number | bigint)[] = [...CONSTANTS, ...safe, 2 ** 53 - 1, -(2 ** 53 - 1)]
  shows(
    (plan) => {
      for (const value of all) show(plan, value)
    },
    () => all.map((value) => BigInt.asUintN(64, BigInt(value))),
  )
})

test('any constant survives its way through a register', () => {
  const integer = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), fc.maxSafeInteger(), fc.integer())
  fc.assert(
    fc.property(fc.array(integer, { minLength: 100, maxLength: 100 }), (values) =>
      shows(
        (plan) => {
          for (const value of values) show(plan, value)
        },
        () => values.map((value) => BigInt.asUintN(64, BigInt(value))),
      ),
    ),
    { numRuns: 8 },
  )
})

test('every kind of operand is an argument', () => {
  const pattern = Uint8Array.from([0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8, 0x09])
  const masks = [undefined, 0x7f, 0x0f, 0xf0, 0x7fff_ffff, 0xf000, 0x12345678, 0]
  const places = [0, 1]
  const widths = [1, 2, 4, 8] as const
  const expected: bigint[] = []
  for (const place of places)
    for (const width of widths)
      for (const mask of masks) {
        const whole = Buffer.from(pattern).readBigUInt64LE(place) & ((1n << BigInt(8 * width)) - 1n)
        expected.push(mask === undefined ? whole : whole & BigInt(mask))
      }
  shows(
    (plan) => {
      for (const writable of [true, false]) {
        const data = bytes(plan, pattern, writable)
        for (const place of places)
          for (const width of widths) for (const mask of masks) show(plan, field(at(data, place), width, mask))
      }
      show(plan, { kind: 'open-flags', flags: 0o2600000 })
    },
    ({ target }) => [
      ...expected,
      ...expected,
      BigInt(target.syscallColumn === 0 ? 0o2600000 : openFlagsToArm64(0o2600000)),
    ],
  )
})

test('fields and masks reach all six argument registers', () => {
  // mmap(0, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), then write(1, its first bytes, 3)
  writes((plan) => {
    const args = object(
      plan.data,
      [0, 4096, 1, 0x22, -1, 0].map((value) => ({ kind: 'u64', value }) as const),
      false,
    )
    const copy = object(
      plan.data,
      [4096, 0xff01, 0xff22].map((value) => ({ kind: 'u64', value }) as const),
      true,
    )
    const page = call(plan, 'mmap', [
      field(args, 8, 0x7fffffff),
      field(copy, 4, 0x1fff),
      field(at(copy, 8), 8, 0xff),
      field(at(copy, 16), 2, 0x2f),
      field(at(args, 32), 8),
      field(at(args, 40), 1),
    ])
    call(plan, 'munmap', [page, field(at(args, 8), 4)])
    const gone = label('gone')
    call(plan, 'write', [1, page, 3], { onError: { EFAULT: gone } })
    exit(plan, 9)
    put(plan, gone)
    say(plan, 'gone')
    exit(plan, 0)
  }, 'gone')
})

test('values hold results, and -errno of ignored errors', () => {
  onAll(
    (plan) => {
      const pid = call(plan, 'getpid', [])
      const bad = call(plan, 'close', [99], { ignore: ['EBADF'] })
      const there = label()
      const worse = call(plan, 'fchdir', [98], { onError: { EBADF: there } })
      put(plan, there)
      const other = label()
      const worst = call(plan, 'fsync', [97], { onError: { '*': other } })
      put(plan, other)
      for (const value of [pid, bad, worse, worst]) show(plan, value)
      exit(plan, 0)
    },
    ({ output }) => {
      const [pid = 0n, ...errors] = numbers(output)
      assert.ok(pid > 1n)
      assert.equal(errors, Array(3).fill(BigInt.asUintN(64, -9n)))
    },
  )
})

test('hundreds of values keep their own slots', () => {
  const count = 700
  shows(
    (plan) => {
      const values = Array.from({ length: count }, (_, index) => call(plan, 'lseek', [REPORT_FD, index * 5, 0]))
      call(plan, 'lseek', [REPORT_FD, 0, 0])
      for (const value of values) show(plan, value)
    },
    () => Array.from({ length: count }, (_, index) => BigInt(index * 5)),
  )
})

test('writable data beyond the reach of short displacements is used like any other', () => {
  shows(
    (plan) => {
      const filler = object(plan.data, [{ kind: 'u64', value: 1 }], true, 70_000)
      const room = buffer(plan, 100_000)
      for (const offset of [8, 12, 4095, 32_760, 32_768, 69_992, 69_977]) store(plan, at(filler, offset), 8, offset)
      for (const offset of [0, 99_992, 65_537, 65_536 + 4096]) store(plan, at(room, offset), 4, offset)
      const value = call(plan, 'lseek', [REPORT_FD, 77, 0])
      call(plan, 'lseek', [REPORT_FD, 0, 0])
      for (const offset of [4095, 32_760, 32_768, 69_992, 69_977]) show(plan, field(at(filler, offset), 8))
      for (const offset of [99_992, 65_537]) show(plan, field(at(room, offset), 4))
      show(plan, value)
      call(plan, 'write', [1, at(filler, 69_992), 8])
      call(plan, 'write', [1, at(room, 65_536 + 4096), 8])
    },
    () => [4095n, 32_760n, 32_768n, 69_992n, 69_977n, 99_992n, 65_537n, 77n, 69_992n, 69_632n],
  )
})

test('a store of four bytes leaves the next four alone', () => {
  shows(
    (plan) => {
      const place = object(plan.data, [{ kind: 'u64', value: -1 }], true)
      store(plan, place, 4, 0x12345678)
      show(plan, field(place, 8))
      store(plan, at(place, 4), 4, -2)
      show(plan, field(place, 8))
    },
    () => [0xffffffff12345678n, 0xfffffffe12345678n],
  )
})

test('data parts are laid out as they are written, with addresses that hold', () => {
  writes((plan) => {
    const hello = bytes(plan, 'hello ')
    const world = bytes(plan, 'world', true)
    const part = { kind: 'pointer', to: at(hello, 4) } as const
    const pointers = object(plan.data, [part, { kind: 'pointer', to: world }], false)
    const copy = object(plan.data, [part], true)
    call(plan, 'write', [1, field(pointers, 8), 2])
    call(plan, 'write', [1, field(at(pointers, 8), 8), 5])
    call(plan, 'write', [1, field(copy, 8), 1])
    exit(plan, 0)
  }, 'o worldo')
})

test('branches compare 64 bits, unsigned and signed', () => {
  const limit = 0x7fffffff
  const rights = [0, 1, 127, 128, 4095, 4096, 4097, 0x12345678, limit]
  const lefts = [0n, 1n, 127n, 128n, 4096n, 0x7fffffffn, 0x80000000n, 0x100000000n, 0x8000000000000000n, 2n ** 64n - 1n]
  const conditions = {
    eq: (left: bigint, right: bigint) => left === right,
    ne: (left: bigint, right: bigint) => left !== right,
    below: (left: bigint, right: bigint) => left < right,
    above: (left: bigint, right: bigint) => left > right,
    atLeast: (left: bigint, right: bigint) => left >= right,
    atMost: (left: bigint, right: bigint) => left <= right,
    less: (left: bigint, right: bigint) => BigInt.asIntN(64, left) < right,
    notLess: (left: bigint, right: bigint) => BigInt.asIntN(64, left) >= right,
    greater: (left: bigint, right: bigint) => BigInt.asIntN(64, left) > right,
    notGreater: (left: bigint, right: bigint) => BigInt.asIntN(64, left) <= right,
  }
  let expected = ''
  const build = (plan: Draft): void => {
    expected = ''
    const place = buffer(plan, 8)
    const [yes, no] = [bytes(plan, 'y'), bytes(plan, 'n')]
    for (const left of lefts) {
      store(plan, place, 8, left)
      for (const right of rights)
        for (const [condition, holds] of Object.entries(conditions) as [
          keyof typeof conditions,
          typeof conditions.eq,
        ][]) {
          const [taken, end] = [label('taken'), label('end')]
          branch(plan, field(place, 8), condition, right, taken)
          call(plan, 'write', [1, no, 1])
          jump(plan, end)
          put(plan, taken)
          call(plan, 'write', [1, yes, 1])
          put(plan, end)
          expected += holds(left, BigInt(right)) ? 'y' : 'n'
        }
    }
    exit(plan, 0)
  }
  build(draft())
  writes(build, expected)
})

test('branches look at values, and at fields that are narrow', () => {
  writes((plan) => {
    const value = call(plan, 'lseek', [REPORT_FD, 300, 0])
    const ignored = call(plan, 'close', [99], { ignore: ['EBADF'] })
    const [a, b, c] = [label('a'), label('b'), label('c')]
    branch(plan, value, 'above', 299, a)
    exit(plan, 1)
    put(plan, a)
    branch(plan, ignored, 'less', 0, b)
    exit(plan, 2)
    put(plan, b)
    const minusOne = object(plan.data, [{ kind: 'u32', value: -1 }], false)
    branch(plan, field(minusOne, 4), 'less', 0, c)
    say(plan, 'ok')
    exit(plan, 0)
    put(plan, c)
    exit(plan, 3)
  }, 'ok')
})

test('an error goes where the plan says: ignore first, then its label, then any label, then failure', () => {
  writes((plan) => {
    const [first, second, wrong] = [label('first'), label('second'), label('wrong')]
    call(plan, 'close', [99], { ignore: ['EPERM', 'EBADF'], onError: { EBADF: wrong } })
    say(plan, 'ignored ')
    call(plan, 'close', [99], { ignore: ['EPERM'], onError: { EIO: wrong, EBADF: first, '*': wrong } })
    put(plan, wrong)
    exit(plan, 1)
    put(plan, first)
    const other = label('other')
    call(plan, 'close', [99], { onError: { EIO: other, '*': second } })
    put(plan, other)
    exit(plan, 2)
    put(plan, second)
    say(plan, 'any')
    exit(plan, 0)
  }, 'ignored any')
})

test('a program may list every errno there is', () => {
  const names = Object.keys(ERRNO) as (keyof typeof ERRNO)[]
  writes((plan) => {
    call(plan, 'close', [99], { ignore: names })
    const here = label()
    call(plan, 'close', [99], { onError: Object.fromEntries(names.map((name) => [name, here])) })
    exit(plan, 1)
    put(plan, here)
    call(plan, 'close', [99], { ignore: names.slice(3, 10), atLeast: { count: 300, errno: 'ERFKILL' } })
    say(plan, 'ok')
    exit(plan, 0)
  }, 'ok')
})

test('the first step that fails is reported with its errno', () => {
  fails(
    (plan) => {
      say(plan, 'x')
      call(plan, 'close', [99], { ignore: ['EIO'] })
      exit(plan, 0)
    },
    1,
    ERRNO.EBADF,
  )
})

test('a result below what is asked for is a failure', () => {
  for (const [count, isEnough] of [
    [3, true],
    [4, false],
    [5000, false],
    [0x7fffffff, false],
  ] as const) {
    const build = (plan: Draft): void => {
      call(plan, 'write', [1, bytes(plan, 'abc'), 3], { atLeast: { count, errno: 'EPIPE' }, ignore: ['EPIPE'] })
      exit(plan, 0)
    }
    if (isEnough) writes(build, 'abc')
    else fails(build, 0, ERRNO.EPIPE)
  }
  fails(
    (plan) => {
      const elsewhere = label()
      call(plan, 'write', [1, bytes(plan, 'abc'), 3], {
        atLeast: { count: 9, errno: 'ERFKILL' },
        onError: { '*': elsewhere },
      })
      put(plan, elsewhere)
      exit(plan, 0)
    },
    0,
    ERRNO.ERFKILL,
  )
})

test('a plan gives up with a number, a field or a value, and with text', () => {
  fails((plan) => fail(plan, 95), 0, 95)
  fails(
    (plan) => {
      const status = object(plan.data, [{ kind: 'u32', value: 0x1700 }], false)
      fail(plan, field(status, 4, 0xff00))
    },
    0,
    0x1700,
  )
  fails(
    (plan) => {
      const text = { kind: 'address', data: plan.report, offset: REPORT.text } as const
      const length = call(plan, 'getcwd', [text, TEXT_ROOM], { ignore: ['ERANGE'] })
      store(plan, text, 8, 0x6463626160n)
      const three = call(plan, 'lseek', [REPORT_FD, 3, 0])
      call(plan, 'lseek', [REPORT_FD, 0, 0])
      const never = label()
      branch(plan, length, 'eq', 0, never)
      fail(plan, three, three)
      put(plan, never)
      exit(plan, 0)
    },
    5,
    3,
    '`ab',
  )
})

test('failures go to the descriptor that the plan stored last', () => {
  onAll(
    (plan) => {
      store(plan, plan.reportFd, 4, 1)
      fail(plan, 5)
    },
    ({ output, report, status }) => {
      assert.is(report.length, 0)
      assert.is(output.length, REPORT.text)
      assert.is(output.readUInt32LE(REPORT.step), 1)
      assert.is(status, 1)
    },
  )
})

test('a report reaches a pipe', async () => {
  const plan = draft()
  fail(plan, 17)
  for (const machine of MACHINES) {
    const { report } = await observe(machine, compile(finish(plan), machine.target).bytes, collect)
    assert.is(report.readBigInt64LE(REPORT.value), 17n, machine.name)
  }
})

test('a program that runs past its last step is stopped', () => {
  onAll(
    (plan) => say(plan, 'x'),
    ({ output, signal, status }) => {
      assert.is(output.toString(), 'x')
      assert.ok(signal === 'SIGILL' || signal === 'SIGTRAP' || (status ?? 0) > 128, `${signal} ${status}`)
    },
  )
})

const SIGCHLD = 17

function forkAndWait(plan: Draft, fork: () => Operand): void {
  const child = fork()
  const parent = label('parent')
  const status = buffer(plan, 4)
  branch(plan, child as never, 'ne', 0, parent)
  say(plan, 'child ')
  exit(plan, 23)
  put(plan, parent)
  const waited = call(plan, 'wait4', [child, status, 0, 0])
  const again = call(plan, 'wait4', [child, status, 0, 0], { ignore: ['ECHILD'] })
  const [fine, good] = [label('fine'), label('good')]
  branch(plan, waited, 'above', 1, fine)
  exit(plan, 1)
  put(plan, fine)
  branch(plan, again, 'less', 0, good)
  exit(plan, 2)
  put(plan, good)
  say(plan, 'parent')
  fail(plan, field(at(status, 1), 1))
}

test('a fork goes on in both processes, each with its own memory', () => {
  onAll(
    (plan) => forkAndWait(plan, () => call(plan, 'clone', [SIGCHLD, 0, 0, 0, 0])),
    (outcome, { name }) => {
      assert.is(outcome.output.toString(), 'child parent', name)
      assert.is(reportOf(outcome).value, 23n, name)
    },
  )
})

test('clone3 forks, too (natively: the emulator has none)', () => {
  const plan = draft()
  forkAndWait(plan, () => {
    const args = object(
      plan.data,
      [0, 0, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, 0].map((value) => ({ kind: 'u64', value }) as const),
      false,
    )
    return call(plan, 'clone3', [args, 88])
  })
  const outcome = start(NATIVE, finish(plan))
  assert.is(outcome.output.toString(), 'child parent')
  assert.is(reportOf(outcome).value, 23n)
})

/** epoll_pwait says EINTR after SIGSTOP and SIGCONT, also to a program without signal handlers (signal(7)). */
async function interrupted(build: (plan: Draft) => void): Promise<Outcome> {
  const plan = draft()
  build(plan)
  say(plan, 'awake')
  exit(plan, 0)
  return observe(NATIVE, compile(finish(plan), NATIVE.target).bytes, async (child) => {
    const done = collect(child)
    for (let round = 0; round < 3; round++) {
      await state(child.pid, 'S')
      child.kill('SIGSTOP')
      await state(child.pid, 'T')
      child.kill('SIGCONT')
    }
    await state(child.pid, 'S')
    child.stdin?.end('x')
    return done
  })
}

async function state(pid: number | undefined, wanted: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    if (stat.includes(`) ${wanted} `) && readFileSync(`/proc/${pid}/comm`, 'latin1') === 'image\n') return
    await sleep(2)
  }
  throw new Error(`process ${pid} never was in state ${wanted}`)
}

function waitForInput(plan: Draft, reuse: boolean): void {
  const event = object(plan.data, [{ kind: 'u32', value: 1 }], true, 16) // EPOLLIN
  const epoll = call(plan, 'epoll_create1', [0])
  call(plan, 'epoll_ctl', [epoll, 1, 0, event])
  const ready = call(plan, 'epoll_pwait', [epoll, event, 1, -1, 0, 8], reuse ? { result: epoll } : {})
  const fine = label('fine')
  branch(plan, ready, 'eq', 1, fine)
  exit(plan, 9)
  put(plan, fine)
}

test('an interrupted call is made again', async () => {
  const { output, report, status } = await interrupted((plan) => waitForInput(plan, false))
  assert.is(report.toString('hex'), '')
  assert.is(output.toString(), 'awake')
  assert.is(status, 0)
})

test('an interrupted call that overwrites its own argument still has it the second time', async () => {
  const { output, report, status } = await interrupted((plan) => waitForInput(plan, true))
  assert.is(report.toString('hex'), '')
  assert.is(output.toString(), 'awake')
  assert.is(status, 0)
})

test('openat2 is tried again on EAGAIN, but not for ever', () => {
  // RESOLVE_CACHED with O_CREAT always says EAGAIN; a kernel or emulator without openat2 says ENOSYS.
  const how = [
    { kind: 'open-flags', flags: 0o100 } as const,
    ...[0, 0x20].map((value) => ({ kind: 'u64', value }) as const),
  ]
  onAll(
    (plan) => {
      const old = label('old')
      call(plan, 'openat2', [-100, bytes(plan, '/tmp\0'), object(plan.data, how, false), 24], {
        onError: { ENOSYS: old },
      })
      put(plan, old)
      say(plan, 'old')
      exit(plan, 0)
    },
    (outcome) => {
      if (outcome.output.toString() === 'old') return
      assert.equal(reportOf(outcome), { kind: 1, step: 0, value: BigInt(ERRNO.EAGAIN), text: '' })
    },
  )
})

/** A machine with another system call in the place of openat2, whose result is changed. */
function withOpenat2(
  machine: Machine,
  name: 'read' | 'write',
  change: (target: Target, asm: Assembler) => void,
): Machine {
  const { target } = machine
  let isRaced = false
  const fake: Target = {
    ...target,
    syscallNumber(asm, number) {
      const isOpenat2 = number === SYSCALLS.openat2[target.syscallColumn]
      target.syscallNumber(asm, isOpenat2 ? SYSCALLS[name][target.syscallColumn] : number)
    },
    // Routines are made before the first call: those with tries left are openat2's.
    constant(asm, to, low, high) {
      isRaced = to === target.triesLeft
      target.constant(asm, to, low, high)
    },
    syscall(asm) {
      target.syscall(asm)
      if (isRaced) change(target, asm)
      isRaced = false
    },
  }
  return { ...machine, target: fake }
}

test('openat2 is tried 128 times more, on both machines', () => {
  for (const machine of MACHINES) {
    const plan = draft()
    call(plan, 'openat2', [1, bytes(plan, '.'), 1])
    exit(plan, 0)
    const again = withOpenat2(machine, 'write', (target, asm) =>
      target.constant(asm, target.result, -ERRNO.EAGAIN >>> 0, 0xffffffff),
    )
    const { output, report } = start(again, finish(plan))
    assert.is(output.toString(), '.'.repeat(129), machine.name)
    assert.is(report.readBigInt64LE(REPORT.value), BigInt(ERRNO.EAGAIN))
  }
})

test('a call interrupted three times has all its arguments the fourth time, on both machines', () => {
  for (const machine of MACHINES) {
    const plan = draft()
    const place = buffer(plan, 4)
    // Four bytes read become -4, which is EINTR; the end of the input is success.
    call(plan, 'openat2', [0, place, 4])
    call(plan, 'write', [1, place, 4])
    exit(plan, 0)
    const again = withOpenat2(machine, 'read', (target, asm) => target.negateResult(asm))
    const { output, status } = start(again, finish(plan), {}, 'aaaabbbbcccc')
    assert.is(output.toString(), 'cccc', machine.name)
    assert.is(status, 0)
  }
})

/** A program with a few of everything, whose calls all succeed. */
function sample(): Draft {
  const plan = draft()
  const status = buffer(plan, 128)
  say(plan, 'a')
  const fd = call(plan, 'openat', [-100, bytes(plan, '/\0'), { kind: 'open-flags', flags: 0o2200000 }, 0])
  const other = call(plan, 'dup3', [fd, 50, 0o2000000], { ignore: ['EIO'] })
  const fine = label('fine')
  call(plan, 'fstatfs', [other, status], { onError: { EPERM: fine } })
  branch(plan, fd, 'above', 2, fine)
  fail(plan, 22)
  put(plan, fine)
  call(plan, 'close', [fd])
  call(plan, 'close', [other])
  exit(plan, 0)
  return plan
}

test('a failure can be injected into each system call, and is reported', () => {
  const plan = finish(sample())
  for (const machine of MACHINES)
    for (const [step, { op }] of plan.steps.entries())
      for (const errno of [ERRNO.EAGAIN, ERRNO.EINTR, ERRNO.ENOSYS, 4095]) {
        const options = { inject: { step, errno } }
        if (op !== 'syscall') {
          assert.throws(() => compile(plan, machine.target, options), /no system call/)
          continue
        }
        const outcome = start(machine, plan, options)
        assert.equal(reportOf(outcome), { kind: 1, step, value: BigInt(errno), text: '' }, machine.name)
        assert.is(outcome.status, 1)
      }
})

test('an injected failure is treated as a real one: ignored, or sent to its label', () => {
  const plan = finish(sample())
  for (const machine of MACHINES) {
    const ignored = start(machine, plan, { inject: { step: 2, errno: ERRNO.EIO } })
    assert.equal(reportOf(ignored), { kind: 1, step: 3, value: BigInt(ERRNO.EBADF), text: '' })
    const branched = start(machine, plan, { inject: { step: 3, errno: ERRNO.EPERM } })
    assert.is(branched.status, 0)
    assert.throws(() => compile(plan, machine.target, { inject: { step: 1, errno: 0 } }), /no errno/)
  }
})

test('a profile has ascending time stamps for the steps that were run', () => {
  const plan = sample()
  const [exitStep] = plan.steps.splice(-1)
  call(plan, 'write', [1, bytes(plan, ''), 0])
  const show = plan.steps.at(-1)
  if (exitStep === undefined || show?.op !== 'syscall') throw new Error('unreachable')
  plan.steps.push(exitStep)
  const table = profileTable(plan)
  plan.steps[plan.steps.length - 2] = { ...show, args: [1, table, 8 * plan.steps.length] }
  for (const machine of MACHINES) {
    const { output, status } = start(machine, finish(plan), { profile: true })
    assert.is(status, 0, machine.name)
    const stamps = numbers(output.subarray(1))
    assert.is(stamps.length, plan.steps.length)
    assert.is(stamps.at(-1), 0n, 'exit comes after the table is shown')
    const run = stamps.slice(0, -1).filter((_, step) => plan.steps[step]?.op !== 'fail')
    for (const [index, stamp] of run.entries())
      assert.ok(stamp > 0n && stamp >= (run[index - 1] ?? 0n), `step ${index}`)
  }
})

test('plans that can not run are refused with the step', () => {
  const refused = (why: RegExp, build: (plan: Draft) => void, options: CompileOptions = {}): void => {
    const plan = draft()
    build(plan)
    for (const { target } of MACHINES) assert.throws(() => compile(finish(plan), target, options), why)
  }
  const there = label()
  refused(/plan step 1 \(label\): .*bound twice/, (plan) => {
    put(plan, there)
    put(plan, there)
  })
  refused(/never bound/, (plan) => jump(plan, there))
  refused(/plan step 0 \(syscall\): ghost has no value yet/, (plan) =>
    call(plan, 'close', [{ kind: 'value', id: 77, name: 'ghost' }]),
  )
  refused(/doesn't fit into 64 bits/, (plan) => call(plan, 'close', [1n << 64n]))
  refused(/doesn't fit into 64 bits/, (plan) => call(plan, 'close', [-(1n << 63n) - 1n]))
  refused(/not an exact integer/, (plan) => call(plan, 'close', [0.5]))
  refused(/not an exact integer/, (plan) => call(plan, 'close', [2 ** 53]))
  refused(/doesn't fit into 32 bits/, (plan) => object(plan.data, [{ kind: 'u32', value: 2 ** 32 }], false))
  refused(/is read-only/, (plan) => store(plan, bytes(plan, '12345678'), 8, 0))
  refused(/7 arguments/, (plan) => call(plan, 'close', [1, 2, 3, 4, 5, 6, 7]))
  refused(/data object 9 isn't there/, (plan) => call(plan, 'close', [{ kind: 'address', data: 9, offset: 0 }]))
  refused(/data object 9, which isn't there/, (plan) =>
    object(plan.data, [{ kind: 'pointer', to: { kind: 'address', data: 9, offset: 0 } }], false),
  )
  refused(/compared with -1/, (plan) => branch(plan, field(plan.reportFd, 4), 'eq', -1, there))
  refused(/masked with/, (plan) => fail(plan, field(plan.reportFd, 4, 0x80000000)))
  refused(/no profile table/, (plan) => exit(plan, 0), { profile: true })
  refused(
    /has no room/,
    (plan) => {
      profileTable(plan)
      exit(plan, 0)
    },
    { profile: true },
  )
})

test('random straight plans compile, to the same bytes each time', () => {
  const operand = fc.oneof(
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.record({ kind: fc.constant('open-flags' as const), flags: fc.integer({ min: 0, max: 0o17777777 }) }),
    fc.constant({ kind: 'address', data: 0, offset: 0 } as const),
    fc.constant({ kind: 'field', data: 1, offset: 3, width: 4, mask: 0x7ff } as const),
  )
  const step = fc.record({
    name: fc.constantFrom('openat2' as const, 'close' as const, 'mount' as const, 'clone3' as const),
    args: fc.array(operand, { maxLength: 6 }),
    ignore: fc.subarray(Object.keys(ERRNO) as (keyof typeof ERRNO)[]),
    atLeast: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, profile) => {
      const plan = draft()
      for (const { name, args, ignore, atLeast } of steps)
        call(plan, name, args, { ignore, ...(atLeast ? { atLeast: { count: 9, errno: 'EIO' } } : {}) })
      exit(plan, 0)
      profileTable(plan)
      for (const { target } of MACHINES) {
        const image = compile(finish(plan), target, { profile })
        assert.is(image.stepAddresses.length, plan.steps.length)
        assert.equal(image.bytes, compile(finish(plan), target, { profile }).bytes)
      }
    }),
    { numRuns: 60 },
  )
})

test.run()
