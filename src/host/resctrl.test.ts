import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { changeSchemata, makeRdt, parseSchemata, planRdt, type RdtRequest, rdtTasks, resctrlRoot } from './resctrl.ts'

/** A folder that looks like resctrl, but for the files that the kernel would put into new groups. */
const root = mkdtempSync(`${tmpdir()}/resctrl-`)
mkdirSync(`${root}/shared/mon_groups`, { recursive: true })
writeFileSync(`${root}/shared/schemata`, '    L3:0=00ff;1=00FF\n    MB:0= 50;1=100\n')
writeFileSync(`${root}/schemata`, 'L3:0=ffff\n')
mkdirSync(`${root}/mon_groups`)

const NOTHING: RdtRequest = { closID: undefined, schemata: [], enableMonitoring: false }
const plan = (request: Partial<RdtRequest>) => planRdt(root, 'box', { ...NOTHING, ...request })

test('resctrl is where it is mounted', () => {
  const lines =
    '25 1 0:23 / /sys rw - sysfs sysfs rw\n40 25 0:40 / /sys/fs/res\\040ctrl rw shared:9 - resctrl resctrl rw\n'
  assert.is(resctrlRoot(lines), '/sys/fs/res ctrl')
  assert.throws(() => resctrlRoot('25 1 0:23 / /sys rw - sysfs sysfs rw'), /resctrl is not mounted/)
})

test('a container without closID has a group of its own, and takes it along', () => {
  assert.equal(plan({}), { directory: `${root}/box`, monitor: undefined, own: [`${root}/box`] })
  const monitor = `${root}/box/mon_groups/box`
  const group = plan({ enableMonitoring: true })
  assert.equal(group, { directory: `${root}/box`, monitor, own: [monitor, `${root}/box`] })
  assert.equal(rdtTasks(group), [`${root}/box/tasks`, `${monitor}/tasks`])
})

test('a group that others may be in stays; the monitoring group goes', () => {
  assert.equal(plan({ closID: 'shared' }).own, [])
  const monitor = `${root}/shared/mon_groups/box`
  assert.equal(plan({ closID: 'shared', enableMonitoring: true }).own, [monitor])
  assert.equal(plan({ closID: '/', enableMonitoring: true }), {
    directory: root,
    monitor: `${root}/mon_groups/box`,
    own: [`${root}/mon_groups/box`],
  })
})

test('a group that is there must have the limits that are asked for', () => {
  plan({ closID: 'shared', schemata: ['L3:0=ff;1=0ff', 'MB:1=100'] })
  plan({ closID: '/', schemata: ['L3:0=ffff'] })
  for (const [schemata, pattern] of [
    [['L3:0=fe'], /shared is there already, and for L3:0=fe it has ff$/],
    [['L3:2=ff'], /for L3:2=ff it has none$/],
    [['L2:0=f'], /for L2:0=f it has none$/],
    [['MB:0=50;1=50'], /for MB:1=50 it has 100$/],
  ] as const) {
    assert.throws(() => plan({ closID: 'shared', schemata }), pattern)
  }
})

test('a group that is not there is made only with limits', () => {
  assert.throws(() => plan({ closID: 'absent' }), /absent is not there, and without schemata none is made/)
  assert.equal(plan({ closID: 'absent', schemata: ['L3:0=1'] }).own, [])
})

test('names of resctrl, and groups of other containers, are refused', () => {
  for (const closID of ['info', 'mon_groups', 'mon_data']) {
    assert.throws(() => plan({ closID }), new RegExp(`${closID} is a name of resctrl's own`))
  }
  assert.throws(() => planRdt(root, 'shared', NOTHING), /shared is there already, and is another container's/)
})

test('what is made is told, innermost first', () => {
  assert.equal(makeRdt(plan({}), NOTHING), [`${root}/box`])
  rmSync(`${root}/box`, { recursive: true })
  const request = { ...NOTHING, closID: 'shared', enableMonitoring: true }
  assert.equal(makeRdt(plan(request), request), [`${root}/shared/mon_groups/box`])
  assert.ok(existsSync(`${root}/shared/mon_groups/box`))
  rmSync(`${root}/shared/mon_groups/box`, { recursive: true })
})

test('when the limits can not be written, nothing is left', () => {
  const before = readdirSync(root).sort()
  const request = { ...NOTHING, schemata: ['L3:0=1'] }
  // A new folder has no schemata file here.
  assert.throws(() => makeRdt(plan(request), request), /linux.intelRdt: openat .*box\/schemata: ENOENT/)
  assert.equal(readdirSync(root).sort(), before)
  const monitored = { ...NOTHING, enableMonitoring: true }
  assert.throws(() => makeRdt(plan(monitored), monitored), /linux.intelRdt: mkdirat .*: ENOENT/)
  assert.equal(readdirSync(root).sort(), before)
})

test('limits of a group are changed, and taken back as far as they were changed', () => {
  const file = `${root}/shared/schemata`
  const before = readFileSync(file, 'utf8')
  const undo = changeSchemata(`${root}/shared`, ['L3:0=1;1=2'])
  assert.is(readFileSync(file, 'utf8'), 'L3:0=1;1=2\n')
  undo()
  assert.is(readFileSync(file, 'utf8'), '    L3:0=00ff;1=00FF\n')
  writeFileSync(file, before)
  assert.throws(() => changeSchemata(`${root}/nowhere`, ['L3:0=1']), /nowhere\/schemata is not there/)
})

test('a group that somebody made meanwhile is looked at, too', () => {
  const request = { ...NOTHING, closID: 'shared', schemata: ['L3:0=1'] }
  const group = { directory: `${root}/shared`, monitor: undefined, own: [] }
  assert.throws(() => makeRdt(group, request), /has ff/)
  assert.is(readFileSync(`${root}/shared/schemata`, 'utf8').includes('L3:0=00ff'), true)
})

test('schemata read as the kernel shows them', () => {
  const parsed = parseSchemata(['', '  L3CODE:00=000F;1= f ', 'MB:0=10'])
  assert.equal(
    [...(parsed.get('L3CODE') ?? [])],
    [
      ['0', 'f'],
      ['1', 'f'],
    ],
  )
  assert.equal([...(parsed.get('MB') ?? [])], [['0', '10']])
})

test('resctrl is found wherever it is mounted', () => {
  const place = fc
    .string({ unit: fc.constantFrom(...'ab0 \t\n\\#'), minLength: 1, maxLength: 9 })
    .map((name) => `/${name}`)
  void fc.assert(
    fc.property(place, (path) => {
      const written = path.replace(/[ \t\n\\#]/g, (each) => `\\${each.charCodeAt(0).toString(8).padStart(3, '0')}`)
      assert.is(
        resctrlRoot(`25 1 0:23 / /sys rw - sysfs resctrl rw\n40 25 0:40 / ${written} rw - resctrl r rw\n`),
        path,
      )
    }),
  )
})

test('schemata that say the same are the same, however they are written', () => {
  const domain = fc.tuple(fc.nat(3), fc.nat(0xffff))
  const line = fc.tuple(
    fc.constantFrom('L3', 'L2CODE', 'MB'),
    fc.uniqueArray(domain, { minLength: 1, selector: ([id]) => id }),
  )
  const blank = fc.constantFrom('', ' ', '  ')
  void fc.assert(
    fc.property(
      fc.uniqueArray(line, { selector: ([resource]) => resource }),
      fc.infiniteStream(blank),
      (lines, blanks) => {
        const gap = (): string => blanks.next().value ?? ''
        const written = lines.map(([resource, domains]) => {
          const parts = domains.map(
            ([id, mask]) => `${gap()}0${id}${gap()}=${gap()}00${mask.toString(16).toUpperCase()}${gap()}`,
          )
          return `${gap()}${resource}${gap()}:${parts.join(';')}`
        })
        const expected = lines.map(([resource, domains]) => [
          resource,
          domains.map(([id, mask]) => [`${id}`, mask.toString(16)]),
        ])
        assert.equal(
          [...parseSchemata(written)].map(([resource, domains]) => [resource, [...domains]]),
          expected,
        )
      },
    ),
  )
})

test('any text can be looked at as schemata', () => {
  void fc.assert(fc.property(fc.array(fc.string()), (lines) => parseSchemata(lines) instanceof Map))
})

test.after(() => rmSync(root, { recursive: true }))

test.run()
