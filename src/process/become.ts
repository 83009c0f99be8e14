// runt becomes an image: same process, same caller, nothing of the engine left.

import { F } from '../linux/fcntl.ts'
import { ALL_FDS, CLOSE_RANGE_CLOEXEC } from '../linux/open-flags.ts'
import { sealedExecutable } from '../native/descriptors.ts'
import { callNative } from '../native/ffi.ts'
import { close } from '../native/file.ts'
import { Arena } from '../native/memory.ts'
import { trySyscall } from '../native/syscall.ts'

const FIRST_PRESERVED = 3

/**
 * execve(2) of an image, with our environment. Comes back when it can't be executed.
 * @param args its argv
 * @param preserved how many descriptors from 3 on stay open; all beyond are closed
 */
export function becomeImage(image: Uint8Array, args: readonly string[], preserved: number): void {
  const memory = sealedExecutable('runt:init', image)
  trySyscall('close_range', FIRST_PRESERVED + preserved, ALL_FDS, CLOSE_RANGE_CLOEXEC)
  // Engines set it for all that they find open.
  for (let fd = 0; fd < FIRST_PRESERVED + preserved; fd++) trySyscall('fcntl', fd, F.SETFD, 0)
  using arena = new Arena(args.reduce((sum, text) => sum + text.length * 3 + 16, 4096))
  callNative('execv', arena.placeString(`/proc/self/fd/${memory}`), arena.placeStrings(args))
  close(memory)
}
