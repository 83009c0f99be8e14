// The container's folder, by the image itself: lifecycle/store.ts as steps. While it is being made the record says so; the
// file `init` beside it says that it is there, and which process it is.

import { ERRNO } from '../../linux/errno.ts'
import { LOCK } from '../../linux/flock.ts'
import { AT, O } from '../../linux/open-flags.ts'
import { STATX } from '../../linux/statx.ts'
import type { DataObject } from '../../plan/builder.ts'
import { CARD, CARD_FILE, EXIT_FILE, FOLDER_FILES, INIT_FILE } from '../../plan/card.ts'
import type { Address, Field, Value } from '../../plan/step.ts'
import type { Context, ProcessContext } from '../context.ts'
import { moveToSlot } from '../descriptors.ts'
import { statDescriptor } from '../statx.ts'
import { type BornInit, lowerDigits } from './birth.ts'
import { lowerClock, lowerStamp } from './clock.ts'
import type { Solo } from './facts.ts'
import type { Undo } from './undo.ts'

const RECORD_FILE = 'state.json'

/** Where a file is written before it gets its name. */
const besideOf = (name: string): string => `${name}.tmp`

/** Everything that may lie in a container's folder. */
export const NAMES: readonly string[] = [
  ...FOLDER_FILES,
  ...[RECORD_FILE, CARD_FILE, INIT_FILE, EXIT_FILE].map(besideOf),
]

/** Make the folder, lock it, and leave the record of a container that is being created. @returns the time that it has */
export function lowerClaim(context: Context, { directory: path, record }: Solo, undo: Undo): DataObject {
  const { plan, slots } = context
  plan.syscall('mkdirat', [AT.FDCWD, path, 0o711], { about: path })
  undo.onFailure('remove_folder', () => plan.syscall('unlinkat', [AT.FDCWD, path, AT.REMOVEDIR]))
  moveToSlot(context, openAt(context, AT.FDCWD, path, O.PATH | O.DIRECTORY | O.NOFOLLOW), slots.directory)
  for (const name of [...NAMES].reverse())
    undo.onFailure('remove_file', () => plan.syscall('unlinkat', [slots.directory, name, 0]))
  moveToSlot(context, openAt(context, slots.directory, 'lock', O.RDWR | O.CREAT | O.NOFOLLOW), slots.lock)
  plan.syscall('flock', [slots.lock, LOCK.EX])
  // Somebody may have taken the folder away before it was locked.
  plan.branch(statDescriptor(context, slots.lock).field(STATX.links, 4), 'eq', 0, undo.now)
  const time = lowerClock(context)
  const text = plan.late(RECORD_FILE, record.contents)
  lowerStamp(context, time, text, record.timeAt)
  lowerKeep(context, RECORD_FILE, text.address, text.length)
  return time
}

/** Put the container on record as created: card, pid file, init. */
export function lowerRecord(
  context: Context,
  { card, pidFile }: Solo,
  time: DataObject,
  born: BornInit,
  undo: Undo,
): void {
  const { plan, slots } = context
  const { pid, stat, statLength } = born
  const digits = lowerDigits(context, born)
  if (pidFile !== undefined) lowerPidFile(context, pidFile, { text: stat, length: digits }, undo)
  if (card !== undefined) {
    const found = statDescriptor(context, slots.pidfd)
    const object = plan.struct('card', [card.bytes])
    lowerStamp(context, time, object, card.timeAt)
    plan.store(object.at(CARD.pid), 4, pid)
    plan.store(object.at(CARD.inode), 8, found.field(STATX.inode, 8))
    plan.store(object.at(CARD.digits), 8, stat.field(0, 8))
    plan.store(object.at(CARD.digitsLength), 4, digits)
    lowerKeep(context, CARD_FILE, object.address, card.bytes.length)
  }
  lowerKeep(context, INIT_FILE, stat.address, statLength)
}

/** A file of the container's folder, whole or not at all: who looks needs no lock. */
function lowerKeep(context: Context, name: string, address: Operand, length: Length): void {
  const { plan, slots } = context
  writeFile(context, slots.directory, besideOf(name), address, length)
  plan.syscall('renameat2', [slots.directory, besideOf(name), slots.directory, name, 0])
}

/** The pid in decimal, written beside and renamed. */
export function lowerPidFile(
  context: ProcessContext,
  path: string,
  pid: { readonly text: DataObject; readonly length: Value },
  undo: Undo,
): void {
  const { plan, facts } = context
  const beside = `${path}.${facts.id}.tmp`
  undo.onFailure('remove_pid_file', () => plan.syscall('unlinkat', [AT.FDCWD, beside, 0]))
  // New: others may write to the folder. One that was left there goes with what is taken back, and the long way is gone.
  writeFile(context, AT.FDCWD, beside, pid.text.address, pid.length, { create: O.EXCL, mode: 0o644 })
  plan.syscall('renameat2', [AT.FDCWD, beside, AT.FDCWD, path, 0])
}

/** Put on record how init ended. @param status wait(2)'s */
export function lowerExitRecord(context: Context, status: DataObject): void {
  lowerKeep(context, EXIT_FILE, status.address, 4)
}

function openAt(
  { plan }: ProcessContext,
  at: Value | number,
  path: string | Address,
  flags: number,
  mode = 0o600,
): Value {
  return plan.syscall('openat', [at, path, { kind: 'open-flags', flags: flags | O.CLOEXEC }, mode])
}

type Operand = Parameters<Context['plan']['syscall']>[1][number]
type Length = number | Value | Field

function writeFile(
  context: ProcessContext,
  at: Value | number,
  path: string | Address,
  address: Operand,
  length: Length,
  { create = O.TRUNC, mode = 0o600 }: { readonly create?: number; readonly mode?: number } = {},
): void {
  const { plan } = context
  const file = openAt(context, at, path, O.WRONLY | O.CREAT | O.NOFOLLOW | create, mode)
  // A disk that is nearly full takes a part.
  plan.require(plan.syscall('write', [file, address, length]), 'eq', length, ERRNO.ENOSPC)
  plan.syscall('close', [file])
}
