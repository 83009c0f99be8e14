// A conversation with the kernel about the devices of one network namespace: rtnetlink(7).

import { ERRNO } from '../../linux/errno.ts'
import { NAMESPACES } from '../../linux/namespaces.ts'
import { O } from '../../linux/open-flags.ts'
import { AF_NETLINK, NETLINK_ROUTE, NLMSG } from '../../linux/rtnetlink.ts'
import { close } from '../../native/file.ts'
import { SyscallError, syscall, trySyscall } from '../../native/syscall.ts'
import {
  type Address,
  addAddress,
  changeLink,
  decodeAddress,
  decodeLink,
  decodeMessages,
  errorOf,
  getAddresses,
  getLink,
  isDone,
  type Link,
  type LinkChange,
  type Message,
} from './message.ts'

const SOCK_RAW_CLOEXEC = 3 | O.CLOEXEC
/** As much as the kernel puts into one datagram of a dump. */
const ROOM = 1 << 16

/** The devices of the namespace that it was opened in. */
export class NetworkDevices implements Disposable {
  readonly #fd: number

  /** Of this process's own namespace. */
  constructor() {
    this.#fd = syscall('socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE)
  }

  /**
   * Of another namespace: this thread is in there for the moment in which the socket is made, which belongs to it for good.
   * @param there descriptor of that namespace
   * @param here descriptor of our own
   */
  static of(there: number, here: number): NetworkDevices {
    syscall('setns', there, NAMESPACES.network.flag)
    try {
      return new NetworkDevices()
    } finally {
      syscall('setns', here, NAMESPACES.network.flag)
    }
  }

  /** @returns undefined when there is none of that name */
  find(name: string): Link | undefined {
    try {
      const [answer] = this.#ask(getLink(name), false)
      return answer === undefined ? undefined : decodeLink(answer)
    } catch (error) {
      if (error instanceof SyscallError && error.errno === ERRNO.ENODEV) return undefined
      throw error
    }
  }

  list(): Link[] {
    return this.#ask(getLink(undefined), true).map(decodeLink)
  }

  /** All addresses of a device, of every family, in the kernel's order. */
  addresses(index: number): Address[] {
    return this.#ask(getAddresses(), true)
      .map(decodeAddress)
      .filter((address) => address.index === index)
  }

  /** @throws SyscallError */
  change(index: number, change: LinkChange): void {
    this.#ask(changeLink(index, change), false)
  }

  /** @throws SyscallError */
  add(index: number, address: Address): void {
    this.#ask(addAddress(index, address), false)
  }

  [Symbol.dispose](): void {
    close(this.#fd)
  }

  /** @param whole is the answer a list, with an end of its own? */
  #ask(request: Uint8Array, whole: boolean): Message[] {
    syscall('sendto', this.#fd, request, request.length, 0, 0, 0)
    const answers: Message[] = []
    const buffer = new Uint8Array(ROOM)
    for (;;) {
      const length = trySyscall('recvfrom', this.#fd, buffer, ROOM, 0, 0, 0)
      if (length < 0) throw new SyscallError('recvfrom', -length, 'netlink')
      for (const message of decodeMessages(buffer.slice(0, length))) {
        if (message.type === NLMSG.ERROR) {
          const errno = errorOf(message)
          if (errno === 0) return answers
          throw new SyscallError('sendto', errno, 'netlink')
        }
        if (isDone(message)) return answers
        answers.push(message)
      }
      if (!whole && answers.length > 0) return answers
    }
  }
}
