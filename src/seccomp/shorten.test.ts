import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { assembleClassic, type ClassicInstruction, ja, jeq, jge, jgt, ldAbs, raw, ret } from '../bpf/classic.ts'
import { runClassic } from '../bpf/classic-interpreter.ts'
import { type Label, label } from '../bpf/labels.ts'
import { AUDIT_ARCH, SECCOMP_DATA } from '../linux/seccomp-abi.ts'
import { callData } from './fixtures.ts'
import { shorten } from './shorten.ts'

const { X86_64, I386, ARM } = AUDIT_ARCH
const NUMBERS = [0, 1, 2, 5, 6, 40, 41, 99, 100, 101, 0x40000000, 0x7fffffff, 0x80000000, 0xffffffff]

/** Both say the same of calls at all edges, on machines with rules and without. */
function checkSame(long: Uint8Array, short: Uint8Array): void {
  for (const machine of [X86_64, I386, ARM]) {
    for (const number of NUMBERS) {
      for (const arg of [0n, 7n, 2n ** 32n]) {
        const call = callData({ machine, number, args: [arg] })
        assert.is(runClassic(short, call), runClassic(long, call), `${machine} ${number} ${arg}`)
      }
    }
  }
}

/** One comparison a number, as libseccomp writes it without a tree. */
const rows = (numbers: readonly number[]): Uint8Array =>
  assembleClassic([
    ldAbs(SECCOMP_DATA.arch),
    jeq(X86_64, 'own'),
    ret(0),
    label('own'),
    ldAbs(SECCOMP_DATA.nr),
    ...numbers.map((number) => jeq(number, 'allowed')),
    ret(1),
    label('allowed'),
    ret(2),
  ])

/** All but the comparisons: two loads, machine, two answers for the own one, and that for others. */
const FRAME = 7

test('numbers that stand side by side take two comparisons, a single one takes one', () => {
  const long = rows([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 40])
  const short = shorten(long, [X86_64])
  assert.is(short.length / 8, FRAME + 2 + 1)
  checkSame(long, short)
})

test('many single numbers are searched for by halves, too', () => {
  const long = rows(NUMBERS.concat([10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 102]))
  const short = shorten(long, [X86_64])
  const singles = 12
  const [pairs, everyFifth] = [10, 2] // where 3, 5, 7, 40, 42, 99, 103 and three of the highest begin; at 18 and 26
  assert.is(short.length / 8, FRAME + singles + pairs + everyFifth)
  checkSame(long, short)
})

test('what looks at arguments is kept as it is', () => {
  const long = assembleClassic([
    ldAbs(SECCOMP_DATA.arch),
    jeq(X86_64, 'own'),
    ret(0),
    label('own'),
    ldAbs(SECCOMP_DATA.nr),
    ...Array.from({ length: 20 }, (_, number) => jeq(number + 50, 'no')),
    jeq(5, 'look'),
    ja('no'),
    label('look'),
    ldAbs(SECCOMP_DATA.args),
    raw(0x54, 0xf),
    raw(0x15, 7, 'yes', 'no'),
    label('yes'),
    ret(1),
    label('no'),
    ret(2),
  ])
  const short = shorten(long, [X86_64])
  assert.ok(short.length < long.length)
  checkSame(long, short)
})

test('a program that decides in another way is left alone', () => {
  const mask = raw(0x54, 0xff)
  const fixed = [
    ldAbs(SECCOMP_DATA.nr),
    mask,
    ...Array.from({ length: 40 }, (_, at) => jeq(at, 'x')),
    ret(1),
    label('x'),
    ret(2),
  ]
  const program = assembleClassic(fixed)
  assert.is(shorten(program, [X86_64]), program)
  const byNumberFirst = assembleClassic([ldAbs(SECCOMP_DATA.nr), jeq(1, 'x'), ret(1), label('x'), ret(2)])
  assert.is(shorten(byNumberFirst, [X86_64]), byNumberFirst)
  const tiny = assembleClassic([ret(7)])
  assert.is(shorten(tiny, [X86_64]), tiny)
})

test('whatever a program compares, the short one decides the same', () => {
  const step = fc.tuple(fc.constantFrom('jeq', 'jgt', 'jge', 'arch', 'args'), fc.constantFrom(...NUMBERS), fc.nat(3))
  void fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const items: (ClassicInstruction | Label)[] = [
        ldAbs(SECCOMP_DATA.arch),
        jeq(X86_64, 'start'),
        jeq(I386, 'start'),
        ret(9),
        label('start'),
        ldAbs(SECCOMP_DATA.nr),
      ]
      for (const [kind, k, to] of steps) {
        const target = `end ${to}`
        if (kind === 'jeq') items.push(jeq(k, target))
        else if (kind === 'jgt') items.push(jgt(k, target))
        else if (kind === 'jge') items.push(jge(k, target))
        else if (kind === 'arch') items.push(ldAbs(SECCOMP_DATA.arch), jeq(I386, target), ldAbs(SECCOMP_DATA.nr))
        else
          items.push(
            jge(k, target),
            ...(to === 3 ? [ldAbs(SECCOMP_DATA.args), jeq(7, target), ldAbs(SECCOMP_DATA.nr)] : []),
          )
      }
      items.push(ret(8), ...[0, 1, 2, 3].flatMap((end) => [label(`end ${end}`), ret(end)]))
      const long = assembleClassic(items)
      checkSame(long, shorten(long, [X86_64, I386]))
    }),
    { numRuns: 300 },
  )
})

test.run()
