// run: create and start in one. In the foreground runt stands in for the container: its signals, its terminal, its exit status.

import { RuntError } from '../errors.ts'
import { PR } from '../linux/prctl.ts'
import { pollAsync } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'
import { planFailure } from '../process/report.ts'
import { decodeMessage } from '../process/sync.ts'
import { exitStatus } from '../process/wait.ts'
import { type CreateOptions, type Launched, launch } from './create.ts'
import { destroy, destroyIfPresent } from './delete.ts'
import type { Profile } from './profile.ts'
import { forwardSignals } from './signals.ts'
import { afterStart } from './start.ts'
import type { Store } from './store.ts'
import { relayTerminal } from './terminal.ts'

export interface RunOptions extends CreateOptions {
  /** Leave a container that has ended on record. */
  readonly keep: boolean
  /** Don't become the parent of the container's orphans. */
  readonly noSubreaper: boolean
}

/**
 * @returns the exit status of the program (128 and the signal for one that was killed); 0 when detached
 * @throws RuntError; nothing is left of the container then
 */
export async function runContainer(store: Store, options: RunOptions, profile: Profile): Promise<number> {
  const foreground = options.mode === 'run-foreground'
  if (foreground && !options.noSubreaper) syscall('prctl', PR.SET_CHILD_SUBREAPER, 1, 0, 0, 0)
  // Before the program is there: who starts it may signal at once.
  using signals = foreground ? forwardSignals() : undefined
  const launched = await launch(store, options, profile)
  try {
    await executed(launched)
  } catch (error) {
    destroy(store, launched.container)
    launched.lock[Symbol.dispose]()
    throw error
  }
  profile.mark('executed')
  afterStart(store, launched.container)
  launched.lock[Symbol.dispose]()
  if (!foreground) return 0
  signals?.aim(launched.container.pid, launched.container.startTime)
  const status = await standIn(launched).catch((error: unknown) => {
    destroyIfPresent(store, launched.container)
    throw error
  })
  profile.mark('program ended')
  if (!options.keep) {
    destroyIfPresent(store, launched.container)
    profile.mark('destroyed')
  }
  return status
}

/** Init was told to go on: end of file means that the program runs. */
async function executed({ init, plan }: Launched): Promise<void> {
  const message = await init.channel.receive()
  init.channel.close()
  if (message === undefined) return
  if (message.kind !== 'failed') throw new RuntError('internal', `${message.kind} from init after the start`)
  throw planFailure(plan, message)
}

/** Relay the terminal until P0 says how the program ended. */
async function standIn({ init, master }: Launched): Promise<number> {
  const { monitor } = init
  try {
    if (master !== undefined) await relayTerminal(master, monitor)
    await pollAsync([monitor])
    return exitStatus(readStatus(monitor))
  } finally {
    close(monitor)
  }
}

function readStatus(monitor: number): number {
  const bytes = new Uint8Array(64)
  const length = syscall('read', monitor, bytes, bytes.length)
  if (length === 0) throw new RuntError('init', 'the first process ended without telling how the program did')
  const message = decodeMessage(bytes.subarray(0, length))
  if (message.kind !== 'status') throw new RuntError('internal', `${message.kind} where a status was due`)
  return message.value
}
