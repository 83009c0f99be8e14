// What a container can reach: its own tree, and nothing of the host's.

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const RUNT = fileURLToPath(new URL('../dist/runt', import.meta.url))
const BUSYBOX = '/bin/busybox'
const reason = [
  [process.getuid?.() === 0, 'needs root'],
  [existsSync(BUSYBOX), 'needs busybox-static for a root file system'],
  [existsSync(RUNT), 'needs dist/runt: make build'],
].find(([fine]) => fine === false)?.[1]

const MASKS = ['/proc/keys', '/sys/firmware', '/proc/acpi', '/nowhere']
const MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] },
]
const USER = {
  uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
  gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
}

/** [what, namespaces beside mount and pid, more of linux, flags of run] */
const WAYS = [
  ['a pivot', [], {}, []],
  ['a pivot with masks', [], { maskedPaths: MASKS }, []],
  ['a pivot in a user namespace', ['user', 'network'], USER, []],
  ['a pivot in a user namespace with masks', ['user', 'network'], { ...USER, maskedPaths: MASKS }, []],
  ['a moved root', [], { maskedPaths: MASKS }, ['--no-pivot']],
  ['a shared root', [], { rootfsPropagation: 'shared', maskedPaths: MASKS }, []],
  ['an unbindable root', [], { rootfsPropagation: 'unbindable' }, []],
] as const

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`root (${reason})`, () => {})
} else {
  for (const [way, namespaces, linux, flags] of WAYS) {
    test(`with ${way}, nothing lies above or beside the container's tree`, () => {
      const work = mkdtempSync(`${tmpdir()}/runt-root-`)
      try {
        const lines = run(work, namespaces, linux, flags)
        const [root, parent, ...mounts] = lines
        assert.is(root, parent, 'the parent of / is not /')
        const places = mounts.map((line) => line.split(' ')[4] ?? '')
        assert.is(places.filter((place) => place === '/').length, 1, places.join(' '))
        for (const place of places) assert.ok(/^\/($|proc|dev|sys)/.test(place), `${place} is mounted inside`)
        assert.is(places.filter((place) => place === '/proc').length, 1)
      } finally {
        rmSync(work, { recursive: true, force: true })
      }
    })
  }
}

/** @returns inode of /, inode of /.., then the lines of mountinfo, as the container sees them */
function run(work: string, namespaces: readonly string[], linux: object, flags: readonly string[]): string[] {
  const bin = `${work}/rootfs/bin`
  mkdirSync(bin, { recursive: true })
  copyFileSync(BUSYBOX, `${bin}/busybox`)
  symlinkSync('busybox', `${bin}/sh`)
  spawnSync('chown', ['-R', '100000:100000', `${work}/rootfs`])
  spawnSync('chmod', ['755', work])
  const script = '/bin/busybox stat -c %i / /..; /bin/busybox cat /proc/self/mountinfo'
  const config = {
    ociVersion: '1.2.0',
    root: { path: 'rootfs' },
    process: { cwd: '/', args: ['/bin/sh', '-c', script], env: ['PATH=/bin'], user: { uid: 0, gid: 0 } },
    mounts: MOUNTS,
    linux: { namespaces: ['mount', 'pid', ...namespaces].map((type) => ({ type })), ...linux },
  }
  writeFileSync(`${work}/config.json`, JSON.stringify(config))
  const id = `root-${process.pid}`
  const args = ['--root', `${work}/state`, 'run', '--bundle', work, ...flags, id]
  const { status, stdout, stderr } = spawnSync(RUNT, args, { encoding: 'utf8' })
  assert.is(status, 0, stderr)
  return stdout.trim().split('\n')
}

test.run()
