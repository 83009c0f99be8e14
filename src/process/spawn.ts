// Start a program from the runtime: posix_spawn(3), which is vfork inside, so its price doesn't grow with the engine's memory.

import { ALL_FDS, CLOSE_RANGE_CLOEXEC } from '../linux/open-flags.ts'
import { callNative } from '../native/ffi.ts'
import { close } from '../native/file.ts'
import { Arena } from '../native/memory.ts'
import { SyscallError, syscall } from '../native/syscall.ts'

export interface SpawnOptions {
  readonly path: string
  readonly args: readonly string[]
  readonly env: readonly string[]
  /** [descriptor of ours, descriptor in the child]; no others but the standard streams are open in the child. */
  readonly descriptors?: readonly (readonly [from: number, to: number])[]
}

// glibc's sizes on both machines: posix_spawn_file_actions_t is 80 bytes, posix_spawnattr_t 336, sigset_t 128.
const FILE_ACTIONS_SIZE = 80
const ATTRIBUTES_SIZE = 336
const SIGSET_SIZE = 128
const FIRST_OTHER = 3
const POSIX_SPAWN_SETSIGDEF = 0x4
const POSIX_SPAWN_SETSIGMASK = 0x8

/**
 * Start a program with every signal at its default and none blocked (engines ignore SIGPIPE, and that is inherited).
 * @returns its pid, a child of ours
 * @throws SyscallError of execve when the program can't be started
 */
export function spawn(options: SpawnOptions): number {
  // Ours are close-on-exec; our caller may have left others open.
  syscall('close_range', FIRST_OTHER, ALL_FDS, CLOSE_RANGE_CLOEXEC)
  const length = [options.path, ...options.args, ...options.env].reduce((sum, text) => sum + text.length * 3 + 16, 0)
  using arena = new Arena(length + 4096)
  const actions = arena.reserve(FILE_ACTIONS_SIZE)
  const attributes = arena.reserve(ATTRIBUTES_SIZE)
  const none = arena.reserve(SIGSET_SIZE)
  const all = arena.place(new Uint8Array(SIGSET_SIZE).fill(0xff))
  const pid = arena.reserve(8)
  callNative('posix_spawn_file_actions_init', actions)
  const moved = outOfTheWay(options.descriptors ?? [])
  for (const [from, to] of moved) callNative('posix_spawn_file_actions_adddup2', actions, from, to)
  callNative('posix_spawnattr_init', attributes)
  callNative('posix_spawnattr_setflags', attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)
  callNative('posix_spawnattr_setsigdefault', attributes, all)
  callNative('posix_spawnattr_setsigmask', attributes, none)
  const path = arena.placeString(options.path)
  const args = arena.placeStrings(options.args)
  const env = arena.placeStrings(options.env)
  const { value } = callNative('posix_spawn', pid, path, actions, attributes, args, env)
  for (const [from] of moved) close(from)
  callNative('posix_spawn_file_actions_destroy', actions)
  callNative('posix_spawnattr_destroy', attributes)
  const errno = Number(value & 0xffffffffn)
  if (errno !== 0) throw new SyscallError('execve', errno, options.path)
  return new DataView(arena.read(pid, 4).buffer).getInt32(0, true)
}

const F_DUPFD_CLOEXEC = 1030

/** Copies with numbers above all targets, so that no dup2 overwrites what a later one needs. */
function outOfTheWay(descriptors: readonly (readonly [from: number, to: number])[]): [number, number][] {
  const above = descriptors.reduce((most, [, to]) => Math.max(most, to), 0) + 1
  return descriptors.map(([from, to]) => [syscall('fcntl', from, F_DUPFD_CLOEXEC, above), to])
}
