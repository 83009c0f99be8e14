// What must hold of a system call by itself, whatever stands before it.

import type { ErrnoName } from '../linux/errno.ts'
import { AT, O } from '../linux/open-flags.ts'
import type { SyscallName } from '../linux/syscalls.ts'
import type { CallStep, Operand, SyscallStep } from './step.ts'

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
