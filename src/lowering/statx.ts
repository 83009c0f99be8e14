// statx(2) in a plan.

import { AT } from '../linux/open-flags.ts'
import { STATX_BASIC_STATS, STATX_SIZE } from '../linux/statx.ts'
import type { DataObject, SyscallOptions } from '../plan/builder.ts'
import type { Operand } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'

type Plan = Pick<ProcessContext, 'plan'>

/** Room for a struct statx. */
export function statxRoom({ plan }: Plan): DataObject {
  return plan.buffer('statx', STATX_SIZE)
}

/** statx(2) of a descriptor, into room of its own or into the one given. */
export function statDescriptor(
  context: Plan,
  fd: Operand,
  options: SyscallOptions = {},
  room = statxRoom(context),
): DataObject {
  statAt(context, fd, room.address, options)
  return room
}

/** statx(2) of a descriptor, into room at an address. */
export function statAt({ plan }: Plan, fd: Operand, room: Operand, options: SyscallOptions = {}): void {
  plan.syscall('statx', [fd, '', AT.EMPTY_PATH, STATX_BASIC_STATS, room], options)
}

/** statx(2) of a name in a folder; a link is looked at itself. @param name its address */
export function statName({ plan }: Plan, folder: Operand, name: Operand, room: DataObject): void {
  plan.syscall('statx', [folder, name, AT.SYMLINK_NOFOLLOW, STATX_BASIC_STATS, room.address])
}
