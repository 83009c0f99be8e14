// runt inside of a container that runt made: with the machine's root, or with root of a user namespace.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CAPABILITY_NAMES } from '../../src/linux/capabilities.ts'
import { S_IF, S_IFMT } from '../../src/linux/open-flags.ts'
import { hierarchies, removeCgroup, succeeded } from '../box.ts'
import { linkBuilt, missingForTests } from '../built.ts'
import { makeRootfs } from '../bundle.ts'
import { execute, type Result } from '../runtime.ts'

const missing = missingForTests()
const FIRST = 100_000
const MAPS = {
  uidMappings: [{ containerID: 0, hostID: FIRST, size: 65536 }],
  gidMappings: [{ containerID: 0, hostID: FIRST, size: 65536 }],
}
const MASKS = { maskedPaths: ['/proc/keys', '/sys/firmware'], readonlyPaths: ['/proc/sys'] }
const ALL = { bounding: CAPABILITY_NAMES, effective: CAPABILITY_NAMES, permitted: CAPABILITY_NAMES }
const MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
  { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666', 'mode=0620'] },
  { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
]
const CGROUP_MOUNT = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'nodev'] }
const NAMESPACES = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup']

/** A container that has runt in it, and a bundle for another one. */
class Outer implements Disposable {
  readonly folder = mkdtempSync(`${tmpdir()}/runt-nested-`)
  readonly id = `nested-${process.pid}`

  constructor() {
    chmodSync(this.folder, 0o755)
    linkBuilt(`${this.folder}/runtime`)
    for (const name of ['outer', 'inner']) {
      mkdirSync(`${this.folder}/${name}`)
      makeRootfs(`${this.folder}/${name}/rootfs`, this.folder)
    }
  }

  /**
   * A script in the inner container, which the outer one runs.
   * @param linux more of the outer's, and of the inner's config
   */
  async run(script: string, outer: Level, inner: Level): Promise<Result> {
    this.#configure('inner', ['sh', '-c', script], inner, [])
    const bound = ['/usr', '/lib', '/lib64'].filter(existsSync)
    const shared = [
      ...bound.map((path) => ({ destination: path, source: path, options: ['rbind', 'ro'] })),
      { destination: '/runt', source: `${this.folder}/runtime`, options: ['bind', 'ro'] },
      { destination: '/inner', source: `${this.folder}/inner`, options: ['bind'] },
      CGROUP_MOUNT,
    ]
    this.#configure('outer', ['/runt/runt', 'run', '--bundle', '/inner', 'inner'], outer, shared)
    const owner = outer.user === true ? FIRST : 0
    spawnSync('chown', ['-R', `${owner}:${owner}`, `${this.folder}/outer`, `${this.folder}/inner`])
    const flags = ['--root', `${this.folder}/state`, 'run', '--bundle', `${this.folder}/outer`, this.id]
    return execute([`${this.folder}/runtime/runt`, ...flags], `${this.folder}/output`)
  }

  #configure(
    name: string,
    args: readonly string[],
    { user = false, linux = {}, mounts: own = MOUNTS }: Level,
    mounts: readonly object[],
  ): void {
    const maps = user && name === 'inner' ? INNER_MAPS : MAPS
    const config = {
      ociVersion: '1.2.0',
      root: { path: 'rootfs' },
      hostname: name,
      process: { cwd: '/', args, env: ['PATH=/usr/bin:/bin'], user: { uid: 0, gid: 0 }, capabilities: ALL },
      mounts: [...own, ...mounts],
      linux: {
        namespaces: [...NAMESPACES, ...(user ? ['user'] : [])].map((type) => ({ type })),
        ...(user ? maps : {}),
        ...linux,
      },
    }
    writeFileSync(`${this.folder}/${name}/config.json`, JSON.stringify(config))
  }

  [Symbol.dispose](): void {
    for (const hierarchy of hierarchies()) removeCgroup(`${hierarchy}/${this.id}`)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

interface Level {
  /** In place of those that all have. */
  readonly mounts?: readonly object[]
  readonly user?: boolean
  readonly linux?: object
}

/** Within the outer's. */
const INNER_MAPS = {
  uidMappings: [{ containerID: 0, hostID: 1000, size: 100 }],
  gidMappings: [{ containerID: 0, hostID: 1000, size: 100 }],
}
const LIMITED = { linux: { resources: { pids: { limit: 50 } } } }
const SCRIPT =
  'hostname; echo $$; id -u; ls /sys/class/net; touch /made; echo x >/dev/null; cat /proc/self/uid_map; grep -c . /proc/self/cgroup'

const inside = ({ stdout }: Result): string[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().replaceAll(/ +/g, ' '))

if (missing !== undefined) {
  console.log(`skipped: nested containers: ${missing}`)
  test.skip(missing, () => {})
} else {
  for (const [what, outer, inner, map] of [
    ["the machine's root, twice", {}, LIMITED, '0 0 4294967295'],
    ["the machine's root, then a user namespace", {}, { user: true }, '0 1000 100'],
    ['root of a user namespace, which the inner one shares', { user: true }, {}, '0 100000 65536'],
    ['a user namespace in a user namespace', { user: true }, { user: true }, '0 1000 100'],
  ] as const) {
    test(`a container in a container: ${what}`, async () => {
      using nested = new Outer()
      const result = succeeded(await nested.run(SCRIPT, outer, inner))
      const [host, pid, uid, links, uidMap] = inside(result)
      assert.equal([host, pid, uid, links], ['inner', '1', '0', 'lo'])
      assert.is(uidMap, map)
    })
  }

  test('with masks on the outer one, no user namespace in it gets a proc of its own; that is told', async () => {
    using nested = new Outer()
    const { status, stderr } = await nested.run('true', { user: true, linux: MASKS }, { user: true })
    assert.is(status, 1)
    assert.match(
      stderr,
      /mounts\[0\] \(\/proc\): fsmount: EPERM.*\n.*reveal too much.*run the outer container without masks/,
    )
  })

  test('… and one that binds the outer proc and sysfs runs', async () => {
    using nested = new Outer()
    const bound = ['/proc', '/sys'].map((path) => ({ destination: path, source: path, options: ['rbind', 'ro'] }))
    const mounts = [...bound, ...MOUNTS.filter(({ destination }) => destination !== '/proc' && destination !== '/sys')]
    const inner = { user: true, mounts }
    assert.equal(inside(succeeded(await nested.run('id -u', { user: true, linux: MASKS }, inner))), ['0'])
  })

  test('where a filter lets nobody make devices, those of the outer container are bound', async () => {
    using nested = new Outer()
    const characters = { index: 2, op: 'SCMP_CMP_MASKED_EQ', value: S_IFMT, valueTwo: S_IF.CHR }
    const seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mknodat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, args: [characters] }],
    }
    const script =
      'grep -c " /dev/[a-z]* " /proc/mounts; stat -c %t:%T /dev/null; echo x >/dev/null; mknod /x c 1 3 2>&1; true'
    const nodes = inside(succeeded(await nested.run(script, {}, {})))
    assert.equal(nodes, ['2', '1:3'])
    const bound = inside(succeeded(await nested.run(script, { linux: { seccomp } }, {})))
    assert.equal(bound, ['8', '1:3', 'mknod: /x: Operation not permitted'])
  })
}

test.run()
