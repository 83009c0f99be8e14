import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseHierarchies } from './hierarchy.ts'

const SYSTEM = [
  '27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
  '23 27 0:22 / /sys rw,nosuid shared:2 master:7 - sysfs sysfs rw',
]
const TMPFS = '31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755'
const parse = (...lines: string[]) => parseHierarchies(`${[...SYSTEM, ...lines].join('\n')}\n`)

test('v1, with controllers mounted together and a hierarchy that only has a name', () => {
  const found = parse(
    TMPFS,
    '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct',
    '33 31 0:30 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,xattr,release_agent=/lib/x,name=systemd',
  )
  assert.is(found.mode, 'v1')
  assert.is(found.unified, undefined)
  assert.equal(found.v1, [
    { name: 'cpu,cpuacct', controllers: ['cpu', 'cpuacct'], mountpoint: '/sys/fs/cgroup/cpu,cpuacct', root: '/' },
    { name: 'systemd', controllers: [], mountpoint: '/sys/fs/cgroup/systemd', root: '/' },
  ])
})

test('hybrid, v2 and none', () => {
  const memory = '32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory'
  const unified = '33 31 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate'
  assert.is(parse(TMPFS, memory, unified).mode, 'hybrid')
  assert.is(parse(TMPFS, memory, unified).unified?.mountpoint, '/sys/fs/cgroup/unified')
  const v2 = parse('31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw', memory)
  assert.equal([v2.mode, v2.v1, v2.unified?.mountpoint], ['v2', [], '/sys/fs/cgroup'])
  assert.equal(parse(), { mode: 'none', v1: [] })
  assert.equal(parseHierarchies(''), { mode: 'none', v1: [] })
})

test('a mount that another one covers does not count', () => {
  const memory = '32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory'
  const found = parse(TMPFS, memory, '90 31 0:50 / /sys/fs/cgroup rw - cgroup2 none rw')
  assert.equal([found.mode, found.unified?.mountpoint], ['v2', '/sys/fs/cgroup'])
  assert.is(parse(TMPFS, memory, '90 23 0:50 / /sys/fs rw - tmpfs none rw').mode, 'none')
  assert.is(parse(TMPFS, memory, '90 32 0:50 / /sys/fs/cgroup/memory rw - tmpfs none rw').mode, 'none')
})

test('of several mounts the usual place wins, then the whole, then the first', () => {
  const found = parse(
    '40 27 0:29 / /var/lib/x/rootfs/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    TMPFS,
    '41 31 0:29 /docker/1 /sys/fs/cgroup/part rw - cgroup cgroup rw,memory',
    '42 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '43 31 0:29 / /sys/fs/cgroup/again rw - cgroup cgroup rw,memory',
  )
  assert.equal(
    found.v1.map(({ mountpoint }) => mountpoint),
    ['/sys/fs/cgroup/memory'],
  )
})

test("a container's part of a hierarchy, odd characters in paths, a process in a chroot", () => {
  const inside = parse(TMPFS, '32 31 0:29 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory')
  assert.is(inside.v1[0]?.root, '/docker/ab')
  const odd = parse('32 27 0:29 / /mnt/a\\040b\\134 rw - cgroup cgroup rw,pids')
  assert.is(odd.v1[0]?.mountpoint, '/mnt/a b\\')
  const chroot = '32 99 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids'
  assert.is(parseHierarchies(chroot).v1[0]?.mountpoint, '/sys/fs/cgroup/pids')
})

test.run()
