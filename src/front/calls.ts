// What the parts of the front share: system calls whose failure is the engine's affair.

import { encodeName } from '../linux/names.ts'
import { AT, O, S_IFMT, STICKY, WRITABLE_BY_OTHERS } from '../linux/open-flags.ts'
import { STATX, STATX_BASIC_STATS, STATX_SIZE } from '../linux/statx.ts'
import type { SyscallName } from '../linux/syscalls.ts'
import type { Argument, DataObject, PlanBuilder } from '../plan/builder.ts'
import type { Label, Value } from '../plan/step.ts'

export const STDERR = 2

/** What the parts of the front share. */
export interface Front {
  readonly plan: PlanBuilder
  /** The caller's effective uid. */
  readonly caller: Value
  /** Let the engine do it. */
  readonly engine: Label
}

/** A system call whose failure is the engine's affair, but for the errnos that are expected. */
export function lowerCall(
  { plan, engine }: Front,
  name: SyscallName,
  args: readonly Argument[],
  expected: Readonly<Record<string, Label>> = {},
): Value {
  return plan.syscall(name, args, { onError: { ...expected, '*': engine } })
}

/** open(2) flags, with O_CLOEXEC. */
export function flags(bits: number): { kind: 'open-flags'; flags: number } {
  return { kind: 'open-flags', flags: bits | O.CLOEXEC }
}

/** statx(2) of a descriptor. */
export function lowerStatus(front: Front, fd: Value): DataObject {
  const room = front.plan.buffer('statx', STATX_SIZE)
  lowerCall(front, 'statx', [fd, '', AT.EMPTY_PATH, STATX_BASIC_STATS, room.address])
  return room
}

/**
 * Go on when a descriptor's file is of this type, the caller's or root's, and nobody else's to change. lifecycle/trust.ts
 * @param shared a folder with the sticky bit is as good: each entry is looked at by itself
 */
export function lowerTrusted(front: Front, fd: Value, type: number, otherwise: Label, shared = false): void {
  const { plan, caller } = front
  const status = lowerStatus(front, fd)
  const fine = plan.label('trusted')
  const owned = plan.label('owned')
  plan.branch(status.field(STATX.uid, 4), 'eq', 0, owned)
  plan.branch(status.field(STATX.uid, 4), 'ne', caller, otherwise)
  plan.place(owned)
  if (shared) plan.branch(status.field(STATX.mode, 2, S_IFMT | STICKY), 'eq', type | STICKY, fine)
  plan.branch(status.field(STATX.mode, 2, S_IFMT | WRITABLE_BY_OTHERS), 'ne', type, otherwise)
  plan.place(fine)
}

/** Say something on stderr, in one write. @param pieces texts, and C strings that stand somewhere */
export function lowerWords(plan: PlanBuilder, pieces: readonly (string | DataObject)[]): void {
  const parts = plan.buffer('iovec', 16 * pieces.length)
  for (const [index, piece] of pieces.entries()) {
    const address = typeof piece === 'string' ? plan.string(piece).address : piece.address
    plan.store(parts.at(16 * index), 8, address)
    plan.store(
      parts.at(16 * index + 8),
      8,
      typeof piece === 'string' ? encodeName(piece).length : lowerLength(plan, piece),
    )
  }
  plan.syscall('writev', [STDERR, parts.address, pieces.length], {
    ignore: { EBADF: 'nobody listens', EPIPE: 'nobody listens' },
  })
}

function lowerLength(plan: PlanBuilder, text: DataObject): Value {
  const length = plan.add(0, 0, plan.value('length'))
  plan.loop(({ done }) => {
    plan.branch(plan.load(plan.add(text.address, length), 1), 'eq', 0, done)
    plan.add(length, 1, length)
  })
  return length
}
