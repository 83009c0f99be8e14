// linux.netDevices: devices of the host go to the container's network namespace. config-linux.md, Network Devices
//
// runt does this by itself, over rtnetlink, while init waits, and not in the plan: what the kernel answers (indices, a list
// of addresses of any length) decides what is asked next, and what was done must be undone when anything fails later: with
// the namespace of a container that never came to be, the kernel would destroy a veth for good.

import { propertyError, type RuntError } from '../../errors.ts'
import { O } from '../../linux/open-flags.ts'
import { IFA_F, IFF_UP, LONGEST_DEVICE_NAME, RT_SCOPE_UNIVERSE } from '../../linux/rtnetlink.ts'
import { warn } from '../../log.ts'
import { close, open, status } from '../../native/file.ts'
import { failedWith } from '../../native/syscall.ts'
import { step } from '../../pointer.ts'
import { type Address, type Link, relabelled } from './message.ts'
import { NetworkDevices } from './socket.ts'

/** A device to be moved. */
export interface NetDevice {
  /** Its name on the host. */
  readonly host: string
  /** Its name in the container; "%d" in it stands for the lowest number that is free there. */
  readonly name: string
}

/** Devices that were moved. Dispose of it when they are to stay where they are. */
export interface MovedDevices extends Disposable {
  /** Take all of them back, as they were. */
  undo(): void
}

/**
 * Move devices into the network namespace of a process: renamed, with their global addresses, and switched on.
 * @param pid of a process in the namespace
 * @throws RuntError naming the device; all are back where they were then
 */
export function moveDevices(pid: number, devices: readonly NetDevice[]): MovedDevices {
  const here = open('/proc/self/ns/net', O.RDONLY)
  const there = open(`/proc/${pid}/ns/net`, O.RDONLY)
  const outside = new NetworkDevices()
  const inside = enter(there, here)
  const moved: Moved[] = []
  const ways = { outside, inside, here, there }
  const result: MovedDevices = {
    undo() {
      for (const device of moved.reverse()) takeBack(device, ways)
    },
    [Symbol.dispose]() {
      outside[Symbol.dispose]()
      inside[Symbol.dispose]()
      close(here)
      close(there)
    },
  }
  try {
    if (status('', here)?.inode === status('', there)?.inode) {
      throw propertyError('host', '/linux/netDevices', "the container has runt's own network namespace")
    }
    for (const device of devices) move(device, ways, moved)
    return result
  } catch (error) {
    result.undo()
    result[Symbol.dispose]()
    throw error
  }
}

/** @throws RuntError when we have no rights over either namespace */
function enter(there: number, here: number): NetworkDevices {
  try {
    return NetworkDevices.of(there, here)
  } catch (error) {
    if (!failedWith(error, 'EPERM')) throw error
    throw propertyError('host', '/linux/netDevices', "only root of the machine may move the host's network devices", {
      cause: error,
    })
  }
}

interface Ways {
  readonly outside: NetworkDevices
  readonly inside: NetworkDevices
  /** Descriptors of the namespaces. */
  readonly here: number
  readonly there: number
}

interface Moved {
  /** As it was on the host. */
  readonly link: Link
  readonly addresses: readonly Address[]
  /** What it is called inside. */
  readonly name: string
}

/** @param moved gets the device as soon as it is away */
function move({ host, name }: NetDevice, ways: Ways, moved: Moved[]): void {
  const { outside, inside, there } = ways
  const link = outside.find(host)
  if (link === undefined) throw failure(host, 'there is no such network device on the host')
  const addresses = outside.addresses(link.index).filter(isKept)
  const free = freeName(host, name, inside)
  try {
    outside.change(link.index, { name: free, namespace: there })
  } catch (error) {
    // Renaming comes after moving, so it may be away even so.
    if (outside.find(host)?.index !== link.index && inside.find(host) !== undefined) {
      moved.push({ link, addresses, name: host })
    }
    throw failure(host, `can not be moved: ${textOf(error)}`, error)
  }
  const device = { link, addresses, name: free }
  moved.push(device)
  const index = inside.find(free)?.index
  if (index === undefined) throw failure(host, `is gone from the container, where it was ${free}`)
  settle(inside, index, device, { from: host, to: free, up: true })
}

/** What the kernel gave by itself, it gives again; what is valid on this host only, is of no use elsewhere. */
function isKept({ scope, flags }: Address): boolean {
  return scope === RT_SCOPE_UNIVERSE && (flags & IFA_F.PERMANENT) !== 0
}

function freeName(host: string, wanted: string, inside: NetworkDevices): string {
  const taken = new Set(inside.list().map(({ name }) => name))
  const name = wanted.includes('%d') ? numbered(wanted, taken) : wanted
  if (name.length > LONGEST_DEVICE_NAME) throw failure(host, `${name} is too long for a network device's name`)
  if (taken.has(name)) throw failure(host, `the container's network namespace has a device ${name} already`)
  return name
}

/** "eth%d" → "eth0", or the next one that is free. */
export function numbered(template: string, taken: ReadonlySet<string>): string {
  for (let number = 0; ; number++) {
    const name = template.replace('%d', `${number}`)
    if (!taken.has(name)) return name
  }
}

/** Addresses are lost on the way, and it is switched off. */
function settle(
  devices: NetworkDevices,
  index: number,
  { link, addresses }: Moved,
  { from, to, up }: { readonly from: string; readonly to: string; readonly up: boolean },
): void {
  try {
    for (const address of addresses) devices.add(index, relabelled(address, from, to, LONGEST_DEVICE_NAME))
    if (up) devices.change(index, { up: true })
  } catch (error) {
    throw failure(link.name, `can not be set up as ${to}: ${textOf(error)}`, error)
  }
}

/** Failing to take one back is a warning: something else went wrong before. */
function takeBack(device: Moved, { outside, inside, here }: Ways): void {
  const { link, name } = device
  try {
    const index = inside.find(name)?.index
    if (index === undefined) throw failure(link.name, `is gone from the container, where it was ${name}`)
    inside.change(index, { name: link.name, namespace: here })
    const back = outside.find(link.name)
    if (back === undefined) throw failure(link.name, 'did not come back from the container')
    settle(outside, back.index, device, { from: link.name, to: link.name, up: (link.flags & IFF_UP) !== 0 })
  } catch (error) {
    warn(`${textOf(error)}: the device was not taken back`)
  }
}

function failure(host: string, what: string, cause?: unknown): RuntError {
  return propertyError('host', `/linux/netDevices/${step(host)}`, what, { cause })
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : `${error}`
}
