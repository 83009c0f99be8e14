// Numbers of system calls and of their structures by the names that manual pages have.

import { F } from '../linux/fcntl.ts'
import { LOCK } from '../linux/flock.ts'
import { FSCONFIG, MNT_DETACH, MOUNT_ATTR, MOVE_MOUNT, MS, OPEN_TREE } from '../linux/mount-flags.ts'
import { CLONE, NAMESPACES } from '../linux/namespaces.ts'
import { AT, CLOSE_RANGE_CLOEXEC, O, RESOLVE } from '../linux/open-flags.ts'
import { PR } from '../linux/prctl.ts'
import { SIGNAL } from '../linux/signals.ts'
import type { SyscallName } from '../linux/syscalls.ts'

type Numbers = Readonly<Record<string, number | bigint>>

/** How a number is written. */
export type Spelling = (number: number | bigint) => string

/** Small numbers in decimal, others in hexadecimal. */
export const plain: Spelling = (number) => {
  if (number >= -4096 && number < 1024) return `${number}`
  return number < 0 ? `-0x${(-number).toString(16)}` : `0x${number.toString(16)}`
}

const octal: Spelling = (number) => (number === 0 ? '0' : `0${number.toString(8)}`)

/** dev_t: major and minor number. makedev(3) */
const device: Spelling = (number) => {
  const bits = Number(number)
  return `${(bits >> 8) & 0xfff}:${(bits & 0xff) | ((bits >> 12) & 0xfff00)}`
}

const withPrefix = (prefix: string, numbers: Numbers): Numbers =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [prefix + name, value]))

/** A mask of bits. */
function flags(prefix: string, numbers: Numbers): Spelling {
  const bits = Object.entries(withPrefix(prefix, numbers)).map(([name, value]) => [name, BigInt(value)] as const)
  return (number) => {
    let rest = BigInt(number)
    const names: string[] = []
    for (const [name, value] of bits) {
      if (value === 0n || (rest & value) !== value) continue
      names.push(name)
      rest &= ~value
    }
    if (rest !== 0n || names.length === 0) names.push(plain(rest))
    return names.join('|')
  }
}

/** One of some values. */
function oneOf(prefix: string, numbers: Numbers): Spelling {
  const names = Object.entries(withPrefix(prefix, numbers))
  return (number) => names.find(([, value]) => BigInt(value) === BigInt(number))?.[0] ?? plain(number)
}

const NAMESPACE_FLAGS: Numbers = Object.fromEntries(
  Object.values(NAMESPACES).map(({ flag, link }) => [`NEW${link.replace('mnt', 'ns').toUpperCase()}`, flag]),
)
const clone = flags('CLONE_', { ...NAMESPACE_FLAGS, ...CLONE })
const opened = flags('O_', O)
const attributes = flags('MOUNT_ATTR_', MOUNT_ATTR)
const mountFlags = flags('MS_', MS)
const at = flags('AT_', {
  SYMLINK_NOFOLLOW: AT.SYMLINK_NOFOLLOW,
  EMPTY_PATH: AT.EMPTY_PATH,
  RECURSIVE: AT.RECURSIVE,
})

/** open(2) flags: that nothing but reading is asked for is said, too. */
export const openFlags: Spelling = (number) => {
  const isReading = (Number(number) & (O.WRONLY | O.RDWR | O.PATH)) === 0
  if (!isReading) return opened(number)
  return number === 0 ? 'O_RDONLY' : `O_RDONLY|${opened(number)}`
}

const fileDescriptor: Spelling = (number) => (number === AT.FDCWD ? 'AT_FDCWD' : plain(number))
const signal = oneOf('', SIGNAL)

/** Numbers among arguments that have names, by call and position. */
const ARGUMENTS: Partial<Record<SyscallName, Readonly<Record<number, Spelling>>>> = {
  close_range: { 2: flags('CLOSE_RANGE_', { CLOEXEC: CLOSE_RANGE_CLOEXEC }) },
  dup3: { 2: opened },
  execveat: { 4: at },
  fchmod: { 1: octal },
  fchmodat: { 2: octal },
  fchownat: { 4: at },
  fcntl: { 1: oneOf('F_', F) },
  flock: { 1: flags('LOCK_', LOCK) },
  fsconfig: { 1: oneOf('FSCONFIG_', FSCONFIG) },
  fsmount: { 2: attributes },
  kill: { 1: signal },
  mkdirat: { 2: octal },
  mknodat: { 2: octal, 3: device },
  mount: { 3: mountFlags },
  mount_setattr: { 2: at },
  move_mount: { 4: flags('MOVE_MOUNT_', MOVE_MOUNT) },
  open_tree: {
    2: flags('', {
      ...withPrefix('OPEN_TREE_', OPEN_TREE),
      ...{ AT_RECURSIVE: AT.RECURSIVE, AT_EMPTY_PATH: AT.EMPTY_PATH },
    }),
  },
  openat: { 2: openFlags, 3: octal },
  pidfd_send_signal: { 1: signal },
  prctl: { 0: oneOf('PR_', PR) },
  setns: { 1: clone },
  statx: { 2: at },
  umask: { 0: octal },
  umount2: { 1: flags('MNT_', { DETACH: MNT_DETACH }) },
  unlinkat: { 2: flags('AT_', { REMOVEDIR: AT.REMOVEDIR }) },
  unshare: { 0: clone },
}

/** How an argument is written. */
export function argumentSpelling(call: SyscallName, position: number): Spelling {
  const known = ARGUMENTS[call]?.[position]
  if (known !== undefined) return (number) => (number === AT.FDCWD ? 'AT_FDCWD' : known(number))
  return fileDescriptor
}

/** Fields of structures, in their order: name, and how its number is written. What stands behind them is left out. */
const STRUCTURES: Readonly<Record<string, readonly (readonly [name: string, spelling: Spelling])[]>> = {
  clone_args: [['flags', clone]],
  mount_attr: [
    ['set', attributes],
    ['clear', attributes],
    ['propagation', mountFlags],
  ],
  open_how: [
    ['flags', openFlags],
    ['mode', octal],
    ['resolve', flags('RESOLVE_', RESOLVE)],
  ],
}

/** @returns the fields of a structure that are known by name; undefined for other objects */
export function fieldsOf(text: string): readonly (readonly [name: string, spelling: Spelling])[] | undefined {
  return STRUCTURES[/^\w+/.exec(text)?.[0] ?? '']
}
