// hostname, domainname and the loopback device: small things of fresh namespaces.

import { encodeName } from '../linux/names.ts'
import { u32 } from '../plan/builder.ts'
import type { Context } from './context.ts'
import { isNew } from './context.ts'

/** hostname → sethostname(2), domainname → setdomainname(2), in the container's UTS namespace. */
export function lowerNames({ plan, config }: Context): void {
  const { hostname, domainname } = config
  if (hostname !== undefined) {
    plan.section('/hostname', hostname, () => plan.syscall('sethostname', [hostname, encodeName(hostname).length]))
  }
  if (domainname !== undefined) {
    plan.section('/domainname', domainname, () =>
      plan.syscall('setdomainname', [domainname, encodeName(domainname).length]),
    )
  }
}

const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
const SIOCSIFFLAGS = 0x8914
const IFF_UP_RUNNING = 0x1 | 0x40
const IFNAMSIZ = 16

/** A network namespace of our own gets its loopback device up, as every engine expects. netdevice(7) */
export function lowerLoopback({ plan, config }: Context): void {
  if (!isNew(config, 'network')) return
  plan.section('', 'network device lo', () => {
    const name = new Uint8Array(IFNAMSIZ)
    name.set(encodeName('lo'))
    const request = plan.constant('ifreq{lo up}', [name, u32(IFF_UP_RUNNING), new Uint8Array(20)])
    const socket = plan.syscall('socket', [AF_INET, SOCK_DGRAM_CLOEXEC, 0], { name: 'socket' })
    plan.syscall('ioctl', [socket, SIOCSIFFLAGS, request.address])
  })
}
