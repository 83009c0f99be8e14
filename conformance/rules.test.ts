// The list of rules and the cases are of one mind.

import './cases/all.ts'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { allCases } from './case.ts'
import { RULES } from './rules.ts'

const names = RULES.map(({ name }) => name)
const withCases = new Set(allCases().map(({ rule }) => rule))

test('every rule is listed once', () => {
  assert.is(new Set(names).size, names.length)
})

test('every case is of a rule that is listed', () => {
  assert.equal(
    [...withCases].filter((rule) => !names.includes(rule)),
    [],
  )
})

test('every rule has a case, or says where it is proved instead', () => {
  assert.equal(
    RULES.filter(({ name, elsewhere }) => !withCases.has(name) && elsewhere === undefined).map(({ name }) => name),
    [],
  )
})

test('a rule that is proved by the cases of others names them', () => {
  const named = RULES.flatMap(({ elsewhere = '' }) => elsewhere.match(/\b[A-K]\d+\b/g) ?? [])
  assert.ok(named.length > 10)
  assert.equal(
    named.filter((name) => !withCases.has(name)),
    [],
  )
})

test.run()
