import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runExtended } from '../bpf/extended-interpreter.ts'
import type { DeviceRule } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { DEFAULT_DEVICE_RULES, devicePolicy, type V1DeviceList, v1DeviceList } from './device-policy.ts'
import { deviceProgram } from './device-program.ts'

interface Request {
  readonly kind: 'c' | 'b'
  readonly major: number
  readonly minor: number
  readonly access: string
}

/** The rule list as it reads: for each letter the last rule that matches decides. */
function isAllowed(rules: readonly DeviceRule[], { kind, major, minor, access }: Request): boolean {
  return [...access].every((letter) => {
    const matching = rules.filter(
      (rule) =>
        rule.access.includes(letter) &&
        (rule.type === 'a' ||
          (rule.type === kind &&
            (rule.major === undefined || rule.major === major) &&
            (rule.minor === undefined || rule.minor === minor))),
    )
    return matching.at(-1)?.allow ?? false
  })
}

/** The kernel's cgroup v1 (security/device_cgroup.c), given the writes. */
function isAllowedByV1({ start, exceptions }: V1DeviceList, { kind, major, minor, access }: Request): boolean {
  const matching: string[] = []
  for (const line of exceptions) {
    const [, type, m, n, letters = ''] = /^([cb]) (\d+|\*):(\d+|\*) ([rwm]+)$/.exec(line) ?? []
    assert.ok(letters, `the kernel would refuse ${line}`)
    if (type === kind && (m === '*' || Number(m) === major) && (n === '*' || Number(n) === minor))
      matching.push(letters)
  }
  if (start === 'devices.allow') return !matching.some((letters) => [...access].some((one) => letters.includes(one)))
  return matching.some((letters) => [...access].every((one) => letters.includes(one)))
}

function isAllowedByProgram(program: Uint8Array, { kind, major, minor, access }: Request): boolean {
  const bits = { m: 1, r: 2, w: 4 }
  const asked = [...access].reduce((sum, letter) => sum | bits[letter as 'r' | 'w' | 'm'], 0)
  const context = new Uint32Array([(asked << 16) | (kind === 'b' ? 1 : 2), major, minor])
  return runExtended(program, new Uint8Array(context.buffer)) === 1n
}

const number = fc.integer({ min: 0, max: 3 })
const access = fc.subarray(['r', 'w', 'm'], { minLength: 1 }).map((letters) => letters.join(''))
/** What the kernel asks for: mknod(2), or open(2) for reading, writing, or both. */
const asked = fc.constantFrom('m', 'r', 'w', 'rw')
const someOrAll = fc.option(number, { nil: undefined })
const rule: fc.Arbitrary<DeviceRule> = fc.record({
  allow: fc.boolean(),
  type: fc.constantFrom('a', 'c', 'c', 'c', 'b'),
  major: someOrAll,
  minor: someOrAll,
  access,
})
const rules = fc.array(rule, { maxLength: 8 })
const request: fc.Arbitrary<Request> = fc.record({
  kind: fc.constantFrom('c', 'b'),
  major: number,
  minor: number,
  access: asked,
})
const requests = fc.array(request, { minLength: 20, maxLength: 20 })

test('the BPF program gives the verdict of the rules', () => {
  fc.assert(
    fc.property(rules, requests, (list, asked) => {
      const program = deviceProgram(devicePolicy(list))
      for (const each of asked)
        assert.is(isAllowedByProgram(program, each), isAllowed(list, each), JSON.stringify(each))
    }),
    { numRuns: 2000 },
  )
})

test("cgroup v1's list gives the verdict of the rules, or is refused", () => {
  let said = 0
  fc.assert(
    fc.property(rules, requests, (list, asked) => {
      let written: V1DeviceList
      try {
        written = v1DeviceList(devicePolicy(list))
      } catch (error) {
        return assert.instance(error, RuntError)
      }
      said++
      for (const each of asked) assert.is(isAllowedByV1(written, each), isAllowed(list, each), JSON.stringify(each))
    }),
    { numRuns: 2000 },
  )
  assert.ok(said > 500, `${said} of 2000`)
})

test('a list that only allows, after the reset every engine begins with, can always be said in v1', () => {
  const reset: DeviceRule = { allow: false, type: 'a', major: undefined, minor: undefined, access: 'rwm' }
  const allows = rules.map((list) => [
    reset,
    ...list.map((each) => ({ ...each, allow: true })),
    ...DEFAULT_DEVICE_RULES,
  ])
  fc.assert(fc.property(allows, (list) => v1DeviceList(devicePolicy(list)) !== undefined))
})

const DEFAULT_LIST = [
  ...['c *:* m', 'b *:* m', 'c 1:3 rwm', 'c 1:5 rwm', 'c 1:7 rwm', 'c 1:8 rwm', 'c 1:9 rwm', 'c 5:0 rwm', 'c 5:2 rwm'],
  ...['c 136:* rwm', 'c 10:200 rwm'],
]

test('the default devices, and only the lines that are needed', () => {
  assert.equal(v1DeviceList(devicePolicy(DEFAULT_DEVICE_RULES)), { start: 'devices.deny', exceptions: DEFAULT_LIST })
})

test('exceptions stand in the order of the rules, whatever their kinds', () => {
  const allows = (type: 'c' | 'b', major: number, minor: number | undefined, access: string): DeviceRule => ({
    allow: true,
    type,
    major,
    minor,
    access,
  })
  const list: DeviceRule[] = [
    { allow: false, type: 'a', major: undefined, minor: undefined, access: 'rwm' },
    allows('c', 10, 229, 'rwm'),
    allows('b', 8, 20, 'rw'),
    allows('c', 7, undefined, 'r'),
    allows('b', 10, 200, 'r'),
  ]
  const { exceptions } = v1DeviceList(devicePolicy([...list, ...DEFAULT_DEVICE_RULES]))
  assert.equal(exceptions, ['c 10:229 rwm', 'b 8:20 rw', 'c 7:* r', 'b 10:200 r', ...DEFAULT_LIST])
})

test('all devices allowed is one write; an exception to that is another default', () => {
  const all: DeviceRule = { allow: true, type: 'a', major: undefined, minor: undefined, access: 'rwm' }
  const none: DeviceRule = { allow: false, type: 'b', major: 8, minor: undefined, access: 'w' }
  assert.equal(v1DeviceList(devicePolicy([all])), { start: 'devices.allow', exceptions: [] })
  assert.equal(v1DeviceList(devicePolicy([all, none])), { start: 'devices.allow', exceptions: ['b 8:* w'] })
})

test('a hole that v1 can not make is refused, and a number that no device has', () => {
  const list: DeviceRule[] = [
    { allow: true, type: 'c', major: 1, minor: undefined, access: 'rwm' },
    { allow: false, type: 'c', major: 1, minor: 3, access: 'w' },
    { allow: false, type: 'c', major: 2, minor: undefined, access: 'rwm' },
    { allow: true, type: 'c', major: 2, minor: 3, access: 'rwm' },
  ]
  assert.throws(() => v1DeviceList(devicePolicy(list)), /linux\.resources\.devices: cgroup v1 can not/)
  const huge: DeviceRule = { allow: true, type: 'c', major: 4294967295, minor: 0, access: 'r' }
  assert.throws(() => devicePolicy([huge]), /^linux\.resources\.devices\[0\]\.major: 4294967295 is not in 0 … 4095/)
})

test('programs that allow nothing have no instruction that nothing leads to', () => {
  const program = deviceProgram(devicePolicy([]))
  assert.is(isAllowedByProgram(program, { kind: 'c', major: 1, minor: 3, access: 'r' }), false)
})

test.run()
