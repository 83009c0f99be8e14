// Programs that branch back and follow pointers, as the front does: run on both machines.

import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { behind, PlanBuilder } from '../plan/builder.ts'
import type { Operation } from '../plan/step.ts'
import { compile } from './codegen.ts'
import { MACHINES, withFile } from './testing/run.ts'

const STDOUT = 1

function run(build: (plan: PlanBuilder) => void, words: readonly string[], check: (output: string) => void): void {
  const plan = new PlanBuilder(2)
  build(plan)
  const finished = plan.finish()
  for (const { target, emulator } of MACHINES) {
    withFile(compile(finished, target).bytes, (path) => {
      const command = [...(emulator === '' ? [] : [emulator]), path, ...words]
      const { stdout, status } = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'latin1' })
      assert.is(status, 0, emulator)
      check(stdout)
    })
  }
}

test('argv is where entry says; a loop walks it, and copies each word by its bytes', () => {
  run(
    (plan) => {
      const argv = plan.add(plan.entry(), 16, plan.value('argv'))
      const room = plan.buffer('room', 64)
      const [word, byte, next] = [plan.label('word'), plan.label('byte'), plan.label('next')]
      const done = plan.label('done')
      plan.place(word)
      const text = plan.load(argv, 8)
      plan.branch(text, 'eq', 0, done)
      const to = plan.add(room.address, 0)
      plan.place(byte)
      const letter = plan.load(text, 1)
      plan.storeIn(room, to, 1, letter)
      plan.branch(letter, 'eq', 0, next)
      plan.add(text, 1, text)
      plan.add(to, 1, to)
      plan.jump(byte)
      plan.place(next)
      const negative = plan.add(room.address, 0)
      // Its length: to - room, by counting down from it.
      const length = plan.add(0, 0)
      const count = plan.label('count')
      const counted = plan.label('counted')
      plan.place(count)
      plan.branch(negative, 'eq', to, counted)
      plan.add(negative, 1, negative)
      plan.add(length, 1, length)
      plan.jump(count)
      plan.place(counted)
      plan.syscall('write', [STDOUT, room.address, length])
      plan.add(argv, 8, argv)
      plan.jump(word)
      plan.place(done)
      plan.exit(0)
    },
    ['one', '', 'three\u00e9'],
    (output) => assert.is(Buffer.from(output, 'latin1').toString(), 'onethree\u00e9'),
  )
})

test('sums are of 64 bits, comparisons too, and unsigned', () => {
  run(
    (plan) => {
      const big = plan.struct('big', [{ kind: 'u64', value: 0xffff_ffff_ffff_fffen }])
      const sum = plan.add(big.field(0, 8), 1)
      const wrong = plan.label('wrong')
      const fine = plan.label('fine')
      plan.branch(sum, 'below', big.field(0, 8), wrong)
      plan.branch(plan.add(sum, 1), 'ne', 0, wrong)
      plan.branch(plan.add(big.field(0, 8), -1), 'below', big.field(0, 8), fine)
      plan.place(wrong)
      plan.exit(1)
      plan.place(fine)
      plan.exit(0)
    },
    [],
    (output) => assert.is(output, ''),
  )
})

const EDGES = [0n, 1n, 7n, 10n, 255n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 2n ** 63n, 2n ** 64n - 1n]

/** Each operation, as 64 bits know it. */
const OPERATIONS: Readonly<Record<Operation, (left: bigint, right: bigint) => bigint>> = {
  add: (left, right) => left + right,
  sub: (left, right) => left - right,
  mul: (left, right) => left * right,
  div: (left, right) => left / right,
  and: (left, right) => left & right,
  or: (left, right) => left | right,
  shl: (left, right) => left << right,
  shr: (left, right) => left >> right,
}

test('numbers of 64 bits are made from two', () => {
  const expected: bigint[] = []
  run(
    (plan) => {
      expected.length = 0
      const room = plan.buffer('room', 8 * 1000)
      let count = 0
      for (const [operation, compute] of Object.entries(OPERATIONS) as [Operation, (typeof OPERATIONS)['add']][])
        for (const left of EDGES) {
          const value = plan.add(left, 0)
          const rights = operation === 'div' ? EDGES.filter((right) => right !== 0n) : EDGES
          for (const right of operation.startsWith('sh') ? [0n, 1n, 31n, 32n, 63n] : rights) {
            const known = operation === 'div' || operation.startsWith('sh')
            if (known && right > Number.MAX_SAFE_INTEGER) continue
            const result = plan.compute(operation, value, known ? Number(right) : plan.add(right, 0))
            plan.store(room.at(8 * count++), 8, result)
            expected.push(BigInt.asUintN(64, compute(left, right)))
          }
        }
      plan.syscall('write', [STDOUT, room.address, 8 * count])
      plan.exit(0)
    },
    [],
    (output) => {
      const bytes = Buffer.from(output, 'latin1')
      assert.equal(
        expected.map((_, index) => bytes.readBigUInt64LE(8 * index)),
        expected,
      )
    },
  )
})

test('one, two, four and eight bytes are read and written, in objects and behind addresses, and no more', () => {
  const WIDTHS = [1, 2, 4, 8] as const
  run(
    (plan) => {
      const source = plan.constant('source', [Uint8Array.from({ length: 5000 }, (_, index) => 97 + (index % 26))])
      const room = plan.buffer('room', 6000)
      const text = plan.struct('text', [new TextEncoder().encode('.'.repeat(64))])
      const from = plan.add(source.address, 0)
      const to = plan.add(text.address, 0)
      const far = plan.add(room.address, 0)
      let at = 0
      for (const width of WIDTHS)
        for (const offset of [0, 1, 4093]) {
          plan.storeIn(room, behind(far, offset), width, plan.load(behind(from, offset), width))
          plan.storeIn(text, behind(to, at), width, plan.load(behind(far, offset), width))
          at += width + 1
        }
      plan.store(text.at(61), 1, 0x4241)
      plan.store(text.at(62), 2, 0x444344)
      plan.syscall('write', [STDOUT, text.address, 64])
      plan.exit(0)
    },
    [],
    (output) => {
      const letters = (offset: number, width: number): string =>
        Array.from({ length: width }, (_, index) => String.fromCharCode(97 + ((offset + index) % 26))).join('')
      const pieces = WIDTHS.flatMap((width) => [0, 1, 4093].map((offset) => letters(offset, width)))
      assert.is(output, `${pieces.join('.').padEnd(61, '.')}ADC`)
    },
  )
})

test('what is to be written must be in its object: the first byte before it and behind it are refused', () => {
  const SIZE = 16
  run(
    (plan) => {
      const before = plan.buffer('before', 16)
      const room = plan.buffer('room', SIZE)
      const kept = plan.buffer('behind', 16)
      const wrong = plan.label('wrong')
      const start = plan.add(room.address, 0)
      const tryAt = (offset: number, width: 1 | 2 | 4 | 8, more = 0): void => {
        const [refused, done] = [plan.label('refused'), plan.label('done')]
        plan.rescueAt(refused)
        plan.storeIn(room, behind(plan.add(start, offset), more), width, -1)
        plan.rescueAt(undefined)
        plan.syscall('write', [STDOUT, 'y', 1])
        plan.jump(done)
        plan.place(refused)
        plan.syscall('write', [STDOUT, 'n', 1])
        plan.place(done)
      }
      for (const width of [1, 2, 4, 8] as const) {
        tryAt(-1, width)
        tryAt(0, width)
        tryAt(SIZE - width, width)
        tryAt(SIZE - width + 1, width)
        tryAt(SIZE - 8 - width, width, 8)
        tryAt(SIZE - 7 - width, width, 8)
        tryAt(-8, width, 8)
        tryAt(-0x7000_0000, width)
        tryAt(0x7000_0000, width)
      }
      for (const object of [before, kept]) plan.branch(object.field(0, 8), 'ne', 0, wrong)
      for (const object of [before, kept]) plan.branch(object.field(8, 8), 'ne', 0, wrong)
      plan.exit(0)
      plan.place(wrong)
      plan.exit(1)
    },
    [],
    (output) => assert.is(output, 'nyynynnnn'.repeat(4)),
  )
})

test('four bytes are read and written through a pointer that is not aligned', () => {
  run(
    (plan) => {
      const text = plan.struct('text', [new TextEncoder().encode('abcdefgh')])
      const from = plan.add(text.address, 1)
      const to = plan.add(text.address, 3)
      plan.storeIn(text, to, 4, plan.load(from, 4))
      plan.syscall('write', [STDOUT, text.address, 8])
      plan.exit(0)
    },
    [],
    (output) => assert.is(output, 'abcbcdeh'),
  )
})

test.run()
