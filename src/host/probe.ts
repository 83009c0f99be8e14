// What this machine and this call give to a container: read before, so that the lowerings needn't.

import { RuntError } from '../errors.ts'
import { capabilityBit } from '../linux/capabilities.ts'
import { OPEN_TREE } from '../linux/mount-flags.ts'
import { AT } from '../linux/open-flags.ts'
import { RLIMITS } from '../linux/rlimits.ts'
import { close, readFile } from '../native/file.ts'
import { syscall, trySyscall } from '../native/syscall.ts'

const CAPABILITY_VERSION_3 = 0x20080522
const CAP_SYS_ADMIN = capabilityBit(21)

/** Our permitted capabilities, as a bit set. capget(2) */
export function permittedCapabilities(): bigint {
  const view = new DataView(capabilityData().buffer)
  return BigInt(view.getUint32(4, true)) | (BigInt(view.getUint32(16, true)) << 32n)
}

/** Our effective, permitted and inheritable capabilities as the kernel gives them. */
function capabilityData(): Uint8Array {
  const header = new Uint8Array(8)
  new DataView(header.buffer).setUint32(0, CAPABILITY_VERSION_3, true)
  const data = new Uint8Array(24)
  syscall('capget', header, data)
  return data
}

let first: boolean | undefined

/** Are we in the machine's own user namespace? Its map is the identity over all ids. user_namespaces(7) */
export function inFirstUserNamespace(): boolean {
  first ??= /^\s*0\s+0\s+4294967295\s*$/.test(readFile('/proc/self/uid_map'))
  return first
}

/** Is the caller not the machine's root: an ordinary user, or root of a user namespace only? */
export function isRootless(): boolean {
  return process.geteuid?.() !== 0 || !inFirstUserNamespace()
}

/**
 * May we clone and attach mounts where we are? It takes CAP_SYS_ADMIN in the user namespace that the mount namespace belongs to;
 * in another one than the machine's own that is found out by trying.
 * @param capabilities our permitted ones
 */
export function mayMount(capabilities: bigint): boolean {
  if ((capabilities & CAP_SYS_ADMIN) === 0n) return false
  if (inFirstUserNamespace()) return true
  const tree = trySyscall('open_tree', AT.FDCWD, '/', OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC)
  if (tree >= 0) close(tree)
  return tree >= 0
}

/**
 * RLIMIT_NOFILE as we were given it: an engine raises its own soft limit to the hard one at start, so the soft one is our
 * caller's. undefined when the caller is gone.
 */
export function callerNofile(): { soft: bigint; hard: bigint } | undefined {
  const caller = nofileOf(process.ppid)
  const own = nofileOf(0)
  if (caller === undefined || own === undefined) return undefined
  return caller.soft > own.hard ? own : { soft: caller.soft, hard: own.hard }
}

/** @param pid 0 for this process */
function nofileOf(pid: number): { soft: bigint; hard: bigint } | undefined {
  const limit = new Uint8Array(16)
  if (trySyscall('prlimit64', pid, RLIMITS.RLIMIT_NOFILE, 0, limit) < 0) return undefined
  const view = new DataView(limit.buffer)
  return { soft: view.getBigUint64(0, true), hard: view.getBigUint64(8, true) }
}

const OLDEST = [5, 12] as const

/** @throws RuntError on a kernel without the calls that every plan uses */
export function requireKernel(): void {
  const release = kernelRelease()
  if (isAtLeast(release, OLDEST)) return
  throw new RuntError('host', `kernel ${release} is too old: runt needs ${OLDEST.join('.')} or newer`, {
    hint: 'it uses openat2, open_tree, mount_setattr, close_range, pidfds and clone3',
  })
}

/** "6.1.0-18-amd64". uname(2) */
export function kernelRelease(): string {
  const name = new Uint8Array(390)
  syscall('uname', name)
  return new TextDecoder().decode(name.subarray(130, name.indexOf(0, 130)))
}

/** @param version major and minor */
export function isAtLeast(release: string, version: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10))
  return major > version[0] || (major === version[0] && minor >= version[1])
}

/** A process's pid as it sees itself: the innermost of NSpid. proc_pid_status(5) */
export function pidInside(statusText: string): number {
  const line = /^NSpid:\s*(.*)$/m.exec(statusText)?.[1] ?? ''
  return Number(line.trim().split(/\s+/).at(-1) ?? 0)
}
