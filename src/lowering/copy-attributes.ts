// Owner, mode, extended attributes and times from one open file or folder to another.

import { STATX } from '../linux/statx.ts'
import type { DataObject, PlanBuilder } from '../plan/builder.ts'
import type { Operand, Value } from '../plan/step.ts'

const PERMISSIONS = 0o7777
/** The kernel's own limits: XATTR_LIST_MAX, XATTR_SIZE_MAX. */
const NAMES_ROOM = 65_536
const VALUE_ROOM = 65_536

/**
 * The owner first, since a change of it takes away capabilities and set-user-id bits; the times last.
 * @param status statx(2) of the first
 * @param given options that say owner or mode of the other already: "mode=755"
 */
export function copyAttributes(
  plan: PlanBuilder,
  status: DataObject,
  from: Value,
  to: Value,
  given: readonly string[] = [],
): void {
  const says = (key: string): boolean => given.some((option) => option.startsWith(`${key}=`))
  const same = 0xffffffff
  const owner = (key: 'uid' | 'gid'): Operand => (says(key) ? same : status.field(STATX[key], 4))
  plan.syscall('fchown', [to, owner('uid'), owner('gid')], {
    ignore: { EINVAL: 'its owner is not mapped in this user namespace' },
  })
  if (!says('mode')) plan.syscall('fchmod', [to, status.field(STATX.mode, 2, PERMISSIONS)])
  copyXattrs(plan, from, to)
  // atime and mtime side by side, as utimensat(2) wants them; with no path it is about the descriptor.
  plan.store(status.at(STATX.btime), 8, status.field(STATX.mtime, 8))
  plan.store(status.at(STATX.btime + 8), 8, status.field(STATX.mtime + 8, 8))
  plan.syscall('utimensat', [to, 0, status.at(STATX.atime), 0])
}

function copyXattrs(plan: PlanBuilder, from: Value, to: Value): void {
  const names = plan.buffer('xattr names', NAMES_ROOM)
  const value = plan.buffer('xattr value', VALUE_ROOM)
  const again = plan.label('xattr')
  const skip = plan.label('skip')
  const done = plan.label('xattrs')
  const length = plan.syscall('flistxattr', [from, names.address, NAMES_ROOM], {
    name: 'length',
    onError: { EOPNOTSUPP: done },
  })
  const name = plan.add(names.address, 0, plan.value('name'))
  const end = plan.add(names.address, length, plan.value('end'))
  plan.place(again)
  plan.branch(name, 'eq', end, done)
  const size = plan.syscall('fgetxattr', [from, name, value.address, VALUE_ROOM], {
    name: 'size',
    onError: { ENODATA: skip, EOPNOTSUPP: skip, EPERM: skip }, // gone meanwhile, or not for us to see
  })
  plan.syscall('fsetxattr', [to, name, value.address, size, 0], {
    ignore: {
      EOPNOTSUPP: 'a tmpfs has no attributes of that kind',
      EPERM: 'it is for the root of the host to set',
    },
  })
  plan.place(skip)
  const byte = plan.load(name, 1)
  plan.add(name, 1, name)
  plan.branch(byte, 'ne', 0, skip)
  plan.jump(again)
  plan.place(done)
}
