// runt's side of the conversation with an image: what create and exec hear and say alike. process/sync.ts draws it.

import { RuntError } from '../errors.ts'
import { poll } from '../native/descriptors.ts'
import { trySyscall } from '../native/syscall.ts'
import { type Plan, REPORT } from '../plan/step.ts'
import { blockingChannel, expect } from '../process/channel.ts'
import type { InitProcess } from '../process/init.ts'
import { planFailure } from '../process/report.ts'
import { decodeMessage, type Failure, type Message, type MessageKind } from '../process/sync.ts'
import { describeStatus, reap } from '../process/wait.ts'
import { keepLineFeeds } from './terminal.ts'

/** An image that runs. */
export interface Peer {
  readonly plan: Plan
  readonly init: InitProcess
  /** What P1 is, for a person. */
  readonly name: string
  /** P1's; 0 before it is born. */
  readonly pid: number
}

const LONGEST_REPORT = 4096

/**
 * P0's word on its own line; when it is gone without one, what it reported, or how it ended.
 * @returns P1's pid as runt sees it
 */
export async function learnPid(peer: Peer): Promise<number> {
  const { init } = peer
  const message = await blockingChannel(init.monitor, init.interrupted).receive()
  if (message?.kind === 'pid') return message.value
  if (message?.kind === 'failed') throw planFailure(peer.plan, message)
  if (message !== undefined && message.kind !== 'status')
    throw new RuntError('internal', `${message.kind} from the image where its pid was due`)
  // P0 itself, or the one that should have made P1.
  const status = message === undefined ? reap(init.first) : message.value
  if (status === undefined || (status & 0x7f) !== 0) throw ended(peer, status)
  // It gave up by itself, so a report is there, if it could give one: nobody waits for who lives on without it. P1 may have
  // said something before, and a terminal may be on its way.
  init.channel.whileWaiting(() => {
    throw ended(peer, status)
  })
  for (;;) {
    const bytes = await init.channel.receiveRaw(LONGEST_REPORT)
    if (bytes.length === 0) throw ended(peer, endStatus(peer))
    const report = bytes.length < REPORT.text ? undefined : decodeMessage(bytes)
    if (report?.kind === 'failed') throw planFailure(peer.plan, report)
  }
}

/** The message that is due. @throws RuntError for a failure of the image, or its end */
export async function hear(peer: Peer, kind: MessageKind): Promise<Message> {
  return answer(peer, await expect(peer.init.channel, kind))
}

/** @throws RuntError: an image that failed meanwhile has said so before it went */
export async function tell(peer: Peer, reply: Uint8Array): Promise<void> {
  const { channel } = peer.init
  if (!(await channel.send(reply))) answer(peer, await channel.receive())
}

/** The pty's master, for us to relay. */
export async function receiveMaster(peer: Peer): Promise<number> {
  const received = await peer.init.channel.receiveDescriptor()
  if (typeof received === 'number') {
    keepLineFeeds(received)
    return received
  }
  answer(peer, received)
  throw new RuntError('internal', `${peer.name} sent no terminal`)
}

/**
 * The image was told to go on: end of file means that the program runs.
 * @returns whether the image spoke of hooks before
 */
export async function executed({ init, plan }: Pick<Peer, 'init' | 'plan'>): Promise<boolean> {
  const first = await init.channel.receive()
  const hooked = first !== undefined && first.kind === 'hooked'
  const message = hooked ? await init.channel.receive() : first
  init.channel.close()
  if (message === undefined) return hooked
  if (message.kind !== 'failed') throw new RuntError('internal', `${message.kind} from the image after the start`)
  throw planFailure(plan, message)
}

/** A message that was due; a failure, or the image's end, as an error. */
function answer(peer: Peer, message: Message | Failure | undefined): Message {
  if (message === undefined) throw ended(peer, endStatus(peer))
  if (message.kind !== 'failed') return message
  throw planFailure(peer.plan, message)
}

/** How long P0 may take to tell how P1 ended, in milliseconds. */
const PATIENCE = 1000

/** The wait status of one that has ended: our child, or P0's, which tells. */
function endStatus({ init, pid }: Peer): number | undefined {
  const status = reap(pid === 0 ? init.first : pid)
  if (status !== undefined || poll([init.monitor], PATIENCE).length === 0) return status
  const bytes = new Uint8Array(REPORT.text)
  if (trySyscall('read', init.monitor, bytes, bytes.length) !== bytes.length) return undefined
  const message = decodeMessage(bytes)
  return message.kind === 'status' ? message.value : undefined
}

/** The image is gone without a word: somebody killed it. */
function ended({ name }: Peer, status: number | undefined): RuntError {
  const how = status === undefined ? '' : `: ${describeStatus(status)}`
  const killed = status !== undefined && (status & 0x7f) === 9
  return new RuntError('init', `${name} ended before it was ready${how}`, {
    ...(killed ? { hint: 'the kernel may have killed it for memory: is linux.resources.memory.limit too low?' } : {}),
  })
}
