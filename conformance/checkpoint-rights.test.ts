// Restored with a config that is stricter than the checkpoint: CRIU gives processes the rights that its images say, so runt compares.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Message, many, one } from '../src/criu/fields.ts'
import { entriesOf, MOUNTS } from '../src/criu/images.ts'
import { encode } from '../src/criu/wire.ts'
import { Box, failed, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { type Edits, NAMESPACES } from './bundle.ts'
import { findCriu, Saved } from './checkpoint.ts'
import { findRuntime } from './runtime.ts'

/** What a container may do, and how a stricter config is told that its checkpoint may do it. */
interface Stricter {
  readonly title: string
  readonly right: string
  readonly saved: Edits
  readonly restored: Edits
  readonly says: RegExp
}

const FEW = { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'] }
const MANY = ['CAP_KILL', 'CAP_NET_RAW', 'CAP_SYS_ADMIN']
const PROC = { destination: '/proc', type: 'proc', source: 'proc' }
const DEV = { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] }
const idsFrom = (hostID: number): Edits => {
  const mappings = [{ containerID: 0, hostID, size: 65536 }]
  const namespaces = [...NAMESPACES, { type: 'user' }]
  return { '/linux/namespaces': namespaces, '/linux/uidMappings': mappings, '/linux/gidMappings': mappings }
}

const STRICTER: readonly Stricter[] = [
  {
    title: 'capabilities',
    right: 'capabilities',
    saved: { '/process/capabilities': { bounding: MANY, effective: FEW.effective, permitted: MANY } },
    restored: { '/process/capabilities': FEW },
    says: /process 1 \(sh\) has CAP_NET_RAW CAP_SYS_ADMIN/,
  },
  {
    title: 'the bounding set',
    right: 'capabilities',
    saved: { '/process/capabilities': { ...FEW, bounding: MANY }, '/process/noNewPrivileges': false },
    restored: { '/process/capabilities': FEW, '/process/noNewPrivileges': false },
    says: /has CAP_NET_RAW CAP_SYS_ADMIN/,
  },
  {
    title: 'no new privileges',
    right: 'noNewPrivileges',
    saved: { '/process/noNewPrivileges': false },
    restored: { '/process/noNewPrivileges': true },
    says: /process 1 \(sh\) may gain privileges/,
  },
  {
    title: 'a filter',
    right: 'seccomp',
    saved: {},
    restored: { '/linux/seccomp': forbids('keyctl') },
    says: /has no filter of system calls/,
  },
  {
    title: 'another filter',
    right: 'seccomp',
    saved: { '/linux/seccomp': forbids('acct') },
    restored: { '/linux/seccomp': forbids('keyctl') },
    says: /has another filter of system calls than .*libseccomp/,
  },
  {
    title: 'a user',
    right: 'user',
    saved: {},
    restored: { '/process/user': { uid: 1000, gid: 0 } },
    says: /process 1 \(sh\) is user 0, not 1000/,
  },
  {
    title: 'groups',
    right: 'user',
    saved: { '/process/user': { uid: 0, gid: 0, additionalGids: [7, 42] } },
    restored: { '/process/user': { uid: 0, gid: 0, additionalGids: [7] } },
    says: /is in group 42/,
  },
  {
    title: 'limits',
    right: 'rlimits',
    saved: {},
    restored: { '/process/rlimits': [{ type: 'RLIMIT_NOFILE', hard: 512, soft: 512 }] },
    says: /has a higher RLIMIT_NOFILE/,
  },
  {
    title: 'a read-only root',
    right: 'mounts',
    saved: {},
    restored: { '/root/readonly': true },
    says: /the root can be written to/,
  },
  {
    title: 'masked paths',
    right: 'mounts',
    saved: {},
    restored: { '/linux/maskedPaths': ['/proc/keys', '/proc/timer_list', '/proc/fs', '/proc/nothing', '/etc/group'] },
    says: /: \/proc\/timer_list is not masked; \/proc\/fs is not masked; \/etc\/group is not masked\n/,
  },
  {
    title: 'read-only paths',
    right: 'mounts',
    saved: {},
    restored: { '/linux/readonlyPaths': ['/proc/bus', '/proc/irq', '/proc/nothing'] },
    says: /: \/proc\/irq can be written to\n/,
  },
  {
    title: 'options of mounts',
    right: 'mounts',
    saved: { '/mounts': [PROC, DEV] },
    restored: {
      '/mounts': [
        { ...PROC, options: ['nosuid', 'noexec'] },
        { ...DEV, options: ['ro', 'mode=755'] },
      ],
    },
    says: /\/proc is not nosuid, noexec.*\/dev is not ro/s,
  },
  {
    title: 'a bind',
    right: 'mounts',
    saved: { '/mounts': [PROC, DEV, { destination: '/srv', type: 'tmpfs', source: 'tmpfs' }] },
    restored: { '/mounts': [PROC, DEV, { destination: '/srv', source: '/var/empty-or-not', options: ['bind'] }] },
    says: /what is mounted at \/srv is not of this host/,
  },
  {
    title: 'a namespace',
    right: 'namespaces',
    saved: { '/linux/namespaces': NAMESPACES.filter(({ type }) => type !== 'ipc') },
    restored: {},
    says: /its ipc namespace is the host's/,
  },
  {
    title: 'ids of a user namespace',
    right: 'namespaces',
    saved: idsFrom(0),
    restored: idsFrom(100_000),
    says: /its user namespace maps other ids/,
  },
]

const criu = missingForTests() === undefined ? findCriu() : undefined
const reason = missingForTests() ?? (criu !== undefined && 'reason' in criu ? criu.reason : undefined)

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`rights of checkpoints (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-rights-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  testRights(ground)
  testCgroups(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function forbids(name: string) {
  return { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: [name], action: 'SCMP_ACT_ERRNO' }] }
}

function testRights(ground: Ground): void {
  for (const { title, right, saved: loose, restored, says } of STRICTER) {
    test(`restored with a stricter config, a checkpoint is refused, unless it is to be as saved: ${title}`, async () => {
      await using box = new Box(ground)
      const saved = new Saved(box)
      await saved.launch(loose)
      succeeded(await saved.checkpoint())
      box.configure({ ...restored, '/process/args': ['sh'] })
      for (const flags of [[], ['--as-saved', right === 'user' ? 'mounts' : 'user']]) {
        const { stderr } = failed(await saved.restore('--detach', ...flags))
        assert.match(stderr, says)
        assert.match(stderr, new RegExp(`^ *--as-saved ${right} restores it`, 'm'))
        box.assertNothingLeft()
      }
      // Where the images lack a place or a namespace that the config has, criu has its own say.
      if (/bind|namespace/.test(title)) return
      const before = saved.count()
      const { stderr } = succeeded(await saved.restore('--detach', '--as-saved', `label,${right}`))
      assert.match(stderr, says.source.startsWith(':') ? /warning/ : says)
      await saved.counts(before)
    })
  }

  test('an image with mounts of its own gets none that shows what the config hides', async () => {
    await using box = new Box(ground)
    const saved = new Saved(box)
    await saved.launch()
    succeeded(await saved.checkpoint())
    const name = readdirSync(saved.images).find((each) => each.startsWith('mountpoints-'))
    const file = `${saved.images}/${name}`
    const honest = readFileSync(file)
    const mounts = entriesOf(MOUNTS, honest)
    const root = mounts.find(({ parent_mnt_id }) => !mounts.some(({ mnt_id }) => mnt_id === parent_mnt_id))
    const proc = mounts.find(({ mountpoint }) => mountpoint === '/proc')
    const more = { ...proc, mnt_id: 9999, parent_mnt_id: root?.mnt_id, mountpoint: '/tmp', flags: 0, root_dev: 999 }
    const lies: readonly (readonly [title: string, entry: Message<typeof MOUNTS.fields>, says: RegExp])[] = [
      ['a second procfs', more, /proc is mounted at \/tmp/],
      [
        'one over the first',
        { ...more, parent_mnt_id: proc?.mnt_id, mountpoint: '/proc' },
        /\/proc\/keys is not masked/,
      ],
      ['a disk of the host', { ...more, fstype: 16, fsname: 'ext4' }, /a file system is mounted at \/tmp/],
      ['two roots', { ...more, parent_mnt_id: 12_345 }, /no tree/],
      ['one number for two', { ...more, mnt_id: root?.mnt_id }, /no tree/],
    ]
    for (const [title, entry, says] of lies) {
      const bytes = encode(MOUNTS.fields, entry)
      writeFileSync(file, Buffer.concat([honest, Buffer.from(Uint32Array.of(bytes.length).buffer), bytes]))
      const { stderr } = failed(await saved.restore('--detach'))
      assert.match(stderr, says, `${title}: ${stderr}`)
    }
    for (const length of [honest.length - 1, 9, 3]) {
      writeFileSync(file, honest.subarray(0, length))
      assert.match(failed(await saved.restore('--detach')).stderr, /mountpoints-\d+\.img: /)
    }
    writeFileSync(file, honest)
    await saved.restored()
  })
}

/** As CRIU has them, with all that it needs; folders have no others in them here. */
const MEMBER = { name: one(1, 'string'), path: one(2, 'string'), cgns_prefix: one(3, 'uint32') } as const
const PERMISSIONS = { mode: one(1, 'uint32'), uid: one(2, 'uint32'), gid: one(3, 'uint32') } as const
const PROPERTY = { name: one(1, 'string'), value: one(2, 'string'), perms: one(3, PERMISSIONS) } as const
const FOLDER = { dir_name: one(1, 'string'), properties: many(3, PROPERTY), dir_perms: one(4, PERMISSIONS) } as const
const CGROUPS = {
  magic: 0x59383330,
  fields: {
    sets: many(1, { id: one(1, 'uint32'), ctls: many(2, MEMBER) }),
    controllers: many(2, { cnames: many(1, 'string'), dirs: many(2, FOLDER), is_threaded: one(3, 'bool') }),
  },
} as const

function testCgroups(ground: Ground): void {
  type Image = Message<typeof CGROUPS.fields>

  test('images put no process outside of the container’s cgroup, and name no file elsewhere', async () => {
    await using box = new Box(ground)
    const saved = new Saved(box)
    await saved.launch()
    succeeded(await saved.checkpoint())
    const file = `${saved.images}/cgroup.img`
    const honest = readFileSync(file)
    const [image = {}] = entriesOf(CGROUPS, honest)
    const members = (path: string): Image => ({
      ...image,
      sets: image.sets?.map((set) => ({
        ...set,
        ctls: set.ctls?.map((member) => ({ ...member, path, cgns_prefix: 0 })),
      })),
    })
    const folders = (change: (folder: Message<typeof FOLDER>) => Message<typeof FOLDER>): Image => ({
      ...image,
      controllers: image.controllers?.map((each) => ({ ...each, dirs: each.dirs?.map(change) })),
    })
    const property = { name: '../../release_agent', value: '/bin/false', perms: { mode: 0o644, uid: 0, gid: 0 } }
    const lies: readonly (readonly [title: string, image: Image, says: RegExp])[] = [
      ['the root', members('/'), /outside of its cgroup/],
      ['a way up', members(`${box.cgroup}/../..`), /cgroup\.img: .*: leads elsewhere/],
      ['a folder', folders((folder) => ({ ...folder, dir_name: '../x' })), /"\.\.\/x": leads elsewhere/],
      ['a file', folders((folder) => ({ ...folder, properties: [property] })), /release_agent": leads elsewhere/],
    ]
    for (const [title, lie, says] of lies) {
      const bytes = encode(CGROUPS.fields, lie)
      writeFileSync(
        file,
        Buffer.concat([honest.subarray(0, 8), Buffer.from(Uint32Array.of(bytes.length).buffer), bytes]),
      )
      const { stderr } = failed(await saved.restore('--detach'))
      assert.match(stderr, says, `${title}: ${stderr}`)
      box.assertNothingLeft()
    }
    writeFileSync(file, honest)
    await saved.restored()
  })
}

test.run()
