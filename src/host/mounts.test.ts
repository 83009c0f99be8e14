import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseMounts } from './mounts.ts'

test('id, root, place and type of each mount, whatever optional fields there are', () => {
  const text = `42 44 254:0 /a/rootfs / rw,relatime - ext4 /dev/vda rw
76 42 0:40 / /proc rw,relatime shared:5 master:1 - proc proc rw
77 42 0:41 / /with\\040space\\134and\\012line rw - tmpfs tmpfs rw,mode=755
`
  assert.equal(parseMounts(text), [
    { id: 42, root: '/a/rootfs', point: '/', type: 'ext4' },
    { id: 76, root: '/', point: '/proc', type: 'proc' },
    { id: 77, root: '/', point: '/with space\\and\nline', type: 'tmpfs' },
  ])
})

test.run()
