import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../../errors.ts'
import { slicePath, unitPlace } from './unit.ts'

const refused = (error: unknown) => error instanceof RuntError && error.code === 'cgroup'

test('a cgroupsPath of three parts names slice and scope', () => {
  const cases: [string | undefined, string, string][] = [
    ['machine.slice:libpod:0a1b', 'libpod-0a1b.scope', 'machine.slice'],
    ['system.slice:docker:c', 'docker-c.scope', 'system.slice'],
    [':cri-containerd:x', 'cri-containerd-x.scope', 'system.slice'],
    ['a.slice::plain', 'plain.scope', 'a.slice'],
    [undefined, 'runt-ID.scope', 'system.slice'],
    ['', 'runt-ID.scope', 'system.slice'],
    ['a.slice:b:c\\x40d', 'b-c\\x40d.scope', 'a.slice'],
  ]
  for (const [path, unit, slice] of cases) assert.equal(unitPlace(path, 'ID', 'system'), { unit, slice }, path)
  assert.is(unitPlace(undefined, 'ID', 'user').slice, 'user.slice')
  assert.is(unitPlace(undefined, '1+a.b-c_d', 'system').unit, 'runt-1\\x2ba.b-c_d.scope')
})

test('what is no triple, or names no unit, is refused', () => {
  const long = 'n'.repeat(250)
  const wrong = [
    '/a/b',
    'a:b',
    'a.slice:b:',
    'a.slice:b:c:d',
    'a.slice:b:c.slice',
    'a.slice:b:c/d',
    `a.slice:p:${long}`,
  ]
  for (const path of [
    ...wrong,
    'a:b:c',
    '-a.slice:b:c',
    'a-.slice:b:c',
    'a--b.slice:b:c',
    '../a.slice:b:c',
    'a.slice:b:ä',
    'system.slice:h6:a@b',
    'a@b.slice:c:d',
    '.slice:c:d',
    'a..slice-:c:d',
  ]) {
    assert.throws(() => unitPlace(path, 'ID', 'system'), refused, path)
  }
})

test('an id that is too long for a unit is refused', () => {
  assert.is(unitPlace(undefined, 'n'.repeat(244), 'system').unit.length, 255)
  assert.throws(() => unitPlace(undefined, 'n'.repeat(245), 'system'), refused)
  assert.throws(() => unitPlace(undefined, '+'.repeat(64), 'system'), refused)
})

test("a slice's folder is below those of its name's parts", () => {
  assert.is(slicePath('a.slice'), '/a.slice')
  assert.is(slicePath('a-b-c.slice'), '/a.slice/a-b.slice/a-b-c.slice')
  assert.is(slicePath('-.slice'), '')
  for (const wrong of ['a', '.slice', 'a..slice-', '--.slice']) assert.throws(() => slicePath(wrong), refused, wrong)
})

test.run()
