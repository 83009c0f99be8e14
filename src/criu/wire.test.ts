import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { many, one } from './fields.ts'
import { REQUEST, REQUEST_FIELDS, RESPONSE_FIELDS } from './messages.ts'
import { decode, encode } from './wire.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('numbers, texts, lists and messages in messages, as the wire format has them', () => {
  const bytes = encode(REQUEST_FIELDS, {
    type: REQUEST.DUMP,
    opts: { images_dir_fd: 5, pid: 300, leave_running: true, ext_mnt: [{ key: '/a', val: 'b' }], external: ['x', ''] },
  })
  const mapped = ['ba0107', '0a022f61', '120162']
  const opts = ['0805', '10ac02', '1801', ...mapped, 'aa020178', 'aa0200'].join('')
  assert.is(hex(bytes), `080112${(opts.length / 2).toString(16).padStart(2, '0')}${opts}`)
})

test('a negative int32 takes ten bytes', () => {
  assert.is(hex(encode(RESPONSE_FIELDS, { cr_errno: -1 })), `38${'ff'.repeat(9)}01`)
  assert.equal(decode(RESPONSE_FIELDS, encode(RESPONSE_FIELDS, { cr_errno: -52 })), { cr_errno: -52 })
})

test('what is undefined is left out, and zero and false are not', () => {
  assert.is(hex(encode(REQUEST_FIELDS, { type: 0, notify_success: false, opts: undefined })), '08001800')
})

test('every field comes back', () => {
  const request = {
    type: REQUEST.RESTORE,
    opts: {
      images_dir_fd: 7,
      ps: { address: '::1', port: 65535 },
      root: '/rootfs ☃',
      ext_mnt: [
        { key: '/a', val: '/b' },
        { key: '/c', val: '/d' },
      ],
      cg_root: [{ ctrl: '', path: '/x' }],
      inherit_fd: [{ key: 'pipe:[1]', fd: 0 }],
      external: ['net[1]:extRootNetNS'],
      empty_ns: 0x40000000,
      join_ns: [{ ns: 'ipc', ns_file: '/proc/1/ns/ipc' }],
      lsm_mount_context: 'x',
    },
    features: { mem_track: true, lazy_pages: false },
  }
  assert.equal(decode(REQUEST_FIELDS, encode(REQUEST_FIELDS, request)), request)
})

test('fields that nobody knows are passed over, whatever their type', () => {
  const unknown = ['a006ff01', '9d06' + '00000000', '9906' + '0000000000000000', '92060161'].join('')
  const bytes = Buffer.from(`0801${unknown}1001`, 'hex')
  assert.equal(decode(RESPONSE_FIELDS, bytes), { type: 1, success: true })
})

const NUMBERS = {
  list: many(1, 'uint32'),
  large: one(2, 'uint64'),
  raw: one(3, 'bytes'),
  inner: one(4, { x: one(1, 'bool') }),
}

test('numbers of 64 bits and bytes', () => {
  const message = { list: [0, 0xffffffff], large: 0xffffffffffffffffn, raw: Uint8Array.of(0, 255) }
  assert.equal(decode(NUMBERS, encode(NUMBERS, message)), message)
})

test('a list of numbers may come as one field, in parts', () => {
  assert.equal(decode(NUMBERS, Buffer.from('0a020102' + '0803' + '0a00' + '0a03ac0204', 'hex')), {
    list: [1, 2, 3, 300, 4],
  })
})

test('what another reader might take otherwise is an error', () => {
  const cases = ['10011002', '22020801' + '22020800', '1201ff', '0801' + '0a0180', '2203080108', '2204' + '0801']
  for (const text of cases) assert.throws(() => decode(NUMBERS, Buffer.from(text, 'hex')), Error, text)
})

test('what is no message is an error', () => {
  for (const text of ['08', '2a05', 'ff']) assert.throws(() => decode(RESPONSE_FIELDS, Buffer.from(text, 'hex')), Error)
})

test.run()
