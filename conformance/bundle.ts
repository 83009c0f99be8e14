// A bundle to start from: a root file system of busybox and a config like the one that `spec` writes.

import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'

/** JSON pointer → new value; undefined removes, a last "-" appends to an array. */
export type Edits = Readonly<Record<string, unknown>>

const BUSYBOX = '/bin/busybox'
const APPLETS =
  'sh cat ls id env pwd sleep true false echo stat mount umount grep sed head tail tr wc touch mkdir rmdir mknod chmod ' +
  'readlink hostname dd kill ps tty stty ionice nice uname date sort test ip cut cmp od printf rm ln awk chroot nc which'
/** Made beforehand: in a user namespace, the runtime may not make them. */
const FOLDERS = ['bin', 'etc', 'proc', 'dev', 'sys', 'tmp', 'mnt', 'root', 'data']

export function missingForBundles(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  return existsSync(BUSYBOX) ? undefined : 'needs busybox-static for a root file system'
}

/** @param folder where all the bundles of a run are: the file of busybox is copied there once */
export function makeRootfs(rootfs: string, folder: string): void {
  const busybox = `${folder}/busybox`
  if (!existsSync(busybox)) copyFileSync(BUSYBOX, busybox)
  mkdirSync(rootfs)
  chmodSync(rootfs, 0o755)
  for (const name of FOLDERS) mkdirSync(`${rootfs}/${name}`)
  chmodSync(`${rootfs}/tmp`, 0o1777)
  linkSync(busybox, `${rootfs}/bin/busybox`)
  for (const applet of APPLETS.split(' ')) symlinkSync('busybox', `${rootfs}/bin/${applet}`)
  writeFileSync(`${rootfs}/etc/passwd`, 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n')
  writeFileSync(`${rootfs}/etc/group`, 'root:x:0:\nuser:x:1000:\n')
}

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

export const NAMESPACES = ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type }))

export function baseConfig(cgroupsPath: string): Record<string, unknown> {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['true'],
      env: ['PATH=/usr/bin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: false },
    hostname: 'conformance',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    ],
    linux: {
      cgroupsPath,
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      namespaces: NAMESPACES,
      maskedPaths: ['/proc/kcore', '/proc/keys', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/sys'],
    },
  }
}

/** A changed copy. @throws Error for a pointer into nothing */
export function edited(config: Record<string, unknown>, edits: Edits): Record<string, unknown> {
  const copy = structuredClone(config)
  for (const [pointer, value] of Object.entries(edits)) edit(copy, pointer.split('/').slice(1), value)
  return copy
}

function edit(object: object, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path
  if (rest.length > 0) {
    if (!Object.hasOwn(object, key)) Reflect.set(object, key, {})
    const inner: unknown = Reflect.get(object, key)
    if (typeof inner === 'object' && inner !== null) edit(inner, rest, value)
    else throw new Error(`${key} can not be edited`)
  } else if (key === '-' && Array.isArray(object)) object.push(value)
  else if (value === undefined) Reflect.deleteProperty(object, key)
  else Reflect.set(object, key, value)
}
