// linux.devices, the default devices, and the links in /dev.

import type { Config, Device } from '../config/types.ts'
import { ERRNO } from '../linux/errno.ts'
import { MOUNT_ATTR, OPEN_TREE } from '../linux/mount-flags.ts'
import { AT, O, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import type { Operand } from '../plan/step.ts'
import { type Context, has } from './context.ts'
import { openInRoot } from './in-root.ts'
import { openOrMake } from './mount-target.ts'
import { attach, setMountAttributes } from './rootfs.ts'
import { statDescriptor } from './statx.ts'

/** What every container finds in /dev (config-linux.md, Default Devices). */
const DEFAULTS = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
  ['/dev/tty', 5, 0],
] as const

/** [name in /dev, where it leads] */
const LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
] as const

const TYPES = { c: S_IF.CHR, b: S_IF.BLK, p: S_IF.FIFO } as const

/** A device and the config property that asked for it ('' for the default ones). */
interface WantedDevice extends Omit<Device, 'index'> {
  readonly origin: string
}

/** A host's /dev that is bound in has what it has: nothing is made in it. */
function isDevBound(config: Config): boolean {
  return config.mounts.some((mount) => mount.kind === 'bind' && mount.destination === '/dev')
}

/** Make device nodes; where they can't be made (a user namespace), bind the host's. */
export function lowerDevices(context: Context): void {
  const folders = new Map<string, Operand>()
  for (const device of wantedDevices(context.config)) {
    context.plan.section(device.origin, device.path, () => {
      const names = device.path.split('/').filter((name) => name !== '')
      const name = names.pop() ?? ''
      const key = names.join('/')
      const folder = folders.get(key) ?? openFolder(context, `/${key}`)
      folders.set(key, folder)
      lowerDevice(context, device, folder, name)
    })
  }
}

function wantedDevices(config: Config): WantedDevice[] {
  const bound = isDevBound(config)
  const asked = config.linux.devices
    .filter((device) => !bound || !device.path.startsWith('/dev/'))
    // It leads to the container's own terminals: an engine that lists all devices of the host doesn't mean another.
    .filter((device) => device.path !== '/dev/ptmx')
    .map((device) => ({ ...device, origin: `/linux/devices/${device.index}` }))
  if (bound) return asked
  const missing = DEFAULTS.filter(([path]) => !asked.some((device) => device.path === path))
  return [
    ...missing.map(([path, major, minor]) => ({
      origin: '',
      type: 'c' as const,
      path,
      major,
      minor,
      fileMode: 0o666,
      uid: 0,
      gid: 0,
    })),
    ...asked,
  ]
}

/** Where devices are in this container, made or bound, as the config names the places. */
export function devicePaths(config: Config): string[] {
  return wantedDevices(config).map(({ path }) => path)
}

function lowerDevice(context: Context, device: WantedDevice, folder: Operand, name: string): void {
  const { plan, config, facts } = context
  if (device.type !== 'p' && (has(config, 'user') || !facts.makesDeviceNodes)) {
    bindDevice(context, folder, name, device)
    return
  }
  const done = plan.label('device')
  const exists = plan.label('exists')
  plan.syscall('mknodat', [folder, name, TYPES[device.type] | device.fileMode, deviceNumber(device)], {
    onError: { EEXIST: exists },
  })
  if (device.uid !== 0 || device.gid !== 0) {
    plan.syscall('fchownat', [folder, name, device.uid, device.gid, AT.SYMLINK_NOFOLLOW])
  }
  plan.jump(done)
  plan.place(exists)
  checkDevice(context, openNode(context, folder, name), device, 'exists and is another file')
  plan.place(done)
}

/** The folder that a device goes to: there as a rule, made otherwise. */
function openFolder(context: Context, path: string): Operand {
  return openOrMake(context, path, { flags: O.PATH | O.DIRECTORY, name: 'folder' })
}

/** The host's node onto a file: only when it is the device that it should be. */
function bindDevice(context: Context, folder: Operand, name: string, device: WantedDevice): void {
  const { plan } = context
  const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
  const tree = plan.syscall('open_tree', [AT.FDCWD, device.path, flags], {
    name: 'tree',
    about: `host's ${device.path}`,
  })
  checkDevice(context, tree, device, `host's ${device.path} is another file`)
  // The inode is the host's: its mode, owner and times are not for the container to change. Devices are written to all the same.
  setMountAttributes(context, tree, { set: MOUNT_ATTR.RDONLY })
  const create = { kind: 'open-flags', flags: O.RDONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC } as const
  plan.syscall('openat', [folder, name, create, 0], { ignore: { EEXIST: 'it is mounted over' } })
  attach(context, tree, openNode(context, folder, name))
}

function openNode({ plan }: Context, folder: Operand, name: string): Operand {
  const flags = { kind: 'open-flags', flags: O.PATH | O.NOFOLLOW | O.CLOEXEC } as const
  return plan.syscall('openat', [folder, name, flags, 0], { name: 'node' })
}

/** Type and number of an inode, not of a path: a swapped /dev/null is noticed (CVE-2025-31133). */
function checkDevice(
  context: Context,
  fd: Operand,
  { type, major, minor, path }: Pick<WantedDevice, 'type' | 'major' | 'minor' | 'path'>,
  otherwise: string,
): void {
  const { plan } = context
  const isDevice = plan.routine('is_device', ['fd', 'type', 'major', 'minor'], (node, ...numbers) => {
    const found = statDescriptor(context, node)
    const fields = [
      found.field(STATX.mode, 2, S_IFMT),
      found.field(STATX.rdevMajor, 4),
      found.field(STATX.rdevMinor, 4),
    ]
    for (const [index, number] of numbers.entries()) {
      const field = fields[index]
      if (field !== undefined) plan.require(field, 'eq', number, ERRNO.EEXIST)
    }
  })
  plan.call(isDevice, [fd, TYPES[type], major, minor], { about: `${path} ${otherwise}` })
}

/** dev_t as the kernel takes it in 32 bits (new_encode_dev). */
function deviceNumber({ major, minor }: Pick<Device, 'major' | 'minor'>): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}

/** ptmx, fd, stdin, stdout, stderr, core: by name in /dev's descriptor, following nothing (CVE-2026-41579). */
export function lowerDevLinks(context: Context): void {
  const { plan, config } = context
  if (isDevBound(config)) return
  plan.section('', '/dev', () => {
    const dev = openFolder(context, '/dev')
    for (const [name, target] of LINKS) {
      plan.syscall('symlinkat', [target, dev, name], {
        about: `/dev/${name}`,
        ignore: { EEXIST: 'the image has one', EROFS: 'a read-only image has what it has' },
      })
    }
    lowerPtmx(context, dev)
    const none = plan.label('no_kcore')
    plan.syscall('faccessat2', [AT.FDCWD, '/proc/kcore', 0, 0], { onError: { '*': none } })
    plan.syscall('symlinkat', ['/proc/kcore', dev, 'core'], {
      ignore: { EEXIST: 'the image has one', EROFS: 'a read-only image has what it has' },
    })
    plan.place(none)
  })
}

/** The container's ptmx leads to its own devpts, whatever the image had there. */
function lowerPtmx({ plan }: Context, dev: Operand): void {
  const exists = plan.label('exists')
  const done = plan.label('ptmx')
  const link = ['pts/ptmx', dev, 'ptmx'] as const
  plan.syscall('symlinkat', link, { about: '/dev/ptmx', onError: { EEXIST: exists } })
  plan.jump(done)
  plan.place(exists)
  plan.syscall('unlinkat', [dev, 'ptmx', 0], {
    about: '/dev/ptmx',
    onError: { EBUSY: done, EROFS: done }, // a mount of the config, or a read-only image
  })
  plan.syscall('symlinkat', link, { about: '/dev/ptmx' })
  plan.place(done)
}

/**
 * The null device that masks are made of: the container's own node, so that nothing of the host's can be changed through a
 * mask; the host's where /dev is bound and may have anything in it.
 * @returns an O_PATH descriptor of a verified inode
 */
export function lowerNullDevice(context: Context): Operand {
  const { plan, config } = context
  const bound = isDevBound(config)
  const flags = O.PATH | O.NOFOLLOW
  const fd = bound
    ? plan.syscall('openat', [AT.FDCWD, '/dev/null', { kind: 'open-flags', flags: flags | O.CLOEXEC }, 0], {
        name: 'null',
      })
    : openInRoot(context, '/dev/null', { flags, name: 'null' })
  const path = bound ? "host's /dev/null" : '/dev/null'
  checkDevice(context, fd, { type: 'c', major: 1, minor: 3, path }, 'is another file')
  return fd
}
