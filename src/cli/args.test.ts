import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import { type Flag, parseArgs } from './args.ts'

const FLAGS: readonly Flag[] = [
  { name: 'bundle', short: 'b', kind: 'string', help: '' },
  { name: 'detach', short: 'd', kind: 'boolean', help: '' },
  { name: 'no-pivot', kind: 'boolean', help: '' },
  { name: 'preserve-fds', kind: 'string', help: '' },
]

test('an id that looks like a number stays what it is', () => {
  assert.equal(parseArgs(['007'], FLAGS).operands, ['007'])
})

test('a string flag is read in every spelling', () => {
  for (const words of [['--bundle', '/x'], ['--bundle=/x'], ['-b', '/x'], ['-b=/x']]) {
    const args = parseArgs([...words, 'id'], FLAGS)
    assert.is(args.string('bundle'), '/x', words.join(' '))
    assert.equal(args.operands, ['id'])
  }
})

test('a long flag may have one dash', () => {
  const args = parseArgs(['-bundle', '/x', '-no-pivot', '-preserve-fds=3', '-d', 'id'], FLAGS)
  assert.equal([args.string('bundle'), args.string('preserve-fds')], ['/x', '3'])
  assert.equal([args.boolean('no-pivot'), args.boolean('detach')], [true, true])
  assert.equal(args.operands, ['id'])
  assert.equal(parseArgs(['--', '-bundle'], FLAGS).operands, ['-bundle'])
  assert.equal(parseArgs(['-bundle', '/x', 'id', '-detach'], FLAGS, { stopEarly: true }).operands, ['id', '-detach'])
})

test('of a flag that is given twice the last counts', () => {
  assert.is(parseArgs(['-b', '/x', '--bundle', '/y', 'id'], FLAGS).string('bundle'), '/y')
})

test('a negative flag is on when it is given, and only then', () => {
  assert.is(parseArgs(['--no-pivot', 'id'], FLAGS).boolean('no-pivot'), true)
  assert.is(parseArgs(['id', '--no-pivot'], FLAGS).boolean('no-pivot'), true)
  assert.is(parseArgs(['id'], FLAGS).boolean('no-pivot'), false)
  assert.is(parseArgs(['--', '--no-pivot'], FLAGS).boolean('no-pivot'), false)
})

test('a boolean flag does not take the operand', () => {
  for (const id of ['id', 'true', 'false']) {
    const args = parseArgs(['--detach', id], FLAGS)
    assert.is(args.boolean('detach'), true)
    assert.equal(args.operands, [id])
  }
})

test('a boolean flag is true or false as it is told', () => {
  for (const [word, value] of [
    ['--detach=true', true],
    ['-d=1', true],
    ['-detach=T', true],
    ['--detach=false', false],
    ['-d=0', false],
  ] as const) {
    assert.is(parseArgs([word, 'id'], FLAGS).boolean('detach'), value, word)
  }
  assert.is(parseArgs(['--no-pivot=false'], FLAGS).boolean('no-pivot'), false)
  assert.is(parseArgs(['--no-pivot=true'], FLAGS).boolean('no-pivot'), true)
})

test('short flags without values may share a dash', () => {
  const flags: readonly Flag[] = [...FLAGS, { name: 'quiet', short: 'q', kind: 'boolean', help: '' }]
  const args = parseArgs(['-dq', 'id'], flags)
  assert.equal([args.boolean('detach'), args.boolean('quiet')], [true, true])
})

test('a value may begin with a dash, be empty, and have any letters', () => {
  for (const value of ['-1', '-x', '-', '', '--unknown=1', 'a\nb=c']) {
    const args = parseArgs(['--bundle', value, '-d', 'id'], FLAGS)
    assert.is(args.string('bundle'), value)
    assert.is(args.boolean('detach'), true)
    assert.equal(args.operands, ['id'])
    assert.is(parseArgs([`-b=${value}`], FLAGS).string('bundle'), value)
  }
})

test('for a misspelt flag the one that was meant is named', () => {
  for (const word of ['--detatch', '-detatch', '--detahc=true']) {
    assert.throws(
      () => parseArgs([word, 'id'], FLAGS),
      (error: unknown) => error instanceof RuntError && error.hint === 'did you mean --detach?',
      word,
    )
  }
})

test('what follows an operand belongs to another when it is told so', () => {
  const args = parseArgs(['-d', 'id', '--detach', '--unknown'], FLAGS, { stopEarly: true })
  assert.equal(args.operands, ['id', '--detach', '--unknown'])
})

test('of what belongs to another every word stays, whatever it looks like', () => {
  const cases: [words: string[], operands: string[]][] = [
    [
      ['-d', 'id', 'git', 'log', '--', 'path', '-x'],
      ['id', 'git', 'log', '--', 'path', '-x'],
    ],
    [
      ['--bundle', '/x', 'id', '--'],
      ['id', '--'],
    ],
    [
      ['--', '-id', '--', '-d'],
      ['-id', '--', '-d'],
    ],
    [
      ['-', '--'],
      ['-', '--'],
    ],
    [['-d'], []],
    [
      ['-b=/x', '007', '1e3'],
      ['007', '1e3'],
    ],
  ]
  for (const [words, operands] of cases) {
    assert.equal(parseArgs(words, FLAGS, { stopEarly: true }).operands, operands, words.join(' '))
  }
})

test('a flag may be given more than once, and keeps its signs of equality', () => {
  const args = parseArgs(['-b', 'A=1', '--bundle=B=2=3', '-b=C=4', 'id'], FLAGS, { stopEarly: true })
  assert.equal(args.strings('bundle'), ['A=1', 'B=2=3', 'C=4'])
  assert.equal(parseArgs([], FLAGS).strings('bundle'), [])
})

const REFUSED: readonly (readonly [words: readonly string[], why: RegExp])[] = [
  [['--unknown', 'id'], /flag provided but not defined: --unknown/],
  [['-x', 'id'], /flag provided but not defined: -x/],
  [['-bundles', 'id'], /flag provided but not defined: -bundles/],
  [['-undefined', 'id'], /flag provided but not defined: -undefined/],
  [['-bundle', '-detach', 'id'], /flag needs an argument: --bundle/],
  [['--bundle'], /flag needs an argument: --bundle/],
  [['--bundle', '--detach', 'id'], /flag needs an argument: --bundle/],
  [['-b', '-d=true', 'id'], /flag needs an argument: --bundle/],
  [['-b', '--', 'id'], /flag needs an argument: --bundle/],
  [['--detach=maybe', 'id'], /--detach "maybe" is neither true nor false/],
  [['-db', '/x'], /flag provided but not defined: -db/],
]

for (const [words, why] of REFUSED) {
  test(`refused: ${words.join(' ')}`, () => {
    assert.throws(
      () => parseArgs(words, FLAGS),
      (error: unknown) => error instanceof RuntError && error.code === 'usage' && why.test(error.message),
    )
  })
}

test('a number is a number from end to end, and in its range', () => {
  const read = (text: string): number | undefined =>
    parseArgs([`--preserve-fds=${text}`], FLAGS).number('preserve-fds', 0, 9)
  assert.is(read('3'), 3)
  assert.is(parseArgs([], FLAGS).number('preserve-fds', 0, 9), undefined)
  for (const text of ['', '1x', '-1', '10', '0x1', '1e0', ' 1'])
    assert.throws(() => read(text), /is not a number/, text)
})

test.run()
