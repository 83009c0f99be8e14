// What the kernel writes is read back, and any other text is no crash.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { blkioV1, blkioV2 } from './stats-blkio.ts'
import { keyedLinesOf, membersOf, numberOf, numbersOf, pressureOf, tableOf, UNLIMITED } from './stats-files.ts'

const root = mkdtempSync(`${tmpdir()}/runt-stats-files-`)
const file = `${root}/file`

/** What a reader makes of a text. */
function read<T>(reader: (path: string) => T, text: string): T {
  writeFileSync(file, text)
  return reader(file)
}

const count = fc.bigInt(0n, 2n ** 64n - 1n)
const word = fc.stringMatching(/^[a-z_]{1,8}$/)
const RUNS = { numRuns: 60 }

test('numbers keep their 64 bits; "max" is none', () => {
  void fc.assert(
    fc.property(fc.array(count), (numbers) => {
      assert.equal(read(numbersOf, `${numbers.join(' ')} \n`), numbers)
      const [first = 0n] = numbers
      assert.is(read(numberOf, `${first}\n`), first)
    }),
    RUNS,
  )
  assert.is(read(numberOf, 'max\n'), UNLIMITED)
})

test('a table has a row for each name', () => {
  void fc.assert(
    fc.property(fc.dictionary(word, count), (table) => {
      const text = Object.entries(table).map(([name, value]) => `${name} ${value}\n`)
      assert.equal(Object.fromEntries(read(tableOf, text.join(''))), { ...table })
    }),
    RUNS,
  )
})

test('a list of CPUs is each of them', () => {
  void fc.assert(
    fc.property(fc.uniqueArray(fc.nat(200), { maxLength: 40 }), (cpus) => {
      const sorted = [...cpus].sort((a, b) => a - b)
      const ranges: [number, number][] = []
      for (const cpu of sorted) {
        const last = ranges.at(-1)
        if (last?.[1] === cpu - 1) last[1] = cpu
        else ranges.push([cpu, cpu])
      }
      const text = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
      assert.equal(read(membersOf, `${text}\n`), sorted)
    }),
    RUNS,
  )
})

test('pressure is read to the last digit', () => {
  const hundredths = fc.nat(10_000).map((n) => (n / 100).toFixed(2))
  const line = fc.tuple(hundredths, hundredths, hundredths, count)
  void fc.assert(
    fc.property(line, line, (some, full) => {
      const text = Object.entries({ some, full }).map(
        ([kind, [a, b, c, total]]) => `${kind} avg10=${a} avg60=${b} avg300=${c} total=${total}\n`,
      )
      const found = read(pressureOf, text.join(''))
      for (const [kind, [a, b, c, total]] of Object.entries({ some, full })) {
        const expected = { avg10: Number(a), avg60: Number(b), avg300: Number(c), total }
        assert.equal(found?.[kind as 'some' | 'full'], expected)
      }
    }),
    RUNS,
  )
})

const OPERATIONS = { rbytes: 'Read', wbytes: 'Write', dbytes: 'Discard' } as const

test('bytes of block devices are the same in the form of v1 and of v2', () => {
  const device = fc.record({
    major: fc.nat(4095),
    minor: fc.nat(2 ** 20 - 1),
    rbytes: count,
    wbytes: count,
    dbytes: count,
  })
  void fc.assert(
    fc.property(fc.array(device, { minLength: 1, maxLength: 4 }), (devices) => {
      const v2 = devices.map(
        (each) =>
          `${each.major}:${each.minor} rbytes=${each.rbytes} wbytes=${each.wbytes} rios=1 dbytes=${each.dbytes}\n`,
      )
      const v1 = devices.flatMap((each) =>
        Object.entries(OPERATIONS).map(
          ([key, op]) => `${each.major}:${each.minor} ${op} ${each[key as keyof typeof OPERATIONS]}\n`,
        ),
      )
      writeFileSync(`${root}/io.stat`, v2.join(''))
      writeFileSync(`${root}/blkio.throttle.io_service_bytes_recursive`, `${v1.join('')}Total 1\n`)
      const expected = devices.flatMap((each) =>
        Object.entries(OPERATIONS).map(([key, op]) => [
          each.major,
          each.minor,
          op,
          each[key as keyof typeof OPERATIONS],
        ]),
      )
      for (const { ioServiceBytesRecursive = [] } of [blkioV1(root), blkioV2(root)]) {
        const found = ioServiceBytesRecursive.map(({ major = 0n, minor = 0n, op, value = 0n }) => [
          Number(major),
          Number(minor),
          op,
          value,
        ])
        assert.equal(found, expected)
      }
    }),
    RUNS,
  )
})

test('any text has a meaning, if only that of nothing', () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'09-,:= \nmaxsome') }))
  void fc.assert(
    fc.property(text, (given) => {
      assert.is(typeof read(numberOf, given), 'bigint')
      assert.ok(read(numbersOf, given).every((each) => typeof each === 'bigint'))
      assert.ok([...read(tableOf, given).values()].every((each) => typeof each === 'bigint'))
      assert.ok(read(membersOf, given).every(Number.isSafeInteger), JSON.stringify(given))
      assert.ok(read(keyedLinesOf, given).every(({ name }) => !/[ \n]/.test(name)))
      read(pressureOf, given)
      writeFileSync(`${root}/io.stat`, given)
      blkioV2(root)
    }),
    { numRuns: 200 },
  )
})

test.after(() => rmSync(root, { recursive: true }))
test.run()
