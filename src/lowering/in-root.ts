// Paths inside the root filesystem, which a hostile image wrote: always resolved by the kernel, with the rootfs as their root.
// No string path into the rootfs is ever given to a call that follows links on its own (CVE-2021-30465 and its family).

import { O, RESOLVE } from '../linux/open-flags.ts'
import { type DataObject, u64 } from '../plan/builder.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { Context, ProcessContext } from './context.ts'

export interface ResolveOptions {
  /** Refuse symbolic links on the way: for proc and sysfs targets (CVE-2019-19921). */
  readonly noSymlinks?: boolean
  readonly flags?: number
  readonly name?: string
}

const OPEN_HOW_SIZE = 24

/** struct open_how for a resolution that can't leave the rootfs. */
export function openHow(context: ProcessContext, flags: number, resolve: number): DataObject {
  const { plan } = context
  return plan.constant(`open_how(${flags.toString(8)},${resolve.toString(16)})`, [
    { kind: 'open-flags', flags: flags | O.CLOEXEC },
    u64(0),
    u64(resolve),
  ])
}

/** openat2(2) of a path inside the rootfs; O_PATH unless told. */
export function openInRoot(
  context: ProcessContext,
  path: string,
  options: ResolveOptions = {},
  errors: Parameters<ProcessContext['plan']['syscall']>[2] = {},
): Value {
  const links = options.noSymlinks === true ? RESOLVE.NO_SYMLINKS : 0
  const how = openHow(context, options.flags ?? O.PATH, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS | links)
  const args: Operand[] = [context.slots.root, context.plan.string(path).address, how.address, OPEN_HOW_SIZE]
  return context.plan.syscall('openat2', args, { name: options.name ?? 'target', ...errors })
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
  const how = openHow(context, flags, resolve)
  return context.plan.syscall('openat2', [folder, path, how.address, OPEN_HOW_SIZE], options)
}

/**
 * A mount target in the rootfs, made when it's missing: folders on the way 0755, the last a folder or an empty file.
 * Each is made by name in a folder's descriptor, so a link that appears meanwhile is not followed (CVE-2024-45310).
 * @param path absolute, lexically clean
 * @returns an O_PATH descriptor
 */
export function openOrMake(
  context: Context,
  path: string,
  kind: 'directory' | 'file',
  options: ResolveOptions = {},
): Value {
  const { plan } = context
  const names = path.split('/').filter((name) => name !== '')
  const last = names.pop()
  if (last === undefined) return openInRoot(context, path, options)
  const fresh = context.fresh.get(`/${names.join('/')}`)
  if (fresh !== undefined) return makeInFresh(context, fresh, last, kind, options)
  const missing = plan.label('missing')
  const there = plan.label('there')
  const target = openInRoot(context, path, options, { onError: { ENOENT: missing } })
  plan.jump(there)
  plan.place(missing)
  makeInRoot(context, names, last, kind)
  openInRoot(context, path, options, { result: target })
  plan.place(there)
  return target
}

/** Folders on the way, and the last, whether some of them are there or not. */
export function makeInRoot(
  context: Context,
  folders: readonly string[],
  last: string,
  kind: 'directory' | 'file',
): void {
  const parent = makeFolders(context, folders)
  if (kind === 'directory') makeFolder(context, parent, last)
  else makeFile(context, parent, last)
}

/** What lies in a file system that was empty just now is what this plan put there: no need to look for links. */
export function makeInFresh(
  context: Context,
  folder: Value,
  name: string,
  kind: 'directory' | 'file',
  { flags = O.PATH }: ResolveOptions,
): Value {
  if (kind === 'directory') makeFolder(context, folder, name)
  else makeFile(context, folder, name)
  const openFlags = { kind: 'open-flags', flags: flags | O.NOFOLLOW | O.CLOEXEC } as const
  return context.plan.syscall('openat', [folder, name, openFlags, 0], { name: 'target' })
}

/** mkdir -p in the rootfs. @returns a descriptor of the last folder (the rootfs's own when there are no names) */
export function makeFolders(context: Context, names: readonly string[]): Operand {
  let parent: Operand = context.slots.root
  for (const [index, name] of names.entries()) {
    makeFolder(context, parent, name)
    parent = openInRoot(context, `/${names.slice(0, index + 1).join('/')}`, {
      flags: O.PATH | O.DIRECTORY,
      name: 'folder',
    })
  }
  return parent
}

function makeFolder(context: Context, parent: Operand, name: string): void {
  context.plan.syscall('mkdirat', [parent, name, 0o755], { ignore: { EEXIST: 'it is there already' } })
}

function makeFile(context: Context, parent: Operand, name: string): void {
  const { plan } = context
  const flags = { kind: 'open-flags', flags: O.RDONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC } as const
  const done = plan.label('made')
  const fd = plan.syscall('openat', [parent, name, flags, 0o644], { onError: { EEXIST: done } })
  plan.syscall('close', [fd])
  plan.place(done)
}
