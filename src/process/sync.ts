// The conversation of runt and the image, over two SOCK_SEQPACKET pairs: each message is one datagram. P0 has a line of
// its own, since P1 may be faster than the word that it was born.
//
//   P0/P1 (image)                              runt
//   ─────────────                              ────
//   P0: pid(value = P1's pid), on its line ──▶ new user namespace: writes the maps; has systemd put P1 into a scope;
//                                              brings the network devices
//                             ◀─────────────── reply      only then
//   P1: SCM_RIGHTS(pty master) ──────────────▶ only when runt relays the terminal
//   P1: hooks ───────────────────────────────▶ only with prestart, createRuntime or createContainer hooks:
//                             ◀─────────────── reply(state)  after those of the runtime namespaces have run
//   P1: listener(value = its descriptor) ────▶ only with SCMP_ACT_NOTIFY: fetches it, hands it to the agent
//                             ◀─────────────── reply
//   P1: profile table ───────────────────────▶ only with --profile
//   P1: ready ───────────────────────────────▶ puts the container on record
//                             ◀─────────────── reply(state): create: go to the gate; run: go on
//   P1: hooked ──────────────────────────────▶ only with startContainer hooks; to start it comes over the verdict FIFO
//   P1: end of file ─────────────────────────▶ run: the program was executed (close-on-exec)
//   P0: status(value = wait status), on its line ─▶ foreground run
//
//   exec: pid, a reply when systemd is to put P1 into a scope, the terminal, ready, reply, end of file and status, as in run.
//
//   instead of any of them: failed(step, code, text), then the image ends.
//   An end of file on either side means that the other is gone: P1 exits, runt undoes what it made.

import { decodeName } from '../linux/names.ts'
import { MESSAGE, REPLY } from '../plan/messages.ts'
import { REPORT, REPORT_FAILED } from '../plan/step.ts'

export type MessageKind = Exclude<keyof typeof MESSAGE, 'failed'>

export interface Failure {
  readonly kind: 'failed'
  readonly step: number
  /** The program's call that led to a step of a routine. */
  readonly caller?: number
  /** errno of the step, or what a fail step gave: a wait status for hooks. */
  readonly code: number
  readonly text: string
}

export interface Message {
  readonly kind: MessageKind
  readonly value: number
}

const KINDS = new Map<number, MessageKind>([
  [MESSAGE.pid, 'pid'],
  [MESSAGE.hooks, 'hooks'],
  [MESSAGE.ready, 'ready'],
  [MESSAGE.status, 'status'],
  [MESSAGE.listener, 'listener'],
  [MESSAGE.hooked, 'hooked'],
])

/** Read messages that came one behind the other, as they do over a FIFO. @throws Error as decodeMessage() */
export function decodeMessages(bytes: Uint8Array): (Message | Failure)[] {
  const messages: (Message | Failure)[] = []
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.subarray(at)
    const message = decodeMessage(rest)
    messages.push(message)
    at += REPORT.text + (message.kind === 'failed' ? textLength(rest) : 0)
  }
  return messages
}

/** Of the text that is there. */
function textLength(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Math.min(view.getUint32(REPORT.textLength, true), bytes.length - REPORT.text)
}

/** Read one datagram. @throws Error when it is none of ours: a bug, or somebody else's write */
export function decodeMessage(bytes: Uint8Array): Message | Failure {
  if (bytes.length < REPORT.text) throw new Error(`message of ${bytes.length} bytes from the image`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const kind = view.getUint32(REPORT.kind, true)
  const value = Number(view.getBigInt64(REPORT.value, true))
  if (kind === REPORT_FAILED) {
    const text = decodeName(bytes.subarray(REPORT.text, REPORT.text + textLength(bytes)))
    const caller = view.getUint32(REPORT.caller, true)
    const failure = { kind: 'failed', step: view.getUint32(REPORT.step, true), code: value, text } as const
    return caller === 0 ? failure : { ...failure, caller: caller - 1 }
  }
  const known = KINDS.get(kind)
  if (known === undefined) throw new Error(`message of unknown kind ${kind} from the image`)
  return { kind: known, value }
}

/** A reply of runt: the word to go on. @param state what container hooks get on stdin */
export function encodeReply(state = ''): Uint8Array {
  const text = new TextEncoder().encode(state)
  const bytes = new Uint8Array(REPLY.state + text.length)
  new DataView(bytes.buffer).setUint32(REPLY.stateLength, text.length, true)
  bytes.set(text, REPLY.state)
  return bytes
}
