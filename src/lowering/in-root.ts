// Paths inside the root filesystem, which a hostile image wrote: always resolved by the kernel, with the rootfs as their root.
// No string path into the rootfs is ever given to a call that follows links on its own (CVE-2021-30465 and its family).

import { O, RESOLVE } from '../linux/open-flags.ts'
import { type Argument, type DataObject, type SyscallOptions, u64 } from '../plan/builder.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'

export interface ResolveOptions {
  /** Refuse symbolic links on the way: for proc and sysfs targets (CVE-2019-19921). */
  readonly noSymlinks?: boolean
  readonly flags?: number
  readonly name?: string
}

const OPEN_HOW_SIZE = 24

/** struct open_how for a resolution that can't leave the rootfs. */
export function openHow(context: Pick<ProcessContext, 'plan'>, flags: number, resolve: number): DataObject {
  const { plan } = context
  return plan.constant(`open_how(${flags.toString(8)},${resolve.toString(16)})`, [
    { kind: 'open-flags', flags: flags | O.CLOEXEC },
    u64(0),
    u64(resolve),
  ])
}

/** openat2(2) */
export function openWithHow(
  { plan }: Pick<ProcessContext, 'plan'>,
  folder: Operand,
  path: Argument,
  how: DataObject,
  options: SyscallOptions,
): Value {
  return plan.syscall('openat2', [folder, path, how.address, OPEN_HOW_SIZE], options)
}

/** openat2(2) of a path inside the rootfs; O_PATH unless told. */
export function openInRoot(
  context: ProcessContext,
  path: Argument,
  options: ResolveOptions = {},
  errors: Parameters<ProcessContext['plan']['syscall']>[2] = {},
): Value {
  const links = options.noSymlinks === true ? RESOLVE.NO_SYMLINKS : 0
  const how = openHow(context, options.flags ?? O.PATH, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS | links)
  return openWithHow(context, context.slots.root, path, how, { name: options.name ?? 'target', ...errors })
}

/** openat2(2) below a folder of a file system that is ours: no links, no other mounts. */
export function openBeneath(
  context: ProcessContext,
  folder: Operand,
  path: string,
  flags: number,
  name: string,
): Value {
  const resolve = RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS | RESOLVE.NO_XDEV
  return openIn(context, folder, path, { flags, resolve, name })
}

/** openat2(2) in a folder, with the limits that `resolve` sets (RESOLVE_…). */
export function openIn(
  context: ProcessContext,
  folder: Operand,
  path: string,
  {
    flags,
    resolve,
    ...options
  }: { readonly flags: number; readonly resolve: number } & Parameters<ProcessContext['plan']['syscall']>[2],
): Value {
  return openWithHow(context, folder, path, openHow(context, flags, resolve), options)
}
