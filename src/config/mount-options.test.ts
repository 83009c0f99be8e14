import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MOUNT_ATTR, MOUNT_ATTR_ATIME_MASK, MS } from '../linux/mount-flags.ts'
import { mountOptionNames, parseMountOptions, splitAtCommas } from './mount-options.ts'
import type { MountOptions } from './types.ts'

const EMPTY: MountOptions = {
  attrSet: 0,
  attrClear: 0,
  atimeSet: false,
  recursiveSet: 0,
  recursiveClear: 0,
  propagation: [],
  recursiveBind: false,
  superblock: [],
  legacyFlags: 0,
  tmpcopyup: false,
  nofollow: { source: false, destination: false },
  idmap: undefined,
  data: [],
}

const { RDONLY, NOSUID, NODEV, NOEXEC, NOATIME, STRICTATIME, NODIRATIME, NOSYMFOLLOW } = MOUNT_ATTR
const ATIME = MOUNT_ATTR_ATIME_MASK

/** One word, or several with commas → what differs from no options at all. */
const CASES: readonly (readonly [string, Partial<MountOptions>])[] = [
  ['defaults', {}],
  ['ro', { attrSet: RDONLY }],
  ['rw', { attrClear: RDONLY }],
  ['nosuid', { attrSet: NOSUID }],
  ['suid', { attrClear: NOSUID }],
  ['nodev', { attrSet: NODEV }],
  ['dev', { attrClear: NODEV }],
  ['noexec', { attrSet: NOEXEC }],
  ['exec', { attrClear: NOEXEC }],
  ['nodiratime', { attrSet: NODIRATIME }],
  ['diratime', { attrClear: NODIRATIME }],
  ['nosymfollow', { attrSet: NOSYMFOLLOW }],
  ['symfollow', { attrClear: NOSYMFOLLOW }],
  ['noatime', { attrSet: NOATIME, attrClear: ATIME, atimeSet: true }],
  ['atime', { attrClear: ATIME }],
  ['strictatime', { attrSet: STRICTATIME, attrClear: ATIME, atimeSet: true }],
  ['nostrictatime', { attrClear: ATIME }],
  ['relatime', { attrClear: ATIME, atimeSet: true }],
  ['norelatime', {}],
  ['rro', { recursiveSet: RDONLY }],
  ['rrw', { recursiveClear: RDONLY }],
  ['rnosuid', { recursiveSet: NOSUID }],
  ['rsuid', { recursiveClear: NOSUID }],
  ['rnodev', { recursiveSet: NODEV }],
  ['rdev', { recursiveClear: NODEV }],
  ['rnoexec', { recursiveSet: NOEXEC }],
  ['rexec', { recursiveClear: NOEXEC }],
  ['rnodiratime', { recursiveSet: NODIRATIME }],
  ['rdiratime', { recursiveClear: NODIRATIME }],
  ['rnosymfollow', { recursiveSet: NOSYMFOLLOW }],
  ['rsymfollow', { recursiveClear: NOSYMFOLLOW }],
  ['rnoatime', { recursiveSet: NOATIME, recursiveClear: ATIME }],
  ['ratime', { recursiveClear: ATIME }],
  ['rstrictatime', { recursiveSet: STRICTATIME, recursiveClear: ATIME }],
  ['rnostrictatime', { recursiveClear: ATIME }],
  ['rrelatime', { recursiveClear: ATIME }],
  ['rnorelatime', {}],
  ['shared', { propagation: [{ flag: MS.SHARED, recursive: false }] }],
  ['slave', { propagation: [{ flag: MS.SLAVE, recursive: false }] }],
  ['private', { propagation: [{ flag: MS.PRIVATE, recursive: false }] }],
  ['unbindable', { propagation: [{ flag: MS.UNBINDABLE, recursive: false }] }],
  ['rshared', { propagation: [{ flag: MS.SHARED, recursive: true }] }],
  ['rslave', { propagation: [{ flag: MS.SLAVE, recursive: true }] }],
  ['rprivate', { propagation: [{ flag: MS.PRIVATE, recursive: true }] }],
  ['runbindable', { propagation: [{ flag: MS.UNBINDABLE, recursive: true }] }],
  ['sync', { superblock: ['sync'] }],
  ['async', { superblock: ['async'] }],
  ['dirsync', { superblock: ['dirsync'] }],
  ['lazytime', { superblock: ['lazytime'] }],
  ['nolazytime', { superblock: ['nolazytime'] }],
  ['mand', { superblock: ['mand'] }],
  ['nomand', { superblock: ['nomand'] }],
  ['iversion', { legacyFlags: MS.I_VERSION }],
  ['noiversion', {}],
  ['silent', { legacyFlags: MS.SILENT }],
  ['loud', {}],
  ['bind', {}],
  ['rbind', { recursiveBind: true }],
  ['remount', {}],
  ['tmpcopyup', { tmpcopyup: true }],
  ['idmap', { idmap: 'idmap' }],
  ['src-nofollow', { nofollow: { source: true, destination: false } }],
  ['dest-nofollow', { nofollow: { source: false, destination: true } }],
  ['ridmap', { idmap: 'ridmap' }],
  ['_netdev', {}],
  ['auto', {}],
  ['noauto', {}],
  ['nofail', {}],
]

for (const [word, expected] of CASES) {
  test(word, () => assert.equal(parseMountOptions([word]).options, { ...EMPTY, ...expected }))
}

test('every name has a case', () => {
  assert.equal(CASES.map(([word]) => word).sort(), mountOptionNames())
})

const TOGETHER: readonly (readonly [readonly string[], Partial<MountOptions>])[] = [
  [[], {}],
  [[''], {}],
  [['ro', 'rw'], { attrClear: RDONLY }],
  [['suid', 'nosuid'], { attrSet: NOSUID }],
  [['rro', 'rw'], { recursiveSet: RDONLY, attrClear: RDONLY }],
  [['noatime', 'strictatime'], { attrSet: STRICTATIME, attrClear: ATIME, atimeSet: true }],
  [['noatime', 'relatime'], { attrClear: ATIME, atimeSet: true }],
  [['noatime', 'atime'], { attrClear: ATIME }],
  [['strictatime', 'atime'], { attrSet: STRICTATIME, attrClear: ATIME, atimeSet: true }],
  [['noatime', 'nostrictatime'], { attrSet: NOATIME, attrClear: ATIME, atimeSet: true }],
  [['noatime', 'nodiratime'], { attrSet: NOATIME | NODIRATIME, attrClear: ATIME, atimeSet: true }],
  [['rbind', 'bind'], { recursiveBind: true }],
  [['sync', 'lazytime', 'async'], { superblock: ['lazytime', 'async'] }],
  [['silent', 'loud', 'iversion'], { legacyFlags: MS.I_VERSION }],
  [['size=1m,mode=755', 'nosuid,,nodev'], { attrSet: NOSUID | NODEV, data: ['size=1m', 'mode=755'] }],
  [['lowerdir=/a\\,b:/c,upperdir=/u\\\\,index=off'], { data: ['lowerdir=/a\\,b:/c', 'upperdir=/u\\\\', 'index=off'] }],
  [['a\\'], { data: ['a\\'] }],
  [['x-systemd.automount', 'X-mount.mkdir', 'comment=a', 'RO'], { data: ['RO'] }],
  [
    ['rprivate', 'shared'],
    {
      propagation: [
        { flag: MS.PRIVATE, recursive: true },
        { flag: MS.SHARED, recursive: false },
      ],
    },
  ],
]

for (const [words, expected] of TOGETHER) {
  test(words.join(' ') || 'nothing', () => assert.equal(parseMountOptions(words).options, { ...EMPTY, ...expected }))
}

test('bind and remount', () => {
  for (const [words, bind, remount] of [
    [['ro'], false, false],
    [['rbind'], true, false],
    [['bind', 'remount'], true, true],
    [['remount,ro'], false, true],
  ] as const) {
    const result = parseMountOptions(words)
    assert.equal([result.bind, result.remount], [bind, remount], words.join())
  }
})

const known = fc.constantFrom(...mountOptionNames())
/** Of a file system's own: none that is known, and none of mount(8)'s comments. */
const foreign = fc
  .oneof(
    fc.stringMatching(/^[a-z_]{1,6}(=[a-z0-9:/.]{0,6})?$/),
    fc.constantFrom('constructor', '__proto__', 'toString', 'hasOwnProperty', 'RO', 'rro2', 'rbind=1'),
  )
  .filter((word) => !mountOptionNames().includes(word) && !/^([xX]-|comment=)/.test(word))
const words = fc.array(fc.oneof(known, foreign), { maxLength: 12 })

test('what is not known is data, in its order, and nothing that is known is', () => {
  void fc.assert(
    fc.property(words, (given) => {
      const data = given.filter((word) => !mountOptionNames().includes(word))
      assert.equal(parseMountOptions(given).options.data, data)
    }),
  )
})

test('no bit is asked for and refused at once; of the atime modes there is one at most', () => {
  void fc.assert(
    fc.property(words, (given) => {
      const { attrSet, attrClear, recursiveSet, recursiveClear } = parseMountOptions(given).options
      for (const [set, clear] of [
        [attrSet, attrClear],
        [recursiveSet, recursiveClear],
      ] as const) {
        assert.is(set & clear & ~ATIME, 0)
        assert.ok([0, NOATIME, STRICTATIME].includes(set & ATIME))
        assert.ok((set & ATIME) === 0 || (clear & ATIME) === ATIME)
      }
    }),
  )
})

/** Each flag of the kernel's → the word that asks for it and the one that refuses it. */
const PAIRS = [
  ['ro', 'rw', RDONLY],
  ['nosuid', 'suid', NOSUID],
  ['nodev', 'dev', NODEV],
  ['noexec', 'exec', NOEXEC],
  ['nodiratime', 'diratime', NODIRATIME],
  ['nosymfollow', 'symfollow', NOSYMFOLLOW],
] as const

test('of words that contradict each other the last counts, for the mount and for its tree apart', () => {
  void fc.assert(
    fc.property(words, fc.constantFrom('', 'r'), (given, r) => {
      const { options } = parseMountOptions(given)
      for (const [yes, no, flag] of PAIRS) {
        const last = given.findLast((word) => word === r + yes || word === r + no)
        const [set, clear] =
          r === '' ? [options.attrSet, options.attrClear] : [options.recursiveSet, options.recursiveClear]
        assert.is((set & flag) !== 0, last === r + yes && last !== undefined, given.join())
        assert.is((clear & flag) !== 0, last === r + no && last !== undefined, given.join())
      }
    }),
  )
})

test('options in one text, with commas, mean what they mean one by one', () => {
  void fc.assert(
    fc.property(words, fc.infiniteStream(fc.boolean()), (given, joins) => {
      const joined: string[] = []
      for (const word of given) {
        const last = joined.pop()
        if (last === undefined) joined.push(word)
        else if (joins.next().value) joined.push(`${last},${word}`)
        else joined.push(last, word)
      }
      assert.equal(parseMountOptions(joined), parseMountOptions(given))
    }),
  )
})

test('commas part a text but for those behind a backslash, and nothing of it is lost', () => {
  void fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab=,,\\\\') }), (text) => {
      const parts = splitAtCommas(text)
      const apart: string[] = ['']
      for (let at = 0; at < text.length; at++) {
        if (text[at] === ',') apart.push('')
        else apart.push(`${apart.pop()}${text[at]}${text[at] === '\\' ? (text[++at] ?? '') : ''}`)
      }
      assert.equal(
        parts,
        apart.filter((part) => part !== ''),
      )
    }),
    { numRuns: 500 },
  )
})

test.run()
