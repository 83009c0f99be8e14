// Where a mount goes: a descriptor in the root file system, made when it is missing, and never a file of procfs that
// changes something.

import type { Mount } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { DESCRIBING_PROC_FILES, PROC_SUPER_MAGIC } from '../linux/proc-files.ts'
import type { DataObject } from '../plan/builder.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { Context } from './context.ts'
import { makeInFresh, makeInRoot, openInRoot, openOrMake } from './in-root.ts'
import { statDescriptor } from './statx.ts'

/** File systems that must not be mounted through a link of the image (CVE-2019-19921, CVE-2023-27561). */
const REAL_TARGET = new Set(['proc', 'sysfs'])

const STATFS_SIZE = 120

/**
 * @param status statx(2) of a target that was there before goes in here; it stays as it is for one that is made
 * @returns an O_PATH descriptor of the mount's target
 */
export function openTarget(context: Context, mount: Mount, kind: 'directory' | 'file', status?: DataObject): Value {
  const { plan } = context
  if (REAL_TARGET.has(mount.type)) return openOrMake(context, mount.destination, 'directory', { noSymlinks: true })
  const path = context.facts.targetOf(mount.destination)
  refuseProcfs(mount, path)
  const names = path.split('/').filter((name) => name !== '')
  const last = names.pop()
  if (last === undefined) throw refused(mount, '/')
  const fresh = context.fresh.get(`/${names.join('/')}`)
  if (fresh !== undefined) return makeInFresh(context, fresh, last, kind, {})
  const missing = plan.label('missing')
  const links = plan.label('links')
  const check = plan.label('check')
  const there = plan.label('there')
  // Links were followed before, as far as the image itself has them: what is opened now is what was looked at.
  const target = openInRoot(context, path, { noSymlinks: true }, { onError: { ENOENT: missing, ELOOP: links } })
  const whenThere = (): void => {
    if (status !== undefined) statDescriptor(context, target, {}, status)
  }
  whenThere()
  plan.jump(there)
  plan.place(links)
  openInRoot(context, path, {}, { result: target, onError: { ENOENT: missing } })
  whenThere()
  plan.jump(check)
  plan.place(missing)
  makeInRoot(context, names, last, kind)
  openInRoot(context, path, {}, { result: target })
  plan.place(check)
  requireNoProcfs(context, target)
  plan.place(there)
  return target
}

/** The way there without links is known, so that is enough to look at. */
function refuseProcfs(mount: Mount, path: string): void {
  if (path === mount.destination) return // looked at with the config
  if (path !== '/proc' && (!path.startsWith('/proc/') || DESCRIBING_PROC_FILES.has(path))) return
  throw refused(mount, path)
}

function refused({ index, destination }: Mount, path: string): RuntError {
  return new RuntError(
    'init',
    `mounts[${index}]: ${destination} leads to ${path} in the image: a mount there would hide it`,
    { data: { pointer: `/mounts/${index}/destination` } },
  )
}

/** A link that came meanwhile, or one in a volume, may have led into the container's /proc. */
function requireNoProcfs({ plan }: Context, target: Operand): void {
  const room = plan.buffer('statfs', STATFS_SIZE)
  plan.syscall('fstatfs', [target, room.address])
  plan.require(room.field(0, 4), 'ne', PROC_SUPER_MAGIC, ERRNO.EACCES, 'a link leads the mount into /proc')
}
