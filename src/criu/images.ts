// CRIU's images as data: those that tell what rights a checkpoint's processes have, by the names and numbers of CRIU's own
// description of them (images/*.proto), and only the fields that are used.

import { type Fields, type Message, many, one } from './fields.ts'
import { decode } from './wire.ts'

/** A kind of image: its magic number (criu/include/magic.h), and what its messages hold. */
export interface ImageKind<F extends Fields> {
  readonly magic: number
  readonly fields: F
  /** The inventory has no other before its own. */
  readonly alone?: boolean
}

/** The magic number before those of all images but the inventory. */
const COMMON_MAGIC = 0x54564319

const CREDS = {
  uid: one(1, 'uint32'),
  gid: one(2, 'uint32'),
  euid: one(3, 'uint32'),
  egid: one(4, 'uint32'),
  suid: one(5, 'uint32'),
  sgid: one(6, 'uint32'),
  fsuid: one(7, 'uint32'),
  fsgid: one(8, 'uint32'),
  cap_inh: many(9, 'uint32'),
  cap_prm: many(10, 'uint32'),
  cap_eff: many(11, 'uint32'),
  cap_bnd: many(12, 'uint32'),
  groups: many(14, 'uint32'),
  lsm_profile: one(15, 'string'),
  no_new_privs: one(18, 'uint32'),
  cap_amb: many(19, 'uint32'),
} as const

const RLIMITS = { rlimits: many(1, { cur: one(1, 'uint64'), max: one(2, 'uint64') }) } as const

/** Of every thread: core-TID.img. */
export const CORE = {
  magic: 0x55053847,
  fields: {
    tc: one(3, { task_state: one(1, 'uint32'), comm: one(6, 'string'), rlimits: one(8, RLIMITS) }),
    thread_core: one(5, {
      creds: one(10, CREDS),
      seccomp_mode: one(11, 'uint32'),
      seccomp_filter: one(12, 'uint32'),
    }),
  },
} as const

/** task_state of a zombie. */
export const TASK_DEAD = 2

export const PSTREE = {
  magic: 0x50273030,
  fields: { pid: one(1, 'uint32'), ppid: one(2, 'uint32'), threads: many(5, 'uint32') },
} as const

const NAMESPACE_IDS = {
  pid: one(5, 'uint32'),
  network: one(6, 'uint32'),
  ipc: one(7, 'uint32'),
  uts: one(8, 'uint32'),
  mount: one(9, 'uint32'),
  user: one(10, 'uint32'),
  cgroup: one(11, 'uint32'),
  time: one(12, 'uint32'),
} as const

/** Of every process: ids-PID.img. */
export const IDS = { magic: 0x54432030, fields: NAMESPACE_IDS } as const

/** root_ids: those of CRIU itself, so of the host. */
export const INVENTORY = {
  magic: 0x58313116,
  fields: { img_version: one(1, 'uint32'), root_ids: one(3, NAMESPACE_IDS) },
  alone: true,
} as const

/** img_version of all images that this describes. */
export const IMAGE_VERSION = 2

/** Filters of system calls, each with the number of the one that was loaded before it. */
export const SECCOMP = {
  magic: 0x64413049,
  fields: { seccomp_filters: many(1, { filter: one(1, 'bytes'), prev: one(2, 'uint32') }) },
} as const

const EXTENT = { first: one(1, 'uint32'), lower_first: one(2, 'uint32'), count: one(3, 'uint32') } as const

/** Of a user namespace: userns-ID.img. */
export const USERNS = { magic: 0x55474906, fields: { uid_map: many(1, EXTENT), gid_map: many(2, EXTENT) } } as const

/** Of a mount namespace: mountpoints-ID.img. */
export const MOUNTS = {
  magic: 0x55563928,
  fields: {
    fstype: one(1, 'uint32'),
    mnt_id: one(2, 'uint32'),
    root_dev: one(3, 'uint32'),
    parent_mnt_id: one(4, 'uint32'),
    flags: one(5, 'uint32'),
    root: one(6, 'string'),
    mountpoint: one(7, 'string'),
    ext_mount: one(13, 'bool'),
    fsname: one(14, 'string'),
    sb_flags: one(17, 'uint32'),
    ext_key: one(18, 'string'),
  },
} as const

/** A folder of a cgroup hierarchy; those in it are such messages again. */
export const CGROUP_FOLDER = {
  dir_name: one(1, 'string'),
  children: many(2, 'bytes'),
  properties: many(3, { name: one(1, 'string') }),
} as const

/** Where processes were, and what CRIU makes anew of it. */
export const CGROUPS = {
  magic: 0x59383330,
  fields: {
    sets: many(1, { ctls: many(2, { path: one(2, 'string') }) }),
    controllers: many(2, { dirs: many(2, 'bytes') }),
  },
} as const

/** enum fstype, as far as containers have them. What isn't here is nothing that CRIU should mount for one. */
export const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  1: 'proc',
  2: 'sysfs',
  3: 'devtmpfs',
  5: 'tmpfs',
  6: 'devpts',
  12: 'cgroup',
  14: 'mqueue',
  17: 'overlay',
  23: 'cgroup2',
}

/** Of a magic number, and of a length. */
const WORD = 4

/**
 * The messages of an image, each behind its length.
 * @throws Error when it isn't of this kind
 */
export function entriesOf<F extends Fields>({ magic, fields, alone }: ImageKind<F>, bytes: Uint8Array): Message<F>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const header = alone === true ? [magic] : [COMMON_MAGIC, magic]
  if (
    bytes.length < header.length * WORD ||
    header.some((word, index) => view.getUint32(index * WORD, true) !== word)
  ) {
    throw new TypeError('not such an image')
  }
  const entries: Message<F>[] = []
  for (let at = header.length * WORD; at < bytes.length; ) {
    const length = at + WORD <= bytes.length ? view.getUint32(at, true) : bytes.length
    at += WORD
    if (at + length > bytes.length) throw new RangeError('ends too early')
    entries.push(decode(fields, bytes.subarray(at, at + length)))
    at += length
  }
  return entries
}
