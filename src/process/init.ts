// The image as a process: sealed memory, a channel, and what of it must be reaped.

import { sealedExecutable, socketPair } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { blockingChannel, type Channel } from './channel.ts'
import { spawn } from './spawn.ts'

export interface InitProcess {
  readonly channel: Channel
  /** P0's own line, in the foreground: the wait status comes over it. */
  readonly monitor: number | undefined
  /** P0, a child of ours. */
  readonly first: number
}

/**
 * Start an image.
 * @param slots its descriptor numbers for the conversation
 * @param foreground P0 stays and reports how P1 ends
 */
export function spawnInit(
  image: Uint8Array,
  slots: { readonly channel: number; readonly monitor: number },
  foreground: boolean,
): InitProcess {
  const [ours, theirs] = socketPair()
  const monitor = foreground ? socketPair() : undefined
  const memory = sealedExecutable('runt:init', image)
  try {
    const descriptors: [number, number][] = [[theirs, slots.channel]]
    if (monitor !== undefined) descriptors.push([monitor[1], slots.monitor])
    // By our pid: in the child the number may mean another descriptor already.
    const first = spawn({ path: `/proc/${process.pid}/fd/${memory}`, args: ['runt:init'], env: [], descriptors })
    return { channel: blockingChannel(ours), monitor: monitor?.[0], first }
  } catch (error) {
    close(ours)
    if (monitor !== undefined) close(monitor[0])
    throw error
  } finally {
    close(theirs)
    close(memory)
    if (monitor !== undefined) close(monitor[1])
  }
}
