// What the front can do by itself, for a container that has a card: lifecycle/start.ts, state.ts and delete.ts as steps.
// Whatever these don't expect is left to them.

import { LOCK } from '../linux/flock.ts'
import { AT, O, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { POLLIN } from '../linux/poll.ts'
import { SIGSET_BYTES } from '../linux/signals.ts'
import { STATX } from '../linux/statx.ts'
import { type Argument, type DataObject, u32, u64 } from '../plan/builder.ts'
import {
  ABILITY,
  CARD,
  CARD_FILE,
  CARD_MAGIC,
  CARD_ROOM,
  CHECK,
  EXIT_FILE,
  FAILURE_FILE,
  FOLDER_FILES,
} from '../plan/card.ts'
import type { Field, Label, Operand, Value } from '../plan/step.ts'
import { skipString } from '../plan/text.ts'
import { type Front, flags, lowerCall, lowerStatus, lowerTrusted } from './calls.ts'

const LONGEST_FAILURE = 8192
const STDOUT = 1

/** Zeros behind the card: there ends whatever has no end in it. A list is left a whole element beyond at most. */
const CARD_END = 2 * CHECK.size

/** Which container a command is about: C strings. */
export interface Named {
  readonly root: Value
  readonly id: Value
}

interface Container {
  /** Descriptors of the state root, and of the container's folder in it. */
  readonly root: Value
  readonly directory: Value
  readonly card: DataObject
  /** How many bytes of it there are. */
  readonly length: Value
}

/** state: created, running, or stopped when nobody knows how; the rest, as what is frozen, takes a closer look. */
export function lowerState(front: Front, named: Named): void {
  const { plan } = front
  const container = lowerContainer(front, named, false)
  const { card } = container
  const status = plan.struct('status', [u64(0), u64(0)])
  const pid = plan.struct('pid', [u64(0), u64(0)])
  const known = plan.label('known')
  const gone = plan.label('gone')
  const unseen = plan.label('unseen')
  lowerAlive(front, container, { gone, ended: front.engine })
  lowerNotFrozen(front, container)
  plan.branch(card.field(CARD.digitsLength, 4), 'above', CARD.digitsLength - CARD.digits, front.engine)
  setText(front, pid, card.at(CARD.digits), card.field(CARD.digitsLength, 4))
  const running = plan.label('running')
  setStatus(front, status, 'created')
  lowerCall(front, 'openat', [container.directory, 'gate', flags(O.WRONLY | O.NONBLOCK | O.NOFOLLOW), 0], {
    ENXIO: running,
  })
  plan.jump(known)
  plan.place(running)
  setStatus(front, status, 'running')
  plan.jump(known)
  plan.place(gone)
  lowerCall(front, 'faccessat2', [container.directory, EXIT_FILE, 0, 0], { ENOENT: unseen })
  plan.jump(front.engine)
  plan.place(unseen)
  setStatus(front, status, 'stopped')
  setText(front, pid, '0', 1)
  plan.place(known)
  const pieces: readonly (readonly [address: Operand, length: Operand])[] = [
    lowerText(front, container, CARD.head),
    [pid.field(0, 8), pid.field(8, 8)],
    lowerText(front, container, CARD.middle),
    [status.field(0, 8), status.field(8, 8)],
    lowerText(front, container, CARD.tail),
  ]
  const parts = plan.buffer('iovec', 16 * pieces.length)
  for (const [index, [address, length]] of pieces.entries()) {
    plan.store(parts.at(16 * index), 8, address)
    plan.store(parts.at(16 * index + 8), 8, length)
  }
  const broken = plan.label('broken')
  plan.syscall('writev', [STDOUT, parts.address, pieces.length], { onError: { '*': broken } })
  plan.exit(0)
  plan.place(broken)
  plan.exit(1)
}

/** A text of the card, when all of it lies there. */
function lowerText(
  { plan, engine }: Front,
  { card, length }: Container,
  field: number,
): readonly [address: Value, length: Field] {
  const size = card.field(field + 4, 4)
  plan.branch(plan.add(card.field(field, 4), size), 'above', length, engine)
  return [plan.add(card.address, card.field(field, 4)), size]
}

function setStatus(front: Front, status: DataObject, word: string): void {
  setText(front, status, word, word.length)
}

function setText({ plan }: Front, text: DataObject, address: Argument, length: Operand): void {
  plan.store(text.address, 8, address)
  plan.store(text.at(8), 8, length)
}

/** start: open the gate, hear the verdict. A bad one is written down for the engine, which knows how to tell it. */
export function lowerStart(front: Front, named: Named): void {
  const { plan, engine } = front
  const container = lowerContainer(front, named, true)
  lowerAble(front, container, ABILITY.start)
  lowerNotFrozen(front, container)
  const { directory } = container
  const verdict = lowerCall(front, 'openat', [directory, 'verdict', flags(O.RDONLY | O.NONBLOCK | O.NOFOLLOW), 0])
  const gate = lowerCall(front, 'openat', [directory, 'gate', flags(O.WRONLY | O.NONBLOCK | O.NOFOLLOW), 0])
  plan.branch(lowerStatus(front, gate).field(STATX.mode, 2, S_IFMT), 'ne', S_IF.FIFO, engine)
  lowerCall(front, 'write', [gate, '1', 1])
  lowerCall(front, 'close', [gate])
  const poll = plan.struct('pollfd', [u32(0), u32(POLLIN)])
  plan.store(poll.address, 4, verdict)
  lowerCall(front, 'ppoll', [poll.address, 1, 0, 0, SIGSET_BYTES])
  const failed = plan.label('failed')
  plan.branch(poll.field(6, 2, POLLIN), 'ne', 0, failed)
  plan.exit(0)
  plan.place(failed)
  const room = plan.buffer('failure', LONGEST_FAILURE)
  const length = lowerCall(front, 'read', [verdict, room.address, LONGEST_FAILURE])
  const file = lowerCall(front, 'openat', [directory, FAILURE_FILE, flags(O.WRONLY | O.CREAT | O.EXCL), 0o600])
  lowerCall(front, 'write', [file, room.address, length])
  plan.jump(engine)
}

/** delete, of one that has stopped and left nothing in its cgroup. */
export function lowerDelete(front: Front, named: Named): void {
  const { plan, engine } = front
  const container = lowerContainer(front, named, true)
  const dead = plan.label('dead')
  lowerAble(front, container, ABILITY.delete)
  lowerAlive(front, container, { gone: dead, ended: dead })
  plan.jump(engine)
  plan.place(dead)
  const remove = (args: readonly Argument[], others: Label): void => {
    const gone = plan.label('gone')
    plan.syscall('unlinkat', args, { onError: { ENOENT: gone, '*': others } })
    plan.place(gone)
  }
  eachString(front, container, CARD.own, (folder) => remove([AT.FDCWD, folder, AT.REMOVEDIR], engine))
  eachString(front, container, CARD.above, (folder) => {
    const used = plan.label('used')
    remove([AT.FDCWD, folder, AT.REMOVEDIR], used)
    plan.place(used)
  })
  for (const name of FOLDER_FILES) remove([container.directory, name, 0], engine)
  remove([container.root, named.id, AT.REMOVEDIR], engine)
  plan.exit(0)
}

/** Open a container's folder, take its lock if asked to, read its card. */
function lowerContainer(front: Front, named: Named, locked: boolean): Container {
  const { plan, engine } = front
  const root = lowerCall(front, 'openat', [AT.FDCWD, named.root, flags(O.PATH | O.DIRECTORY), 0])
  lowerTrusted(front, root, S_IF.DIR, engine, true)
  const directory = lowerCall(front, 'openat', [root, named.id, flags(O.PATH | O.NOFOLLOW), 0])
  lowerTrusted(front, directory, S_IF.DIR, engine)
  if (locked) {
    const lock = lowerCall(front, 'openat', [directory, 'lock', flags(O.RDWR | O.NONBLOCK | O.NOFOLLOW), 0])
    // Without waiting: the engine knows how long it may take.
    lowerCall(front, 'flock', [lock, LOCK.EX | LOCK.NB])
    // Whoever had it may have deleted the container.
    plan.branch(lowerStatus(front, lock).field(STATX.links, 4), 'eq', 0, engine)
  }
  const card = plan.buffer('card', CARD_ROOM + CARD_END)
  const file = lowerCall(front, 'openat', [directory, CARD_FILE, flags(O.RDONLY | O.NONBLOCK | O.NOFOLLOW), 0])
  lowerTrusted(front, file, S_IF.REG, engine)
  const length = lowerCall(front, 'read', [file, card.address, CARD_ROOM])
  plan.branch(length, 'below', CARD.size, engine)
  plan.branch(card.field(CARD.magic, 4), 'ne', CARD_MAGIC, engine)
  return { root, directory, card, length }
}

/** Where a list or string of the card begins, when it does there. @param offset as the card has it; may be written */
function lowerPlace({ plan, engine }: Front, { card, length }: Container, offset: Value): Value {
  plan.branch(offset, 'above', length, engine)
  return plan.add(card.address, offset, offset)
}

function lowerAble({ plan, engine }: Front, { card }: Container, ability: number): void {
  plan.branch(card.field(CARD.abilities, 4, ability), 'eq', 0, engine)
}

/** Go on when init is there and has not ended; `gone` when nobody can know more of its end, having reaped it. */
function lowerAlive(
  front: Front,
  { card }: Container,
  { gone, ended }: Readonly<Record<'gone' | 'ended', Label>>,
): void {
  const { plan } = front
  const pidfd = lowerCall(front, 'pidfd_open', [card.field(CARD.pid, 4), 0], { ESRCH: gone })
  plan.branch(lowerStatus(front, pidfd).field(STATX.inode, 8), 'ne', card.field(CARD.inode, 8), gone)
  const poll = plan.struct('pollfd', [u32(0), u32(POLLIN)])
  const noTime = plan.struct('timespec', [u64(0), u64(0)]) // the kernel writes into it
  plan.store(poll.address, 4, pidfd)
  plan.branch(lowerCall(front, 'ppoll', [poll.address, 1, noTime.address, 0, SIGSET_BYTES]), 'ne', 0, ended)
}

/** Go on when every check of the card holds. */
function lowerNotFrozen(front: Front, container: Container): void {
  const { plan, engine } = front
  const cursor = lowerPlace(front, container, plan.add(container.card.field(CARD.checks, 4), 0, plan.value('check')))
  const path = plan.value('path')
  const again = plan.label('next_check')
  const done = plan.label('checked')
  plan.place(again)
  plan.load(cursor, 4, path)
  plan.branch(path, 'eq', 0, done)
  lowerPlace(front, container, path)
  const file = lowerCall(front, 'openat', [AT.FDCWD, path, flags(O.RDONLY | O.NONBLOCK), 0])
  const byte = plan.struct('byte', [u64(0)])
  const position = plan.load(plan.add(cursor, CHECK.position), 4)
  plan.branch(lowerCall(front, 'pread64', [file, byte.address, 1, position]), 'ne', 1, engine)
  plan.branch(plan.load(plan.add(cursor, CHECK.byte), 4), 'ne', byte.field(0, 1), engine)
  plan.add(cursor, CHECK.size, cursor)
  plan.jump(again)
  plan.place(done)
}

/** Do something for each string of a list. */
function eachString(front: Front, container: Container, list: number, body: (string: Value) => void): void {
  const { plan } = front
  const cursor = lowerPlace(front, container, plan.add(container.card.field(list, 4), 0, plan.value('string')))
  const first = plan.value('first')
  const again = plan.label('next_string')
  const done = plan.label('all')
  plan.place(again)
  plan.load(cursor, 1, first)
  plan.branch(first, 'eq', 0, done)
  body(cursor)
  skipString(plan, cursor)
  plan.jump(again)
  plan.place(done)
}
