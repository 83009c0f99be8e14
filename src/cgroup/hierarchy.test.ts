import * as fc from 'fast-check'
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

/** As the kernel writes it: seq_path() of fs/seq_file.c. */
const encoded = (path: string): string =>
  path.replace(/[ \t\n\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)

const name = fc.string({ unit: fc.constantFrom(...'ab07 \t\n\\#-é'), minLength: 1, maxLength: 8 })
const folder = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`)
const GROUPS = [['cpu', 'cpuacct'], ['memory'], ['pids'], ['net_cls', 'net_prio'], ['freezer'], ['devices']] as const

test('hierarchies are read wherever they are mounted, whatever the names of the folders', () => {
  const mounted = fc.record({
    groups: fc.uniqueArray(fc.constantFrom(...GROUPS)),
    places: fc.uniqueArray(folder, { minLength: GROUPS.length + 1, maxLength: GROUPS.length + 1 }),
    roots: fc.array(folder, { minLength: GROUPS.length + 1, maxLength: GROUPS.length + 1 }),
    tags: fc.subarray(['shared:3', 'master:7', 'propagate_from:2', 'unbindable']),
    unified: fc.boolean(),
  })
  void fc.assert(
    fc.property(mounted, ({ groups, places, roots, tags, unified }) => {
      const line = (type: string, index: number, options: readonly string[]): string =>
        [
          `${40 + index} 27 0:${30 + index} ${encoded(roots[index] ?? '')} ${encoded(places[index] ?? '')} rw`,
          ...tags,
          '-',
        ]
          .concat(type, 'cgroup', ['rw', ...options].join(','))
          .join(' ')
      const v1 = groups.map((controllers, index) => line('cgroup', index, controllers))
      // A place inside another's would be covered by it.
      fc.pre(places.every((one) => !places.some((other) => other !== one && `${one}/`.startsWith(`${other}/`))))
      const found = parse(...v1, ...(unified ? [line('cgroup2', groups.length, ['nsdelegate'])] : []))
      const expected = groups.map((controllers, index) => ({
        name: controllers.join(','),
        controllers: [...controllers],
        mountpoint: places[index],
        root: roots[index],
      }))
      assert.equal(found.v1, expected)
      assert.is(found.unified?.mountpoint, unified ? places[groups.length] : undefined)
      const mode = groups.length > 0 ? (unified ? 'hybrid' : 'v1') : unified ? 'v2' : 'none'
      assert.is(found.mode, mode)
    }),
  )
})

test('mounts that stand on each other are no reason to go round for ever', () => {
  // The id of the root comes twice, which no kernel writes.
  const found = parse('41 27 0:29 / /m rw - cgroup cgroup rw,memory', '27 41 0:30 / /m rw - cgroup cgroup rw,pids')
  assert.is(found.v1.length, 1)
})

test('whatever stands there, it is read', () => {
  const words = fc.constantFrom(
    '27',
    '1',
    '/',
    '/sys/fs/cgroup',
    '-',
    'cgroup',
    'cgroup2',
    'rw,memory',
    'name=',
    '\\04',
    '',
    '\n',
  )
  void fc.assert(
    fc.property(fc.array(words, { maxLength: 60 }), (texts) => {
      const { mode, v1, unified } = parseHierarchies(texts.join(' '))
      const expected = v1.length > 0 ? (unified ? 'hybrid' : 'v1') : unified ? 'v2' : 'none'
      assert.is(mode, expected)
    }),
    { numRuns: 2000 },
  )
})

test.run()
