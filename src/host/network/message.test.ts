import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { IFA, IFA_F, RTM } from '../../linux/rtnetlink.ts'
import { numbered } from './devices.ts'
import {
  type Address,
  addAddress,
  changeLink,
  decodeAddress,
  decodeLink,
  decodeMessages,
  errorOf,
  getLink,
  type Message,
  relabelled,
} from './message.ts'

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function only(bytes: Uint8Array): Message {
  const [message] = decodeMessages(bytes)
  if (message === undefined) throw new Error('no message')
  return message
}

test('a request has the layout of rtnetlink(7)', () => {
  // header: length, type, flags, sequence, pid; ifinfomsg; IFLA_IFNAME "eth0"
  const header = '2c000000' + '1200' + '0100' + '00000000' + '00000000'
  assert.is(hex(getLink('eth0')), `${header}${'00'.repeat(16)}${'0900' + '0300'}${'6574683000'}000000`)
  // flags REQUEST|ACK; index 7, up of up; name; descriptor 5
  const change = changeLink(7, { name: 'x', namespace: 5, up: true })
  const part = '0000' + '0000' + '07000000' + '01000000' + '01000000'
  assert.is(
    hex(change),
    `30000000${'1000'}${'0500'}${'00'.repeat(8)}${part}${'0600' + '0300' + '7800'}0000${'0800' + '1c00' + '05000000'}`,
  )
})

const ADDRESS: Address = {
  family: 2,
  prefixLength: 24,
  flags: IFA_F.PERMANENT | 0x200,
  scope: 0,
  index: 3,
  attributes: [
    { type: 2, value: new Uint8Array([10, 0, 0, 1]) },
    { type: IFA.LABEL, value: new TextEncoder().encode('eth0:web\0') },
  ],
}

test('an address that is read can be given again, without the flags that only the kernel sets', () => {
  const { type, body } = only(addAddress(9, { ...ADDRESS, flags: ADDRESS.flags | IFA_F.TENTATIVE | IFA_F.DADFAILED }))
  assert.is(type, RTM.NEWADDR)
  assert.equal(decodeAddress({ type, body }), { ...ADDRESS, index: 9 })
})

test('a label follows the name of its device', () => {
  const labelOf = (address: Address) => {
    const value = address.attributes.find(({ type }) => type === IFA.LABEL)?.value
    return value === undefined ? undefined : new TextDecoder().decode(value)
  }
  assert.is(labelOf(relabelled(ADDRESS, 'eth0', 'net1', 15)), 'net1:web\0')
  assert.is(labelOf(relabelled(ADDRESS, 'eth', 'net1', 15)), 'eth0:web\0')
  assert.is(labelOf(relabelled(ADDRESS, 'eth0', 'a-long-name-is', 15)), undefined)
})

test('errors and devices are read', () => {
  const error = new Uint8Array(36)
  const view = new DataView(error.buffer)
  view.setUint32(0, 36, true)
  view.setUint16(4, 2, true)
  view.setInt32(16, -17, true)
  assert.is(errorOf(only(error)), 17)
  assert.equal(decodeLink(only(changeLink(7, { name: 'eth0', up: true }))), { index: 7, flags: 1, name: 'eth0' })
})

test('what is cut short is an error', () => {
  assert.throws(() => decodeMessages(getLink('eth0').subarray(0, 20)), /netlink message of 44 bytes/)
  const broken = getLink('eth0')
  broken[32] = 200
  assert.throws(() => decodeLink(only(broken)), /netlink attribute of 200 bytes/)
})

const PLAIN = { noNullPrototype: true } as const
const bytes = fc.uint8Array({ maxLength: 20 })
const attribute = fc.record(
  { type: fc.integer({ min: 1, max: 0x3fff }).filter((type) => type !== IFA.FLAGS), value: bytes },
  PLAIN,
)

test('an address is read as it was written, whatever its attributes', () => {
  const address = fc.record(
    {
      family: fc.constantFrom(2, 10),
      prefixLength: fc.nat(128),
      flags: fc.nat(0xffff).map((flags) => flags & ~(IFA_F.SECONDARY | IFA_F.DADFAILED | IFA_F.TENTATIVE)),
      scope: fc.nat(255),
      index: fc.nat(2 ** 31 - 1),
      attributes: fc.array(attribute, { maxLength: 5 }),
    },
    PLAIN,
  )
  void fc.assert(
    fc.property(address, fc.nat(2 ** 31 - 1), (given, index) => {
      const message = addAddress(index, given)
      assert.is(message.length % 4, 0)
      assert.equal(decodeAddress(only(message)), { ...given, index })
    }),
  )
})

test('a device is read as it was changed', () => {
  const name = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((each) => !each.includes('\0'))
  void fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), name, fc.boolean(), (index, given, up) => {
      assert.equal(decodeLink(only(changeLink(index, { name: given, up }))), { index, flags: Number(up), name: given })
    }),
  )
})

test('messages of one datagram are as many as were put into it', () => {
  void fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{1,15}$/)), (names) => {
      const datagram = Buffer.concat(names.map((each) => getLink(each)))
      assert.equal(
        decodeMessages(datagram).map((message) => decodeLink(message).name),
        names,
      )
    }),
  )
})

test('whatever comes, it is read, or refused in words', () => {
  const noise = fc.uint8Array({ maxLength: 80 })
  const header = fc
    .tuple(fc.nat(48), noise)
    .map(([length, rest]) => new Uint8Array([length, 0, 0, 0, 16, 0, 0, 0, ...new Uint8Array(8), ...rest]))
  void fc.assert(
    fc.property(fc.oneof(noise, header), (datagram) => {
      for (const decode of [decodeLink, decodeAddress, errorOf] as ((message: Message) => unknown)[]) {
        try {
          decodeMessages(datagram).map(decode)
        } catch (error) {
          assert.match((error as Error).message, /^netlink (message|attribute) of \d+ bytes$/)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('a template becomes the lowest name that is free', () => {
  assert.is(numbered('eth%d', new Set(['lo'])), 'eth0')
  assert.is(numbered('eth%d', new Set(['eth0', 'eth1', 'eth3'])), 'eth2')
  assert.is(numbered('a%db', new Set(['a0b'])), 'a1b')
})

test.run()
