// Programs that branch back and follow pointers, as the front does: run on both machines.

import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { PlanBuilder } from '../plan/builder.ts'
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
      const { stdout, status } = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' })
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
      plan.put(to, letter)
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
    (output) => assert.is(output, 'onethree\u00e9'),
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

test('four bytes are read and written through a pointer that is not aligned', () => {
  run(
    (plan) => {
      const text = plan.struct('text', [new TextEncoder().encode('abcdefgh')])
      const from = plan.add(text.address, 1)
      const to = plan.add(text.address, 3)
      plan.put(to, plan.load(from, 4))
      plan.syscall('write', [STDOUT, text.address, 8])
      plan.exit(0)
    },
    [],
    (output) => assert.is(output, 'abcbcdeh'),
  )
})

test.run()
