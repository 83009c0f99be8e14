// HOME from an /etc/passwd of any form: the steps that look for it, on each machine, against a few lines of JavaScript.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ProcessContext } from '../src/lowering/context.ts'
import { homeRoom, lowerHome, lowerSearch, HOME_ROOM as ROOM } from '../src/lowering/home.ts'
import { compile } from '../src/machine/codegen.ts'
import { MACHINES, type Machine, NATIVE, run } from '../src/machine/testing/run.ts'
import { PlanBuilder } from '../src/plan/builder.ts'
import type { Address } from '../src/plan/step.ts'

const UIDS = [0, 1, 10, 1000, 4294967294]

/** What is found in a text. */
function homeIn(machine: Machine, text: string, uid: number): string {
  const plan = new PlanBuilder(3)
  const context = { plan } as ProcessContext // it asks for nothing else
  const home = homeRoom(context)
  lowerSearch(context, 0, home, uid)
  return written(machine, plan, home.address, text)
}

/** What is found when this folder is the root. */
function homeBelow(root: string, uid: number): string {
  const plan = new PlanBuilder(3)
  plan.syscall('chroot', [root])
  return written(NATIVE, plan, lowerHome({ plan } as ProcessContext, uid))
}

function written(machine: Machine, plan: PlanBuilder, home: Address, input = ''): string {
  plan.syscall('write', [1, home, ROOM])
  plan.exit(0)
  const { status, output } = run(machine, compile(plan.finish(), machine.target).bytes, input)
  assert.is(status, 0)
  return output.subarray(0, output.indexOf(0)).toString()
}

/** The same in JavaScript. */
function expected(text: string, uid: number): string {
  for (const line of text.split('\n')) {
    const [, , id, , , home] = line.split(':')
    if (id === `${uid}` && home?.startsWith('/')) return `HOME=${home}`
  }
  return 'HOME=/'
}

const word = fc.string({ unit: fc.constantFrom('a', '/', '0', '1', ' ', 'é'), maxLength: 6 })
const home = fc.oneof(
  word,
  word.map((rest) => `/${rest}`),
)
const number = fc.oneof(fc.constantFrom(...UIDS.map(String)), word)
const entry = fc.tuple(word, word, number, word, word, home, word).map((fields) => fields.join(':'))
const line = fc.oneof(
  { weight: 5, arbitrary: entry },
  fc.array(word, { maxLength: 9 }).map((fields) => fields.join(':')),
)
const passwd = fc
  .tuple(fc.array(line, { maxLength: 12 }), fc.boolean())
  .map(([lines, ends]) => lines.join('\n') + (ends ? '\n' : ''))

for (const machine of MACHINES) {
  test(`what a text says, on ${machine.name}`, () => {
    const property = fc.property(passwd, fc.constantFrom(...UIDS), (text, uid) => {
      assert.is(homeIn(machine, text, uid), expected(text, uid))
    })
    fc.assert(property, { numRuns: 150 })
  })

  test(`texts longer than one read, and what is no home, on ${machine.name}`, () => {
    const filler = 'someone:x:77:77::/home/someone:/bin/sh\n'
    const mine = 'me:x:1000:1000:Me:/home/me:/bin/sh\n'
    const cases: readonly (readonly [text: string, home: string])[] = [
      [filler.repeat(300) + mine, '/home/me'],
      [filler.repeat(104) + mine, '/home/me'], // it lies on the border of two reads
      [filler.repeat(30_000) + mine, '/'], // more than a mebibyte
      [`me:x:1000:1000:Me:/${'x'.repeat(ROOM)}:/bin/sh\n`, '/'],
      [`me:x:1000:1000:Me:/${'x'.repeat(ROOM - 7)}:/bin/sh\n`, `/${'x'.repeat(ROOM - 7)}`],
      [`\0${mine}`, '/'],
      ['', '/'],
    ]
    for (const [text, path] of cases) assert.is(homeIn(machine, text, 1000), `HOME=${path}`, text.slice(0, 40))
  })
}

if (process.geteuid?.() !== 0) {
  console.log('skipped: changing the root takes root')
  test.skip('the file (needs root)', () => {})
} else {
  test('a file, a link to one, a folder, and none at all', () => {
    const root = mkdtempSync(`${tmpdir()}/runt-home-`)
    const file = `${root}/etc/passwd`
    mkdirSync(`${root}/etc`)
    try {
      assert.is(homeBelow(root, 1000), 'HOME=/')
      mkdirSync(file)
      assert.is(homeBelow(root, 1000), 'HOME=/')
      rmSync(file, { recursive: true })
      writeFileSync(`${root}/users`, 'me:x:1000:1000::/linked:/bin/sh\n')
      symlinkSync('/users', file)
      assert.is(homeBelow(root, 1000), 'HOME=/linked')
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })
}

test.run()
