// start: open the gate and hear what becomes of it. runtime.md, Start and steps 6–9 of the lifecycle.

import { withPlace } from '../config/load.ts'
import { propertyError, RuntError } from '../errors.ts'
import { O, S_IF } from '../linux/open-flags.ts'
import { poll } from '../native/descriptors.ts'
import { close, open, writeAll } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'
import { failedLabel, failureError } from '../process/report.ts'
import { keepGoing } from '../process/stopped.ts'
import { decodeMessage, decodeMessages, type Failure } from '../process/sync.ts'
import { waitForEnd } from '../process/wait.ts'
import { type Container, stateOf } from './container.ts'
import { destroy } from './delete.ts'
import { processConfig } from './exec-record.ts'
import { explainExec } from './explain-exec.ts'
import { runHooks } from './hooks.ts'
import { checkId } from './id.ts'
import { requireStatus, statusOf } from './status.ts'
import type { Store } from './store.ts'
import { isOfType } from './trust.ts'

const LONGEST_VERDICT = 8192

/** Milliseconds that a failed init may take to end. */
const PATIENCE = 10_000

/** @throws RuntError not created, no process, a failed hook, or a program that can't be executed */
export async function startContainer(store: Store, id: string): Promise<void> {
  checkId(id)
  using _lock = store.lock(id)
  const container = store.load(id)
  // Before the status: init may not have ended yet, and would seem to wait at its gate still.
  const told = store.takeFailure(id)
  if (told !== undefined) throw await startFailed(store, container, failureOf(told))
  requireStatus('start', id, statusOf(store, container))
  if (!container.hasProcess) {
    throw new RuntError('config-invalid', `cannot start container ${id}: its config has no process`)
  }
  const look = container.sharesPidNamespace ? keepGoing(container.pid, 'container init') : () => {}
  const verdict = decodeMessages(openGate(store.directory(id), look))
  const failure = verdict.find((message) => message.kind === 'failed')
  if (failure !== undefined) throw await startFailed(store, container, failure)
  if (container.hasStartHooks && verdict.length === 0) {
    await destroy(store, container)
    throw endedInHooks()
  }
  await afterStart(store, container)
}

/** Init is gone without a word: not by its own doing. */
export function endedInHooks(): RuntError {
  return propertyError('hook', '/hooks/startContainer', 'the container was killed before its hooks had run')
}

/** How long init may keep us from looking around, in milliseconds. */
const GLANCE = 100

/**
 * Write into the gate, then read init's verdict up to its end: that is when the program runs, or init has ended.
 * @param look is called again and again meanwhile
 */
function openGate(directory: string, look: () => void): Uint8Array {
  const verdict = open(`${directory}/verdict`, O.RDONLY | O.NONBLOCK | O.NOFOLLOW)
  try {
    const gate = open(`${directory}/gate`, O.WRONLY | O.NONBLOCK | O.NOFOLLOW)
    const isGate = isOfType(gate, S_IF.FIFO)
    if (isGate) writeAll(gate, '1')
    close(gate)
    if (!isGate) throw new RuntError('state', `${directory}/gate: not a FIFO`)
    const buffer = new Uint8Array(LONGEST_VERDICT)
    for (let end = 0; ; ) {
      while (poll([verdict], GLANCE).length === 0) look()
      const length = syscall('read', verdict, buffer.subarray(end), buffer.length - end)
      end += length
      if (length === 0) return buffer.subarray(0, end)
    }
  } finally {
    close(verdict)
  }
}

/** What the front heard. */
function failureOf(verdict: Uint8Array): Failure {
  const message = decodeMessage(verdict)
  if (message.kind !== 'failed') throw new RuntError('internal', `${message.kind} from init where a verdict was due`)
  return message
}

/** A failed startContainer hook ends the container for good (step 12); after a failed exec it stays as stopped. */
export async function startFailed(store: Store, container: Container, failure: Failure): Promise<unknown> {
  const error = failureError(
    failedLabel((step) => container.startSteps[step], failure),
    failure,
  )
  // Init says why it ends before it does: whoever deletes the container next must find it stopped.
  waitForEnd(container.pid, PATIENCE)
  if (error.code === 'hook' || error.data.pointer?.toString().startsWith('/hooks')) await destroy(store, container)
  const { exec, rootfs, bundle, configFile } = container
  return withPlace(explainExec(error, rootfs, processConfig(exec, rootfs)), bundle, configFile)
}

/** poststart hooks: when one fails, the container is stopped and destroyed. */
export async function afterStart(store: Store, container: Container): Promise<void> {
  try {
    runHooks('poststart', container.hooks.poststart, stateOf(container, 'running', container.pid))
  } catch (error) {
    await destroy(store, container)
    throw error
  }
}
