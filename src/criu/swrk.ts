// A conversation with `criu swrk`: one request, notifications on the way, one answer, each a datagram of a socket pair.
//
//   runt                       criu swrk
//   ────                       ─────────
//   request ─────────────────▶
//           ◀───────────────── NOTIFY(script, pid), with a descriptor for orphan-pts-master
//   NOTIFY(notify_success) ──▶                            any number of times
//           ◀───────────────── the answer: success, or why not

import { RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { SIGNAL } from '../linux/signals.ts'
import { callerVariables } from '../native/caller.ts'
import { MSG_CMSG_CLOEXEC, pollAsync, receiveDescriptor, socketPair } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { SyscallError, trySyscall } from '../native/syscall.ts'
import { spawn } from '../process/spawn.ts'
import { describeStatus, reap, waitForEnd } from '../process/wait.ts'
import { type CriuRequest, type CriuResponse, REQUEST, REQUEST_FIELDS, RESPONSE_FIELDS } from './messages.ts'
import { decode, encode } from './wire.ts'

/** Something that CRIU has come to, and goes on from when it was answered. */
export interface Notification {
  readonly script: string
  /** Of the restored init as runt sees it, where CRIU tells it. */
  readonly pid: number | undefined
  /** orphan-pts-master: the terminal's master. Whoever is notified closes it. */
  readonly descriptor: number | undefined
}

export type Listener = (notification: Notification) => void | Promise<void>

/** How long CRIU may take to answer a question, and to end when nobody listens any more, in milliseconds. */
const PATIENCE = 10_000

/** When to give CRIU up. Saving much memory takes long, so it isn't the time that counts, but whether anything happens. */
export interface Patience {
  /** Milliseconds without a sign of life; undefined: never. */
  readonly idle: number | undefined
  /** Changes as long as something happens. */
  readonly signOfLife: () => string
  /** Rejects when nobody wants to wait any longer. */
  readonly interrupted?: Promise<never> | undefined
}

/** CRIU as a process, and our end of the socket pair. Disposing of it tells CRIU that nobody listens, and waits for its end. */
export class Worker implements Disposable {
  readonly socket: number
  /** A child of ours. */
  readonly pid: number
  #end: { readonly status: number | undefined } | undefined

  constructor(socket: number, pid: number) {
    this.socket = socket
    this.pid = pid
  }

  /** Wait for its end. @returns its wait status */
  wait(): number | undefined {
    this.#end ??= { status: reap(this.pid) }
    return this.#end.status
  }

  /** For one that is of no use any more. */
  kill(): void {
    if (this.#end === undefined) trySyscall('kill', this.pid, SIGNAL.SIGKILL)
  }

  [Symbol.dispose](): void {
    close(this.socket)
    if (this.#end === undefined && !waitForEnd(this.pid, PATIENCE)) this.kill()
    this.wait()
  }
}

const SOCKET_IN_CRIU = 3
const LONGEST_MESSAGE = 1 << 16

/** For questions that need no image of ours. @param program absolute path of criu */
export function startWorker(program: string): Worker {
  const [socket, theirs] = socketPair()
  try {
    const args = ['criu', 'swrk', `${SOCKET_IN_CRIU}`]
    const descriptors = [[theirs, SOCKET_IN_CRIU]] as const
    return new Worker(socket, spawn({ path: program, args, env: ownEnvironment(), descriptors }))
  } catch (error) {
    close(socket)
    throw error
  } finally {
    close(theirs)
  }
}

/** CRIU starts programs of the host's by name (tar, ip, iptables). */
export function ownEnvironment(): string[] {
  return callerVariables()
}

const A_QUESTION: Patience = { idle: PATIENCE, signOfLife: () => '' }

/**
 * Ask, answer the notifications, and return CRIU's answer, which may be a failure. When `listen` throws, CRIU hears that it
 * failed, takes back what it did, and then the error is thrown.
 * @throws RuntError when CRIU ends without an answer, or is given up: it is killed then
 */
export async function ask(
  worker: Worker,
  request: CriuRequest,
  listen: Listener = () => {},
  patience: Patience = A_QUESTION,
): Promise<CriuResponse> {
  send(worker, request)
  let failure: { readonly error: unknown } | undefined
  for (;;) {
    const { response, descriptor } = await receive(worker, patience)
    if (response.type !== REQUEST.NOTIFY || response.notify === undefined) {
      if (descriptor !== undefined) close(descriptor)
      if (failure !== undefined) throw failure.error
      return response
    }
    const { script = '', pid } = response.notify
    try {
      await listen({ script, pid, descriptor })
    } catch (error) {
      failure = { error }
    }
    send(worker, { type: REQUEST.NOTIFY, notify_success: failure === undefined })
  }
}

function send({ socket }: Worker, request: CriuRequest): void {
  const bytes = encode(REQUEST_FIELDS, request)
  const result = trySyscall('write', socket, bytes, bytes.length)
  // One that is gone says so when it is listened to.
  if (result < 0 && result !== -ERRNO.EPIPE) throw new SyscallError('write', -result, 'criu')
}

async function receive(
  worker: Worker,
  patience: Patience,
): Promise<{ readonly response: CriuResponse; readonly descriptor: number | undefined }> {
  try {
    await heard(worker, patience)
  } catch (error) {
    worker.kill()
    throw error
  }
  const { bytes, descriptor } = receiveDescriptor(worker.socket, LONGEST_MESSAGE, MSG_CMSG_CLOEXEC)
  if (bytes.length > 0) return { response: decode(RESPONSE_FIELDS, bytes), descriptor }
  const status = worker.wait()
  throw new RuntError(
    'criu',
    `criu ended without an answer${status === undefined ? '' : `: ${describeStatus(status)}`}`,
  )
}

/** Looks at signs of life while CRIU is waited for. */
const LOOKS = 5

async function heard({ socket }: Worker, { idle, signOfLife, interrupted }: Patience): Promise<void> {
  let sign = signOfLife()
  for (let silent = 0; silent < LOOKS; ) {
    const ready = pollAsync([socket], idle === undefined ? undefined : idle / LOOKS)
    if ((await (interrupted === undefined ? ready : Promise.race([ready, interrupted]))).length > 0) return
    const now = signOfLife()
    silent = now === sign ? silent + 1 : 0
    sign = now
  }
  throw new RuntError('criu', `criu has not answered, and nothing happened for ${(idle ?? 0) / 1000} s`)
}
