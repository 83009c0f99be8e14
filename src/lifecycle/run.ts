// run: create and start in one. In the foreground runt stands in for the container: its signals, its terminal, its exit status.

import { withPlace } from '../config/load.ts'
import { PR } from '../linux/prctl.ts'
import { syscall } from '../native/syscall.ts'
import { exitStatus } from '../process/wait.ts'
import { executed } from './conversation.ts'
import { type CreateOptions, launch } from './create.ts'
import { destroy, destroyIfPresent } from './delete.ts'
import { processConfig } from './exec-record.ts'
import { explainEnd, saveExitIfPresent } from './exit.ts'
import { explainExec } from './explain-exec.ts'
import type { Profile } from './profile.ts'
import { forwardSignals } from './signals.ts'
import { standIn } from './stand-in.ts'
import { afterStart, endedInHooks } from './start.ts'
import type { Store } from './store.ts'

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
  const launched = await launch(store, { ...options, ...(signals && { interrupted: signals.interrupted }) }, profile)
  try {
    const hooked = await executed(launched)
    if (launched.container.hasStartHooks && !hooked) throw endedInHooks()
  } catch (error) {
    await destroy(store, launched.container)
    launched.lock[Symbol.dispose]()
    const { exec, rootfs } = launched.container
    throw await withPlace(explainExec(error, rootfs, processConfig(exec, rootfs)), options.bundle, options.config)
  }
  profile.mark('executed')
  await afterStart(store, launched.container)
  launched.lock[Symbol.dispose]()
  if (!foreground) return 0
  signals?.aim(launched.container.pid, launched.container.startTime)
  const status = await standIn(launched.init, launched.master).catch(async (error: unknown) => {
    await destroyIfPresent(store, launched.container)
    throw error
  })
  profile.mark('program ended')
  explainEnd(launched.container, status)
  if (!options.keep) {
    await destroyIfPresent(store, launched.container)
    profile.mark('destroyed')
  } else saveExitIfPresent(store, launched.container, status)
  return exitStatus(status)
}
