// The image as a process: sealed memory, a channel, and what of it must be reaped.

import { F, FD_CLOEXEC } from '../linux/fcntl.ts'
import { sealedExecutable, socketPair } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { trySyscall } from '../native/syscall.ts'
import { blockingChannel, type Channel } from './channel.ts'
import { spawn } from './spawn.ts'

export interface InitProcess {
  readonly channel: Channel
  /** P0's own line: P1's pid comes over it, and in the foreground the wait status. */
  readonly monitor: number
  /** P0, a child of ours. */
  readonly first: number
  /** Rejects when nobody wants to wait for it any longer. */
  readonly interrupted: Promise<never> | undefined
}

const STANDARD_STREAMS = [0, 1, 2]
const FIRST_PRESERVED = 3

/**
 * Start an image.
 * @param slots its descriptor numbers for the conversation
 * @param given further descriptors of ours, and their numbers there
 * @param interrupted rejects when nobody wants to wait for it any longer
 */
export function spawnInit(
  image: Uint8Array,
  slots: { readonly channel: number; readonly monitor: number },
  given: readonly (readonly [from: number, to: number])[] = [],
  interrupted?: Promise<never>,
): InitProcess {
  const [ours, theirs] = socketPair()
  const [monitor, theirMonitor] = socketPair()
  try {
    const descriptors: (readonly [number, number])[] = [
      [theirs, slots.channel],
      [theirMonitor, slots.monitor],
      ...given,
    ]
    // What the caller wants inside stands below.
    for (let fd = FIRST_PRESERVED; fd < slots.channel; fd++) descriptors.push([fd, fd])
    // A stream that the caller had closed is the engine's null device. The image needs it, too: a number that is free
    // would go to the next file it opens.
    for (const fd of STANDARD_STREAMS) if (isCloseOnExec(fd)) descriptors.push([fd, fd])
    const first = spawnImage('runt:init', image, descriptors)
    return { channel: blockingChannel(ours, interrupted), monitor, first, interrupted }
  } catch (error) {
    close(ours)
    close(monitor)
    throw error
  } finally {
    close(theirs)
    close(theirMonitor)
  }
}

/**
 * Start an image as a child of ours.
 * @param name what ps(1) shows
 * @param descriptors of ours, and their numbers there
 * @returns its pid
 */
export function spawnImage(
  name: string,
  image: Uint8Array,
  descriptors: readonly (readonly [from: number, to: number])[],
): number {
  const memory = sealedExecutable(name, image)
  try {
    // By our pid: in the child the number may mean another descriptor already.
    return spawn({ path: `/proc/${process.pid}/fd/${memory}`, args: [name], env: [], descriptors })
  } finally {
    close(memory)
  }
}

function isCloseOnExec(fd: number): boolean {
  return trySyscall('fcntl', fd, F.GETFD) === FD_CLOEXEC
}
