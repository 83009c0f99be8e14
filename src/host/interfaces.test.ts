import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { interfacesOf, parseInterfaces } from './interfaces.ts'

const TITLES = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`

test('all interfaces but the loopback, with names of any width', () => {
  const lines = `    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0: 18446744073709551615 2 3 4 5 6 7 8 11 12 13 14 15 16 17 18
longinterfacena:1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0
`
  assert.equal(parseInterfaces(TITLES + lines), [
    {
      Name: 'eth0',
      RxBytes: 18446744073709551615n,
      RxPackets: 2n,
      RxErrors: 3n,
      RxDropped: 4n,
      TxBytes: 11n,
      TxPackets: 12n,
      TxErrors: 13n,
      TxDropped: 14n,
    },
    {
      Name: 'longinterfacena',
      RxBytes: 1n,
      RxPackets: 2n,
      RxErrors: 3n,
      RxDropped: 4n,
      TxBytes: 5n,
      TxPackets: 6n,
      TxErrors: 7n,
      TxDropped: 8n,
    },
  ])
})

test('every counter of every interface keeps its 64 bits', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9.@_-]{0,14}$/).filter((each) => each !== 'lo')
  const counters = fc.array(fc.bigInt(0n, 2n ** 64n - 1n), { minLength: 16, maxLength: 16 })
  void fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, counters), { selector: ([each]) => each }), fc.nat(8), (list, width) => {
      const lines = list.map(
        ([each, numbers]) => `${each.padStart(width)}:${numbers.map((n) => `${n}`.padStart(width)).join(' ')}\n`,
      )
      const found = parseInterfaces(TITLES + lines.join(''))
      const shown = found.map(
        ({ Name, RxBytes, RxPackets, RxErrors, RxDropped, TxBytes, TxPackets, TxErrors, TxDropped }) => [
          Name,
          [RxBytes, RxPackets, RxErrors, RxDropped, TxBytes, TxPackets, TxErrors, TxDropped],
        ],
      )
      assert.equal(
        shown,
        list.map(([each, numbers]) => [each, [...numbers.slice(0, 4), ...numbers.slice(8, 12)]]),
      )
    }),
  )
})

test('a process in our own network namespace has none of its own', () => {
  assert.is(interfacesOf(process.pid), null)
})

test('nor has one that is gone', () => {
  assert.is(interfacesOf(4194304), null)
})

test.run()
