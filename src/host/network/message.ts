// rtnetlink messages as bytes: a header, a fixed part, attributes, all little-endian and at multiples of 4. netlink(7)

import { IFA, IFA_F, IFLA, NLM_F, NLMSG, RTM } from '../../linux/rtnetlink.ts'

const HEADER = 16
const LINK_PART = 16
const ADDRESS_PART = 8
/** Of struct nlmsgerr what is read of it: the errno. */
const ERROR_PART = 4

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface Attribute {
  readonly type: number
  readonly value: Uint8Array
}

/** A network device. */
export interface Link {
  readonly index: number
  /** IFF_… */
  readonly flags: number
  readonly name: string
}

/** An address of a device. */
export interface Address {
  readonly family: number
  readonly prefixLength: number
  /** IFA_F_… */
  readonly flags: number
  /** RT_SCOPE_… */
  readonly scope: number
  /** Of the device. */
  readonly index: number
  /** All but the flags, which stand above. */
  readonly attributes: readonly Attribute[]
}

export interface Message {
  readonly type: number
  readonly body: Uint8Array
}

/** The messages of one datagram. */
export function decodeMessages(bytes: Uint8Array): Message[] {
  const view = viewOf(bytes)
  const messages: Message[] = []
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, true)
    if (length < HEADER || at + length > bytes.length) throw new Error(`netlink message of ${length} bytes`)
    messages.push({ type: view.getUint16(at + 4, true), body: bytes.subarray(at + HEADER, at + length) })
    at += aligned(length)
  }
  return messages
}

/** errno of an NLMSG_ERROR; 0 is an acknowledgement. */
export function errorOf({ body }: Message): number {
  return -partOf(body, ERROR_PART).getInt32(0, true)
}

export function decodeLink({ body }: Message): Link {
  const view = partOf(body, LINK_PART)
  const name = decodeAttributes(body.subarray(LINK_PART)).find(({ type }) => type === IFLA.IFNAME)?.value
  return { index: view.getInt32(4, true), flags: view.getUint32(8, true), name: textOf(name ?? new Uint8Array(0)) }
}

export function decodeAddress({ body }: Message): Address {
  const view = partOf(body, ADDRESS_PART)
  const attributes = decodeAttributes(body.subarray(ADDRESS_PART))
  // The byte of the fixed part has no room for all of them.
  const flags = attributes.find(({ type }) => type === IFA.FLAGS)?.value
  return {
    family: view.getUint8(0),
    prefixLength: view.getUint8(1),
    flags: flags === undefined ? view.getUint8(2) : u32From(flags),
    scope: view.getUint8(3),
    index: view.getUint32(4, true),
    attributes: attributes.filter(({ type }) => type !== IFA.FLAGS),
  }
}

/** Ask for a device by name, or for all. */
export function getLink(name: string | undefined): Uint8Array {
  const part = new Uint8Array(LINK_PART)
  return name === undefined
    ? message(RTM.GETLINK, NLM_F.DUMP, part, [])
    : message(RTM.GETLINK, 0, part, [{ type: IFLA.IFNAME, value: cString(name) }])
}

/** Ask for the addresses of all devices and families. */
export function getAddresses(): Uint8Array {
  return message(RTM.GETADDR, NLM_F.DUMP, new Uint8Array(ADDRESS_PART), [])
}

export interface LinkChange {
  readonly name?: string
  /** A descriptor of the namespace to move it to. */
  readonly namespace?: number
  readonly up?: boolean
}

/** Rename, move, switch on or off: what is named, all at once. */
export function changeLink(index: number, change: LinkChange): Uint8Array {
  const part = new Uint8Array(LINK_PART)
  const view = viewOf(part)
  view.setInt32(4, index, true)
  if (change.up !== undefined) {
    view.setUint32(8, Number(change.up), true)
    view.setUint32(12, 1, true)
  }
  const attributes: Attribute[] = []
  if (change.name !== undefined) attributes.push({ type: IFLA.IFNAME, value: cString(change.name) })
  if (change.namespace !== undefined) attributes.push({ type: IFLA.NET_NS_FD, value: u32(change.namespace) })
  return message(RTM.NEWLINK, NLM_F.ACK, part, attributes)
}

/** Flags that only the kernel sets. */
const KERNELS_OWN = IFA_F.SECONDARY | IFA_F.DADFAILED | IFA_F.TENTATIVE

/** Give a device an address, as another one had it. */
export function addAddress(index: number, address: Address): Uint8Array {
  const part = new Uint8Array([address.family, address.prefixLength, 0, address.scope, ...u32(index)])
  const flags = { type: IFA.FLAGS, value: u32(address.flags & ~KERNELS_OWN) }
  return message(RTM.NEWADDR, NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL, part, [...address.attributes, flags])
}

/** An address for a device of another name: its label begins with that. */
export function relabelled(address: Address, from: string, to: string, longest: number): Address {
  const attributes = address.attributes.flatMap((attribute) => {
    if (attribute.type !== IFA.LABEL) return [attribute]
    const label = textOf(attribute.value)
    if (label !== from && !label.startsWith(`${from}:`)) return [attribute]
    const changed = `${to}${label.slice(from.length)}`
    return changed.length > longest ? [] : [{ type: IFA.LABEL, value: cString(changed) }]
  })
  return { ...address, attributes }
}

/** Is it the end of an answer in several parts? */
export function isDone({ type }: Message): boolean {
  return type === NLMSG.DONE
}

function message(type: number, flags: number, part: Uint8Array, attributes: readonly Attribute[]): Uint8Array {
  const size = attributes.reduce((sum, { value }) => sum + aligned(4 + value.length), HEADER + part.length)
  const bytes = new Uint8Array(size)
  const view = viewOf(bytes)
  view.setUint32(0, size, true)
  view.setUint16(4, type, true)
  view.setUint16(6, flags | NLM_F.REQUEST, true)
  bytes.set(part, HEADER)
  let at = HEADER + part.length
  for (const { type: kind, value } of attributes) {
    view.setUint16(at, 4 + value.length, true)
    view.setUint16(at + 2, kind, true)
    bytes.set(value, at + 4)
    at += aligned(4 + value.length)
  }
  return bytes
}

/** NLA_F_NESTED and NLA_F_NET_BYTEORDER share the type's 16 bits. */
const TYPE_MASK = 0x3fff

function decodeAttributes(bytes: Uint8Array): Attribute[] {
  const view = viewOf(bytes)
  const attributes: Attribute[] = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > bytes.length) throw new Error(`netlink attribute of ${length} bytes`)
    attributes.push({ type: view.getUint16(at + 2, true) & TYPE_MASK, value: bytes.slice(at + 4, at + length) })
    at += aligned(length)
  }
  return attributes
}

function aligned(length: number): number {
  return (length + 3) & ~3
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** The fixed part, which a message of its type has. */
function partOf(body: Uint8Array, length: number): DataView {
  if (body.length < length) throw new Error(`netlink message of ${HEADER + body.length} bytes`)
  return viewOf(body)
}

function u32From(value: Uint8Array): number {
  if (value.length < 4) throw new Error(`netlink attribute of ${4 + value.length} bytes`)
  return viewOf(value).getUint32(0, true)
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  viewOf(bytes).setUint32(0, value, true)
  return bytes
}

function cString(text: string): Uint8Array {
  return encoder.encode(`${text}\0`)
}

function textOf(value: Uint8Array): string {
  const end = value.indexOf(0)
  return decoder.decode(end < 0 ? value : value.subarray(0, end))
}
