// Two hosts on a bridge, and a peer beside it: namespaces of the network and cables (veth). The container's network has the same
// addresses on both hosts, and its cable is plugged in on one of them.

import { NetworkNamespace } from '../network-namespace.ts'

const BITS = 16
const PEER = '10.77.0.254'
export const ADDRESS = '10.77.1.1'
const MAC = '02:00:00:4d:00:01'
const BRIDGE_MAC = '02:00:00:4d:00:fe'

export interface Site {
  /** Where the runtime and criu run. */
  readonly host: NetworkNamespace
  readonly address: string
  /** Where the container is. */
  readonly container: NetworkNamespace
  readonly port: string
}

export class Lan implements Disposable {
  readonly peer: NetworkNamespace
  readonly #made: NetworkNamespace[]

  private constructor(peer: NetworkNamespace) {
    this.peer = peer
    this.#made = [peer]
    // The address of its own keeps the bridge from taking that of a port.
    peer.run('ip', 'link', 'add', 'bridge0', 'address', BRIDGE_MAC, 'type', 'bridge')
    peer.run('ip', 'addr', 'add', `${PEER}/${BITS}`, 'dev', 'bridge0')
    peer.run('ip', 'link', 'set', 'bridge0', 'up')
  }

  static async make(): Promise<Lan> {
    return new Lan(await NetworkNamespace.make())
  }

  /** @param number of the host, from 1 */
  async site(number: number): Promise<Site> {
    const address = `10.77.0.${number}`
    const host = await this.#wired(`host${number}`, address)
    const container = await this.#wired(`box${number}`, ADDRESS, MAC)
    this.peer.run('ip', 'link', 'set', `host${number}`, 'master', 'bridge0')
    return { host, address, container, port: `box${number}` }
  }

  /** Move the container's cable. */
  plug({ port }: Site, from?: Site): void {
    if (from !== undefined) this.peer.run('ip', 'link', 'set', from.port, 'nomaster')
    this.peer.run('ip', 'link', 'set', port, 'master', 'bridge0')
  }

  async #wired(port: string, address: string, mac?: string): Promise<NetworkNamespace> {
    const namespace = await NetworkNamespace.make()
    this.#made.push(namespace)
    this.peer.run('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${namespace.pid}`)
    if (mac !== undefined) namespace.run('ip', 'link', 'set', 'eth0', 'address', mac)
    namespace.run('ip', 'addr', 'add', `${address}/${BITS}`, 'dev', 'eth0')
    namespace.run('ip', 'link', 'set', 'eth0', 'up')
    this.peer.run('ip', 'link', 'set', port, 'up')
    return namespace
  }

  [Symbol.dispose](): void {
    for (const namespace of this.#made) namespace[Symbol.dispose]()
  }
}
