// config.md, Mounts.

import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, succeeded } from '../box.ts'
import { type Edits, NAMESPACES } from '../bundle.ts'
import { check, needsKernel } from '../case.ts'
import type { Result } from '../runtime.ts'

const TMPFS = { type: 'tmpfs', source: 'tmpfs' }

interface MountInfo {
  readonly point: string
  readonly options: readonly string[]
  readonly tags: readonly string[]
  readonly type: string
  readonly data: readonly string[]
}

/** proc_pid_mountinfo(5) */
function parse(text: string): MountInfo[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const words = line.split(' ')
      const dash = words.indexOf('-')
      return {
        point: words[4] ?? '',
        options: (words[5] ?? '').split(','),
        tags: words.slice(6, dash),
        type: words[dash + 1] ?? '',
        data: (words[dash + 3] ?? '').split(','),
      }
    })
}

const INFO = 'cat /proc/self/mountinfo'
const at = (mounts: readonly MountInfo[], point: string): MountInfo => {
  const found = mounts.findLast((mount) => mount.point === point)
  assert.ok(found, `nothing is mounted on ${point}`)
  return found as MountInfo
}

check('C1', 'mounts are made in their order', async (box) => {
  mkdirSync(box.path('source'))
  writeFileSync(box.path('source/file'), 'bound')
  const mounts = [
    { destination: '/a', ...TMPFS },
    { destination: '/a/b', type: 'bind', source: box.path('source'), options: ['bind'] },
    { destination: '/a/b/c', ...TMPFS },
    { destination: '/covered', type: 'bind', source: box.path('source'), options: ['bind'] },
    { destination: '/covered', ...TMPFS },
  ]
  const said = await box.sh(`cat /a/b/file; echo; ls /covered; echo; ${INFO}`, {
    '/mounts': [{ destination: '/proc', type: 'proc', source: 'proc' }, ...mounts],
  })
  assert.ok(said.startsWith('bound\n\n'), said)
  const made = parse(said.slice(said.search(/^\d+ /m)))
  const points = made.map(({ point }) => point).filter((point) => /^\/(a|covered)/.test(point))
  assert.equal(points.sort(), ['/a', '/a/b', '/a/b/c', '/covered', '/covered'])
  for (const point of ['/a', '/a/b/c', '/covered']) assert.is(at(made, point).type, 'tmpfs')
})

check('C2', 'a relative destination starts at the root', async (box) => {
  const mounts = parse(await box.sh(INFO, { '/mounts/-': { destination: 'mnt', ...TMPFS } }))
  assert.is(at(mounts, '/mnt').type, 'tmpfs')
})

check('C2', 'a missing destination is made', async (box) => {
  writeFileSync(box.path('file'), 'content')
  const bind = { destination: '/new/folder/file', type: 'bind', source: box.path('file'), options: ['bind'] }
  assert.is(await box.sh('cat /new/folder/file', { '/mounts/-': bind }), 'content')
})

for (const type of ['bind', 'none', '', 'whatever', undefined]) {
  check('C3', `the option bind makes a bind mount, whatever the type: ${type ?? 'left out'}`, async (box) => {
    writeFileSync(box.path('file'), 'content')
    const bind = { destination: '/mnt/file', type, source: box.path('file'), options: ['bind'] }
    assert.is(await box.sh('cat /mnt/file', { '/mounts/-': bind }), 'content')
  })
}

check('C3', 'the type bind alone does not make a bind mount', async (box) => {
  await box.rejected({ '/mounts/-': { destination: '/mnt', type: 'bind', source: box.folder } })
})

check('C3', 'a relative source of a bind mount starts at the bundle', async (box) => {
  writeFileSync(`${box.bundle}/file`, 'content')
  const bind = { destination: '/mnt/file', type: 'bind', source: 'file', options: ['bind'] }
  assert.is(await box.sh('cat /mnt/file', { '/mounts/-': bind }), 'content')
})

check('C3', 'a source that does not exist is refused', async (box) => {
  await box.rejected({
    '/mounts/-': { destination: '/mnt', type: 'bind', source: box.path('nowhere'), options: ['bind'] },
  })
})

check('C3', 'an unknown file system is refused', async (box) => {
  await box.rejected({ '/mounts/-': { destination: '/mnt', type: 'nofs', source: 'none' } })
})

/** Option → what a mount of a tmpfs with it has (in the mount's own options or the file system's), or hasn't. */
const OPTIONS: Readonly<Record<string, { readonly has?: readonly string[]; readonly not?: readonly string[] }>> = {
  ro: { has: ['ro'] },
  rw: { has: ['rw'], not: ['ro'] },
  nosuid: { has: ['nosuid'] },
  'nosuid suid': { not: ['nosuid'] },
  nodev: { has: ['nodev'] },
  'nodev dev': { not: ['nodev'] },
  noexec: { has: ['noexec'] },
  'noexec exec': { not: ['noexec'] },
  noatime: { has: ['noatime'] },
  'noatime atime': { not: ['noatime'] },
  nodiratime: { has: ['nodiratime'] },
  'nodiratime diratime': { not: ['nodiratime'] },
  relatime: { has: ['relatime'] },
  strictatime: { not: ['relatime', 'noatime'] },
  norelatime: {},
  nostrictatime: { has: ['relatime'] },
  sync: { has: ['sync'] },
  'sync async': { not: ['sync'] },
  dirsync: { has: ['dirsync'] },
  lazytime: { has: ['lazytime'] },
  'silent sync dirsync': { has: ['sync', 'dirsync'] },
  'lazytime nolazytime': { not: ['lazytime'] },
  iversion: {},
  noiversion: {},
  silent: {},
  loud: {},
  defaults: { has: ['rw'] },
}
for (const [options, { has = [], not = [] }] of Object.entries(OPTIONS)) {
  check('C4', `option ${options}`, async (box) => {
    const mount = { destination: '/mnt', ...TMPFS, options: options.split(' ') }
    const { options: own, data } = at(parse(await box.sh(INFO, { '/mounts/-': mount })), '/mnt')
    const found = [...own, ...data]
    for (const option of has) assert.ok(found.includes(option), `${option} is not among ${found}`)
    for (const option of not) assert.not.ok(found.includes(option), `${option} is among ${found}`)
  })
}

const PROPAGATION: Readonly<Record<string, RegExp>> = {
  shared: /^shared:\d+( master:\d+)?$/, // what it was a peer of is its master now
  slave: /^(master:\d+)?$/,
  private: /^$/,
  unbindable: /^unbindable$/,
}
for (const [word, pattern] of Object.entries(PROPAGATION)) {
  for (const option of [word, `r${word}`]) {
    check('C4', `option ${option}`, async (box) => {
      const mount = { destination: '/mnt', type: 'bind', source: box.folder, options: ['rbind', option] }
      const { tags } = at(parse(await box.sh(INFO, { '/mounts/-': mount })), '/mnt')
      assert.match(tags.join(' '), pattern)
    })
  }
}

const bindSys = (...options: string[]) => ({ destination: '/mnt', type: 'bind', source: '/sys', options })
const below = (mounts: readonly MountInfo[]) => mounts.filter(({ point }) => point.startsWith('/mnt/'))

check('C4', 'rbind takes what is mounted below along, bind does not', async (box) => {
  assert.ok(below(parse(await box.sh(INFO, { '/mounts/-': bindSys('rbind') }))).length > 0)
  assert.is(below(parse(await box.sh(INFO, { '/mounts/-': bindSys('bind') }))).length, 0)
})

check('C4', 'a bind with ro is read-only, and its source is not', async (box) => {
  const mount = { destination: '/mnt', type: 'bind', source: box.folder, options: ['bind', 'ro'] }
  const said = await box.sh('touch /mnt/x 2>&1 || true', { '/mounts/-': mount })
  assert.match(said, /Read-only file system/)
  writeFileSync(box.path('x'), '')
})

check('C4', 'a bind with nosuid, nodev and noexec', async (box) => {
  const mount = {
    destination: '/mnt',
    type: 'bind',
    source: box.folder,
    options: ['bind', 'nosuid', 'nodev', 'noexec'],
  }
  const { options } = at(parse(await box.sh(INFO, { '/mounts/-': mount })), '/mnt')
  for (const option of ['nosuid', 'nodev', 'noexec']) assert.ok(options.includes(option), option)
})

check('C4', 'remount changes a mount that is there', async (box) => {
  const said = await box.sh(INFO, {
    '/mounts/-': { destination: '/mnt', type: 'bind', source: box.folder, options: ['bind', 'remount', 'ro'] },
    '/mounts/0': { destination: '/mnt', type: 'bind', source: box.folder, options: ['bind'] },
    '/mounts/1': { destination: '/proc', type: 'proc', source: 'proc' },
    '/mounts/2': { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
    '/mounts/3': { destination: '/tmp', type: 'tmpfs', source: 'tmpfs' },
    '/linux/maskedPaths': [],
  })
  assert.ok(at(parse(said), '/mnt').options.includes('ro'))
})

for (const [option, expected] of [
  ['rro', 'ro'],
  ['rnosuid', 'nosuid'],
  ['rnodev', 'nodev'],
  ['rnoexec', 'noexec'],
  ['rnoatime', 'noatime'],
  ['rnodiratime', 'nodiratime'],
  ['rnosymfollow', 'nosymfollow'],
] as const) {
  check('C5', `option ${option} holds for all that is mounted below`, async (box) => {
    const mounts = parse(await box.sh(INFO, { '/mounts/-': bindSys('rbind', option) }))
    for (const { point, options } of [at(mounts, '/mnt'), ...below(mounts)]) {
      assert.ok(options.includes(expected), `${point} has ${options}`)
    }
  })
}

/** Option → what then is in the mount's own options, or isn't, where everything was set before. */
const CLEARED: Readonly<Record<string, { readonly has?: readonly string[]; readonly not?: readonly string[] }>> = {
  rrw: { has: ['rw'] },
  rsuid: { not: ['nosuid'] },
  rexec: { not: ['noexec'] },
  rdev: { not: ['nodev'] },
  ratime: { not: ['noatime'] },
  rrelatime: { has: ['relatime'], not: ['noatime'] },
  rstrictatime: { not: ['noatime', 'relatime'] },
  rnostrictatime: { has: ['relatime'] },
  rnorelatime: { has: ['noatime'] },
  rdiratime: { not: ['nodiratime'] },
  rsymfollow: { not: ['nosymfollow'] },
}
for (const [option, { has = [], not = [] }] of Object.entries(CLEARED)) {
  check('C5', `option ${option} takes back what all that is mounted below has`, async (box) => {
    const source = box.path('volume')
    mkdirSync(source)
    const flags = '-t tmpfs -o nosuid,nodev,noexec,noatime,nodiratime,nosymfollow'
    const script = `mount ${flags} one ${source} && mkdir ${source}/b && mount ${flags} two ${source}/b && mount -o remount,ro,bind ${source}/b && mount -o remount,ro,bind ${source}`
    const mount = { destination: '/mnt', type: 'bind', source, options: ['rbind', option] }
    const edits = { '/mounts/-': mount, '/process/args': ['cat', '/proc/self/mountinfo'] }
    const mounts = parse(succeeded(await box.runPrepared(script, edits)).stdout)
    for (const point of ['/mnt', '/mnt/b']) {
      const { options } = at(mounts, point)
      for (const expected of has) assert.ok(options.includes(expected), `${point} has ${options}`)
      for (const other of not) assert.not.ok(options.includes(other), `${point} has ${options}`)
    }
  })
}

check('C5', 'nosymfollow', async (box) => {
  const mount = { destination: '/mnt', ...TMPFS, options: ['nosymfollow'] }
  const said = await box.sh('ln -s /etc/passwd /mnt/link; cat /mnt/link 2>&1 || true', { '/mounts/-': mount })
  assert.match(said, /Too many levels of symbolic links|Symbolic link loop/)
})

check('C10', 'other options are data for the file system', async (box) => {
  const mount = { destination: '/mnt', ...TMPFS, options: ['size=1m', 'mode=700', 'nr_inodes=50', 'ro'] }
  const { data, options } = at(parse(await box.sh(INFO, { '/mounts/-': mount })), '/mnt')
  for (const option of ['size=1024k', 'mode=700', 'nr_inodes=50']) assert.ok(data.includes(option), `${data}`)
  assert.ok(options.includes('ro'))
})

check('C10', 'data that the file system does not know is refused', async (box) => {
  await box.rejected({ '/mounts/-': { destination: '/mnt', ...TMPFS, options: ['frobnicate=1'] } })
})

check('C10', 'an overlay has its folders', async (box) => {
  for (const name of ['lower', 'upper', 'work']) mkdirSync(box.path(name))
  writeFileSync(box.path('lower/file'), 'lower')
  const options = [`lowerdir=${box.path('lower')}`, `upperdir=${box.path('upper')}`, `workdir=${box.path('work')}`]
  const said = await box.sh('cat /mnt/file; echo new >/mnt/new', {
    '/mounts/-': { destination: '/mnt', type: 'overlay', source: 'overlay', options },
  })
  assert.is(said, 'lower')
  assert.is(readFileSync(box.path('upper/new'), 'utf8'), 'new\n')
})

for (const [what, count] of [
  ['than one value of fsconfig takes', 8],
  ['than fit into a page', 60],
] as const) {
  check('C10', `an overlay may have longer options ${what}`, async (box) => {
    needsKernel('6.5', 'an overlay takes its options one by one')
    for (const name of ['upper', 'work']) mkdirSync(box.path(name))
    const lower = Array.from({ length: count }, (_, index) => box.path(`${index}-${'layer'.repeat(14)}`))
    for (const [index, folder] of lower.entries()) {
      mkdirSync(folder)
      writeFileSync(`${folder}/${index}`, `${index}`)
    }
    const options = [`lowerdir=${lower.join(':')}`, `upperdir=${box.path('upper')}`, `workdir=${box.path('work')}`]
    assert.is(options.join(',').length > 4096, count > 50)
    const said = await box.sh(`ls /mnt | wc -l; cat /mnt/0 /mnt/${count - 1}; echo new >/mnt/new`, {
      '/mounts/-': { destination: '/mnt', type: 'overlay', source: 'overlay', options },
    })
    assert.is(said, `${count}\n0${count - 1}`)
    assert.is(readFileSync(box.path('upper/new'), 'utf8'), 'new\n')
  })
}

check('K5', 'nothing of the mounts of the host is left', async (box) => {
  const said = await box.sh(`ls -d /../usr /../root/.. /..${box.folder} 2>/dev/null; ls -di / /..; ${INFO}`)
  const mounts = parse(said.slice(said.search(/^\d+ \d+ \d+:/m)))
  const roots = mounts.filter(({ point }) => point === '/')
  assert.is(roots.length, 1, `mounted on /: ${JSON.stringify(roots)}`)
  const known = ['/', '/proc', '/dev', '/sys']
  const strange = mounts.filter(
    ({ point }) => !known.some((each) => point === each || (each !== '/' && point.startsWith(`${each}/`))),
  )
  assert.equal(strange, [])
  assert.not.match(said, /\/\.\.\/usr/)
})

check('K5', 'a link in the image does not lead a mount out of it', async (box) => {
  symlinkSync(`../../../../../../../../..${box.folder}`, `${box.rootfs}/way-out`)
  const options = ['size=4244k']
  const mount = { destination: '/way-out/made', ...TMPFS, options }
  // Refusing the link is as good as following it in the image.
  const { stdout, status } = await box.run({ '/process/args': ['cat', '/proc/self/mountinfo'], '/mounts/-': mount })
  assert.not.ok(existsSync(box.path('made')))
  if (status === 0) assert.match(stdout, new RegExp(`${box.folder}/made .*size=4244k`))
})

check('K5', 'a link as mount point is resolved in the image', async (box) => {
  symlinkSync('/../../mnt', `${box.rootfs}/link`)
  const mounts = parse(await box.sh(INFO, { '/mounts/-': { destination: '/link', ...TMPFS } }))
  assert.is(at(mounts, '/mnt').type, 'tmpfs')
})

for (const destination of ['/proc/sys/kernel', '/proc/self/attr', '/proc/1']) {
  check('K5', `a mount over ${destination} is refused`, async (box) => {
    await box.rejected({ '/mounts/-': { destination, type: 'bind', source: box.folder, options: ['bind'] } })
  })
}

check('K5', 'files that engines mount over in /proc are allowed', async (box) => {
  writeFileSync(box.path('uptime'), '1 2\n')
  const bind = { destination: '/proc/uptime', type: 'bind', source: box.path('uptime'), options: ['bind'] }
  assert.is(await box.sh('cat /proc/uptime', { '/mounts/-': bind }), '1 2')
})

check('K5', 'a folder bound over /proc is refused', async (box) => {
  await box.rejected({ '/mounts/-': { destination: '/proc', type: 'bind', source: box.folder, options: ['bind'] } })
})

check('K5', 'a link as mount point of proc is refused', async (box) => {
  const { rmdirSync } = await import('node:fs')
  rmdirSync(`${box.rootfs}/proc`)
  symlinkSync('/mnt', `${box.rootfs}/proc`)
  await box.rejected({})
})

check('K5', 'a mount on / is refused', async (box) => {
  await box.rejected({ '/mounts/-': { destination: '/', ...TMPFS } })
})

check('F1', 'the usual file systems are there', async (box) => {
  const mounts = parse(
    await box.sh(INFO, { '/mounts/-': { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue' } }),
  )
  for (const [point, type] of [
    ['/proc', 'proc'],
    ['/dev', 'tmpfs'],
    ['/dev/pts', 'devpts'],
    ['/dev/shm', 'tmpfs'],
    ['/dev/mqueue', 'mqueue'],
    ['/sys', 'sysfs'],
  ] as const) {
    assert.is(at(mounts, point).type, type, point)
  }
})

check('C11', 'options that are for mount(8) alone do not reach the file system', async (box) => {
  const options = ['nofail', 'noauto', '_netdev', 'size=64k']
  const mount = { destination: '/mnt', type: 'tmpfs', source: 'tmpfs', options }
  assert.match(await box.sh('grep " /mnt " /proc/self/mounts', { '/mounts/-': mount }), /^tmpfs \/mnt tmpfs .*size=64k/)
})

const SYS_ADMIN = Object.fromEntries(['bounding', 'effective', 'permitted'].map((set) => [set, ['CAP_SYS_ADMIN']]))
const IDS = [{ containerID: 0, hostID: 0, size: 65_536 }]
const IN_USER_NAMESPACE: Edits = {
  '/linux/uidMappings': IDS,
  '/linux/gidMappings': IDS,
  '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
  '/process/capabilities': SYS_ADMIN,
}

/** A bind of a tmpfs that the host has mounted with these flags, and a script in the container. */
function boundTmpfs(box: Box, flags: string, options: string[], script: string, edits: Edits = {}): Promise<Result> {
  const source = box.path('volume')
  mkdirSync(source)
  const prepare = `mount -t tmpfs -o strictatime locked ${source} && mkdir -m 777 ${source}/below && mount -t tmpfs below ${source}/below && mount -o remount,bind,${flags} ${source}`
  const mount = { destination: '/mnt', type: 'bind', source, options }
  return box.runPrepared(prepare, { ...edits, '/mounts/-': mount, '/process/args': ['sh', '-c', script] })
}

/** Flags of the source, options of the bind → what the bind has or hasn't; without a user namespace, and in one. */
const BOUND: readonly (readonly [flags: string, options: string, outside: string, inside: string])[] = [
  ['ro,noexec,nodiratime', '', 'ro noexec nodiratime', 'ro noexec nodiratime'],
  ['ro,noexec', 'dev', '!ro !noexec', 'ro noexec'],
  ['ro', 'nosuid nodev', '!ro nosuid nodev', 'ro nosuid nodev'],
  ['nosuid,nodev,noexec', 'ro', 'ro !nosuid !nodev !noexec', 'ro nosuid nodev noexec'],
  ['nodev,nosymfollow', 'ro symfollow', 'ro !nodev !nosymfollow', 'ro nodev !nosymfollow'],
  ['nodev,nosymfollow', 'rw', '!nodev !nosymfollow', 'nodev !nosymfollow'],
  ['noatime', 'ro exec', 'ro noatime', 'ro noatime'],
]
for (const [flags, options, outside, inside] of BOUND) {
  for (const [where, expected, edits] of [
    ['', outside, {}],
    [' in a user namespace', inside, IN_USER_NAMESPACE],
  ] as const) {
    const title = `a bind with ${options === '' ? 'no flag' : options} of what is mounted with ${flags}${where}`
    check('C4', title, async (box) => {
      const words = ['rbind', ...options.split(' ').filter((word) => word !== '')]
      const { stdout } = succeeded(await boundTmpfs(box, flags, words, INFO, edits))
      const found = at(parse(stdout), '/mnt').options
      for (const word of expected.split(' ')) {
        assert.is(found.includes(word.replace('!', '')), !word.startsWith('!'), `${word}: ${found}`)
      }
    })
  }
}

check('C4', "in a user namespace flags of the host's mount are not for the container to change", async (box) => {
  const script = 'mount -o remount,bind,rw /mnt; touch /mnt/x; umount /mnt/below; grep -c below /proc/self/mountinfo'
  const { stdout } = await boundTmpfs(box, 'ro', ['rbind'], `(${script}) 2>&1`, IN_USER_NAMESPACE)
  assert.match(stdout, /Read-only file system[\s\S]*\b1\s*$/)
})

check('C4', 'in a user namespace rw does not make a read-only mount of the host writable', async (box) => {
  // To refuse it is as good as to keep it read-only.
  const script = 'touch /mnt/x && echo written'
  const { stdout } = await boundTmpfs(box, 'ro', ['rbind', 'rw', 'nosuid'], script, IN_USER_NAMESPACE)
  assert.not.match(stdout, /written/)
})

check('C1', 'more mounts than there may be open files', async (box) => {
  writeFileSync(box.path('file'), '')
  const mounts = Array.from({ length: 600 }, (_, index) =>
    index % 3 === 0
      ? { destination: `/mnt/${index}`, ...TMPFS }
      : { destination: `/mnt/${index}`, type: 'bind', source: box.path('file'), options: ['bind', 'ro'] },
  )
  const limited = await box.runPrepared('ulimit -n 256', {
    '/mounts': [{ destination: '/proc', type: 'proc', source: 'proc' }, ...mounts],
    '/process/args': ['cat', '/proc/self/mountinfo'],
    '/process/rlimits': [],
  })
  assert.is(parse(succeeded(limited).stdout).filter(({ point }) => point.startsWith('/mnt/')).length, 600)
})

const INHERITED: Edits = {
  '/linux/namespaces': NAMESPACES.filter(({ type }) => type !== 'mount'),
  '/linux/maskedPaths': [],
  '/linux/readonlyPaths': [],
}

check('F1', "without a mount namespace mounts are made in the caller's, below the root", async (box) => {
  writeFileSync(box.path('file'), 'bound')
  const mounts = [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', ...TMPFS },
    { destination: '/mnt', ...TMPFS },
    { destination: '/mnt/file', type: 'bind', source: box.path('file'), options: ['bind', 'ro'] },
  ]
  const script = 'cat /mnt/file; echo; touch /mnt/x; ls /mnt; ls /dev/null'
  const edits = { ...INHERITED, '/mounts': mounts, '/process/args': ['sh', '-c', script] }
  // In a mount namespace of this test's: some runtimes leave what they have mounted.
  const { stdout } = succeeded(await box.runPrepared('true', edits))
  assert.is(stdout, 'bound\nfile\nx\n/dev/null\n')
  assert.not.ok(existsSync(`${box.rootfs}/mnt/x`))
})

check('H10', 'a path that is masked or read-only twice is so once', async (box) => {
  const paths = ['/data', '/mnt/../data', '/etc/passwd', '/etc/passwd']
  for (const list of ['maskedPaths', 'readonlyPaths']) {
    const mounts = parse(await box.sh(INFO, { [`/linux/${list}`]: paths }))
    for (const point of ['/data', '/etc/passwd']) assert.is(mounts.filter((mount) => mount.point === point).length, 1)
  }
})
