// What must hold of a system call by itself, whatever stands before it.

import type { ErrnoName } from '../linux/errno.ts'
import { AT, O } from '../linux/open-flags.ts'
import type { SyscallName } from '../linux/syscalls.ts'
import type { Address, CallStep, Operand, SyscallStep } from './step.ts'

/** Which argument is the descriptor and which the path, for calls that resolve a path. */
const PATH_ARGUMENTS: Partial<Record<SyscallName, readonly [fd: number, path: number]>> = {
  openat: [0, 1],
  openat2: [0, 1],
  open_tree: [0, 1],
  mkdirat: [0, 1],
  mknodat: [0, 1],
  unlinkat: [0, 1],
  faccessat2: [0, 1],
  fchmodat: [0, 1],
  fchownat: [0, 1],
  statx: [0, 1],
  mount_setattr: [0, 1],
  readlinkat: [0, 1],
  execveat: [0, 1],
}

/** Calls that take a path without a descriptor. */
const BARE_PATH_CALLS: ReadonlySet<SyscallName> = new Set([
  'chdir',
  'chroot',
  'execve',
  'mount',
  'umount2',
  'pivot_root',
  'statfs',
])

/** Where a call that returns a descriptor holds its flags, and the bit that closes it on exec. */
const CLOEXEC_ARGUMENTS: Partial<Record<SyscallName, readonly [argument: number, bit: number]>> = {
  openat: [2, O.CLOEXEC],
  open_tree: [2, O.CLOEXEC],
  fsopen: [1, 1],
  fsmount: [1, 1],
  socket: [1, O.CLOEXEC],
  memfd_create: [1, 1],
  pipe2: [1, O.CLOEXEC],
}

/** Where the kernel writes: into which argument, and how many bytes: as many as another argument says, or always these. */
const WRITES: Partial<Record<SyscallName, readonly [address: number, length: { readonly argument: number } | number]>> =
  {
    clock_gettime: [1, 16],
    fgetxattr: [2, { argument: 3 }],
    flistxattr: [1, { argument: 2 }],
    fstatfs: [1, 120],
    getcwd: [0, { argument: 1 }],
    getdents64: [1, { argument: 2 }],
    pipe2: [0, 8],
    pread64: [1, { argument: 2 }],
    read: [1, { argument: 2 }],
    readlinkat: [2, { argument: 3 }],
    socketpair: [3, 8],
    statx: [4, 256],
    wait4: [1, 4],
  }

/** Where a call lets the kernel write into the plan's data, and how much at most; undefined when it doesn't. */
export function writtenBy({ name, args }: SyscallStep): { readonly to: Address; readonly length: number } | undefined {
  const known = WRITES[name]
  const to = known === undefined ? undefined : args[known[0]]
  if (known === undefined || typeof to !== 'object' || to.kind !== 'address') return undefined
  const length = typeof known[1] === 'number' ? known[1] : args[known[1].argument]
  if (typeof length !== 'number') throw new Error('lets the kernel write nobody knows how much')
  return { to, length }
}

/** @throws Error for an errno that is ignored without a reason */
export function checkReasons({ ignore }: SyscallStep | CallStep): void {
  for (const errno in ignore) {
    if (ignore[errno as ErrnoName] === '') throw new Error(`${errno} is ignored without a reason`)
  }
}

/** @throws Error for a call that makes a descriptor which a program would inherit */
export function checkCloseOnExec({ name, args }: SyscallStep): void {
  const flags = CLOEXEC_ARGUMENTS[name]
  if (flags !== undefined && (flagBits(args[flags[0]]) & flags[1]) === 0) {
    throw new Error('makes a descriptor that would survive exec')
  }
}

/** Does it take a path, and none that is said to be the container's, without a descriptor to begin at? */
export function takesHostPath(step: SyscallStep): boolean {
  return hostPathOf(step) !== undefined
}

/** The path of a call that takes one of the host's. */
export function hostPathOf({ name, args, path }: SyscallStep): Operand | undefined {
  if (path !== 'host') return undefined
  if (BARE_PATH_CALLS.has(name)) return args[0]
  const place = PATH_ARGUMENTS[name]
  return place !== undefined && args[place[0]] === AT.FDCWD ? args[place[1]] : undefined
}

function flagBits(operand: Operand | undefined): number {
  if (typeof operand === 'number') return operand
  return typeof operand === 'object' && operand.kind === 'open-flags' ? operand.flags : 0
}
