// One end of the conversation. Asynchronous by type, so that a process which serves many callers can have its own kind;
// this one belongs to a process that has nothing else to do than wait.

import { ERRNO } from '../linux/errno.ts'
import { MSG_CMSG_CLOEXEC, pollAsync, receiveDescriptor, setReceiveTimeout } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { failedWith, SyscallError, syscall, trySyscall } from '../native/syscall.ts'
import { REPLY } from '../plan/messages.ts'
import { REPORT } from '../plan/step.ts'
import { decodeMessage, type Failure, type Message, type MessageKind } from './sync.ts'

export interface Channel {
  /** The next message; undefined when the image is gone. */
  receive(): Promise<Message | Failure | undefined>
  /** A datagram as it is (the profile table). */
  receiveRaw(size: number): Promise<Uint8Array>
  /** A descriptor in SCM_RIGHTS. @returns a failure when the image sent that instead, undefined when it is gone */
  receiveDescriptor(): Promise<number | Failure | undefined>
  /** A reply, in parts that a socket takes. @returns false when the image is gone */
  send(bytes: Uint8Array): Promise<boolean>
  /** While a message is waited for, look around again and again. @param look throws when there is no use in waiting */
  whileWaiting(look: () => void): void
  close(): void
}

const TEXT_ROOM = 4096

/** How long the image may keep us from looking around, in milliseconds. */
const PATIENCE = 100

/**
 * A channel over a socket that blocks.
 * @param interrupted rejects when nobody wants to wait any longer; without it only a signal's default action ends a wait
 */
export function blockingChannel(fd: number, interrupted?: Promise<never>): Channel {
  let open = true
  let look = (): void => {}
  if (interrupted !== undefined) setReceiveTimeout(fd, PATIENCE)
  /** JavaScript stands still while a call waits. The image is quick as a rule; when it isn't, listeners get their turn. */
  const patiently = async <T>(receive: () => T): Promise<T> => {
    for (;;) {
      try {
        return receive()
      } catch (error) {
        if (!failedWith(error, 'EAGAIN')) throw error
        look()
        const ready = pollAsync([fd], PATIENCE)
        await (interrupted === undefined ? ready : Promise.race([ready, interrupted]))
      }
    }
  }
  const receiveRaw = async (size: number): Promise<Uint8Array> => {
    const buffer = new Uint8Array(size)
    try {
      return buffer.subarray(0, await patiently(() => syscall('read', fd, buffer, size)))
    } catch (error) {
      if (failedWith(error, 'ECONNRESET')) return buffer.subarray(0, 0)
      throw error
    }
  }
  return {
    receiveRaw,
    async receive() {
      const bytes = await receiveRaw(REPORT.text + TEXT_ROOM)
      return bytes.length === 0 ? undefined : decodeMessage(bytes)
    },
    async receiveDescriptor() {
      const { descriptor, bytes } = await patiently(() =>
        receiveDescriptor(fd, REPORT.text + TEXT_ROOM, MSG_CMSG_CLOEXEC),
      )
      if (descriptor !== undefined) return descriptor
      if (bytes.length === 0) return undefined
      const message = decodeMessage(bytes)
      if (message.kind === 'failed') return message
      throw new Error(`${message.kind} from the image where a descriptor was due`)
    },
    async send(bytes) {
      for (let from = 0; from < bytes.length; from += REPLY.part) {
        const part = bytes.subarray(from, from + REPLY.part)
        // JavaScript engines ignore SIGPIPE: a peer that is gone is EPIPE.
        const result = trySyscall('write', fd, part, part.length)
        if (result === -ERRNO.EPIPE) return false
        if (result < 0) throw new SyscallError('write', -result, 'channel')
      }
      return true
    },
    whileWaiting(next) {
      look = next
      setReceiveTimeout(fd, PATIENCE)
    },
    close() {
      if (open) close(fd)
      open = false
    },
  }
}

/** What was due came, or the image's failure; undefined when it is gone. @throws Error when it was something else */
export async function expect(channel: Channel, kind: MessageKind): Promise<Message | Failure | undefined> {
  const message = await channel.receive()
  if (message === undefined || message.kind === 'failed' || message.kind === kind) return message
  throw new Error(`${message.kind} from the image where ${kind} was due`)
}
