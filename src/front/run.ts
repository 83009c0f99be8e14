// create, run and exec, when the image of the same call was kept (lifecycle/kept-image.ts) and everything that it depends on is
// as it was then: the image is executed as it is, and nothing is read, checked or compiled anew.

import { F } from '../linux/fcntl.ts'
import { F_ADD_SEALS, MFD, SEALS } from '../linux/memfd.ts'
import { AT, O, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { RLIMITS } from '../linux/rlimits.ts'
import { STATX, STATX_BASIC_STATS, STATX_SIZE } from '../linux/statx.ts'
import { u32, u64 } from '../plan/builder.ts'
import { lowerEnvironment, WORD } from '../plan/entry.ts'
import type { Field, Value } from '../plan/step.ts'
import { copyString, expectPrefix, expectSame, expectText, putText, skipString } from '../plan/text.ts'
import {
  ABSENT,
  ANY_VALUE_FLAGS,
  ANY_WORD,
  FILE_GUARD,
  FILE_ROOM,
  FIRST_SLOT_NAME,
  IMAGES_FOLDER,
  SAME_INODE,
  SLOTS,
  STAT_GUARD,
  TICKET,
  TICKET_MAGIC,
  TICKET_OFFSET,
  TICKET_ROOM,
} from '../plan/ticket.ts'
import { eachString, type Front, flags, lowerCall, lowerStatus } from './calls.ts'

const CAPABILITY_VERSION_3 = 0x20080522
const WRITABLE_BY_OTHERS = 0o022

/** @param command its name @param root the state root */
export function lowerRun(front: Front, argv: Value, command: Value, root: Value): void {
  const { plan, engine } = front
  const environment = lowerEnvironment(plan, argv)
  lowerPlainCall(front, environment)
  const image = lowerOpenKept(front, argv, command, root)
  const ticket = plan.buffer('ticket', TICKET_ROOM)
  const head = plan.buffer('elf_header', TICKET_OFFSET + WORD)
  lowerCall(front, 'pread64', [image, head.address, TICKET_OFFSET + WORD, 0])
  plan.branch(head.field(TICKET_OFFSET, 8), 'eq', 0, engine)
  const length = lowerCall(front, 'pread64', [image, ticket.address, TICKET_ROOM, head.field(TICKET_OFFSET, 8)])
  plan.branch(length, 'below', TICKET.size, engine)
  plan.branch(ticket.field(TICKET.magic, 4), 'ne', TICKET_MAGIC, engine)
  const at = (field: number, name: string): Value => plan.add(ticket.address, ticket.field(field, 4), plan.value(name))
  lowerSameWords(front, argv, at(TICKET.words, 'words'))
  const directory = plan.buffer('cwd', 4096)
  lowerCall(front, 'getcwd', [directory.address, 4096])
  expectSame(plan, plan.add(directory.address, 0), at(TICKET.directory, 'directory'), engine)
  lowerSameRights(front, ticket)
  lowerSameFiles(front, ticket.address, at(TICKET.stats, 'guard'))
  lowerSameContents(front, argv, ticket.address, at(TICKET.files, 'file_guard'))
  const memory = lowerSealedCopy(front, image, head.field(TICKET_OFFSET, 8))
  lowerCall(front, 'execveat', [memory, '', argv, environment, AT.EMPTY_PATH])
  plan.jump(engine)
}

/** What runs as init is nobody's file (CVE-2019-5736), and a state root that is mounted noexec will do. */
function lowerSealedCopy(front: Front, image: Value, length: Field): Value {
  const { plan } = front
  const memory = lowerCall(front, 'memfd_create', ['runt:init', MFD.CLOEXEC | MFD.ALLOW_SEALING | MFD.EXEC])
  const offset = plan.struct('offset', [u64(0)])
  plan.branch(lowerCall(front, 'sendfile', [memory, image, offset.address, length]), 'ne', length, front.engine)
  lowerCall(front, 'fcntl', [memory, F_ADD_SEALS, SEALS])
  return memory
}

/** Only root's, with its streams open and no sockets handed on. */
function lowerPlainCall(front: Front, environment: Value): void {
  const { plan, engine } = front
  plan.branch(lowerCall(front, 'geteuid', []), 'ne', 0, engine)
  for (const stream of [0, 1, 2]) lowerCall(front, 'fcntl', [stream, F.GETFD, 0])
  eachString(front, environment, (entry) => {
    const other = plan.label('other_entry')
    expectPrefix(plan, entry, 'LISTEN_', other)
    plan.jump(engine)
    plan.place(other)
  })
}

/** ROOT/@images/SLOT, by the sum of all words whose value matters; only what is root's own is ever executed. */
function lowerOpenKept(front: Front, argv: Value, command: Value, root: Value): Value {
  const { plan, engine, path } = front
  const total = plan.add(0, 0, plan.value('sum'))
  const anyValue = plan.add(0, 0, plan.value('any_value'))
  eachString(front, plan.add(argv, WORD), (text) => {
    const byte = plan.value('byte')
    const more = plan.label('more')
    const summed = plan.label('summed')
    const done = plan.label('done')
    const cursor = plan.add(text, 0, plan.value('cursor'))
    plan.branch(anyValue, 'eq', 0, more)
    plan.add(0, 0, anyValue)
    plan.jump(done)
    plan.place(more)
    plan.load(cursor, 1, byte)
    plan.add(total, byte, total)
    plan.add(cursor, 1, cursor)
    plan.branch(byte, 'ne', 0, more)
    for (const flag of ANY_VALUE_FLAGS) {
      const other = plan.label('other_flag')
      expectText(plan, text, flag, other)
      plan.add(0, 1, anyValue)
      plan.jump(summed)
      plan.place(other)
    }
    plan.place(summed)
    plan.place(done)
  })
  const sum = plan.struct('sum', [u32(0), u32(0)])
  plan.store(sum.address, 8, total)
  const to = plan.add(path.address, 0, plan.value('end'))
  const folder = `/${IMAGES_FOLDER}/`
  copyString(plan, root, to, { end: plan.add(path.at(4096 - 32), 0), tooLong: engine })
  putText(plan, to, folder)
  plan.put(plan.add(to, folder.length), plan.add(sum.field(0, 4, SLOTS - 1), FIRST_SLOT_NAME))
  plan.put(plan.add(to, folder.length + 1), plan.load(command, 1))
  const image = lowerCall(front, 'openat', [AT.FDCWD, path.address, flags(O.RDONLY | O.NOFOLLOW), 0])
  const found = lowerStatus(front, image)
  plan.branch(found.field(STATX.uid, 4), 'ne', 0, engine)
  plan.branch(found.field(STATX.mode, 2, S_IFMT), 'ne', S_IF.REG, engine)
  plan.branch(found.field(STATX.mode, 2, WRITABLE_BY_OTHERS), 'ne', 0, engine)
  return image
}

/** Every word of the call, and none more. */
function lowerSameWords(front: Front, argv: Value, expected: Value): void {
  const { plan, engine } = front
  eachString(front, plan.add(argv, WORD), (text) => {
    const same = plan.label('same_word')
    plan.branch(plan.load(expected, 1), 'eq', ANY_WORD.charCodeAt(0), same)
    expectSame(plan, text, expected, engine)
    plan.place(same)
    skipString(plan, expected)
  })
  plan.branch(plan.load(expected, 1), 'ne', 0, engine)
}

type Buffer = ReturnType<Front['plan']['buffer']>

function lowerSameRights(front: Front, ticket: Buffer): void {
  const { plan, engine } = front
  const header = plan.struct('cap_header', [u32(CAPABILITY_VERSION_3), u32(0)])
  const capabilities = plan.buffer('cap_data', 24)
  lowerCall(front, 'capget', [header.address, capabilities.address])
  const limit = plan.buffer('rlimit', 16)
  lowerCall(front, 'prlimit64', [0, RLIMITS.RLIMIT_NOFILE, 0, limit.address])
  for (const [found, expected, size] of [
    [capabilities, TICKET.capabilities, 24],
    [limit, TICKET.nofile, 16],
  ] as const) {
    for (let at = 0; at < size; at += 8) plan.branch(found.field(at, 8), 'ne', ticket.field(expected + at, 8), engine)
  }
}

function lowerSameFiles(front: Front, ticket: Buffer['address'], guard: Value): void {
  const { plan, engine } = front
  const path = plan.value('path')
  const kind = plan.value('kind')
  const found = plan.buffer('statx', STATX_SIZE)
  const again = plan.label('next_guard')
  const next = plan.label('same')
  const absent = plan.label('absent')
  const done = plan.label('all_same')
  const expectField = (offset: number, width: 4 | 8, expected: number): void =>
    plan.branch(found.field(offset, width), 'ne', plan.load(plan.add(guard, expected), width), engine)
  plan.place(again)
  plan.load(guard, 4, path)
  plan.branch(path, 'eq', 0, done)
  plan.add(path, ticket, path)
  plan.load(plan.add(guard, STAT_GUARD.kind), 4, kind)
  lowerCall(front, 'statx', [AT.FDCWD, path, 0, STATX_BASIC_STATS, found.address], { ENOENT: absent })
  plan.branch(kind, 'eq', ABSENT, engine)
  expectField(STATX.inode, 8, STAT_GUARD.inode)
  plan.branch(kind, 'eq', SAME_INODE, next)
  expectField(STATX.size, 8, STAT_GUARD.length)
  expectField(STATX.mtime, 8, STAT_GUARD.seconds)
  expectField(STATX.mtime + 8, 4, STAT_GUARD.nanoseconds)
  plan.jump(next)
  plan.place(absent)
  plan.branch(kind, 'ne', ABSENT, engine)
  plan.place(next)
  plan.add(guard, STAT_GUARD.size, guard)
  plan.jump(again)
  plan.place(done)
}

/** Files byte for byte, eight at a time, with zeros behind both: those that the ticket names, and those that words of the call name. */
function lowerSameContents(front: Front, argv: Value, ticket: Buffer['address'], guard: Value): void {
  const { plan, engine } = front
  const room = plan.buffer('file', FILE_ROOM + WORD)
  const expected = plan.value('contents')
  const path = plan.value('path')
  const word = plan.value('word_number')
  const next = plan.label('next_file')
  const named = plan.label('named')
  const done = plan.label('all_contents')
  plan.place(next)
  plan.load(plan.add(guard, FILE_GUARD.contents), 4, expected)
  plan.branch(expected, 'eq', 0, done)
  plan.add(expected, ticket, expected)
  plan.add(ticket, plan.load(guard, 4), path)
  plan.load(plan.add(guard, FILE_GUARD.word), 4, word)
  plan.branch(word, 'eq', 0, named)
  const pointer = plan.add(argv, 0, plan.value('pointer'))
  const further = plan.label('further')
  plan.place(further)
  plan.add(pointer, WORD, pointer)
  plan.add(word, -1, word)
  plan.branch(word, 'ne', 0, further)
  plan.load(pointer, 8, path)
  plan.place(named)
  const file = lowerCall(front, 'openat', [AT.FDCWD, path, flags(O.RDONLY | O.NONBLOCK), 0])
  const length = lowerCall(front, 'read', [file, room.address, FILE_ROOM])
  plan.branch(length, 'ne', plan.load(plan.add(guard, FILE_GUARD.length), 4), engine)
  lowerCall(front, 'close', [file])
  const cursor = plan.add(room.address, 0, plan.value('cursor'))
  const end = plan.add(cursor, length)
  const again = plan.label('next_eight')
  // What an earlier file has left behind this one's end must not count.
  plan.put(end, 0)
  plan.put(plan.add(end, 4), 0)
  plan.place(again)
  plan.branch(plan.load(cursor, 8), 'ne', plan.load(expected, 8), engine)
  plan.add(cursor, 8, cursor)
  plan.add(expected, 8, expected)
  plan.branch(cursor, 'below', end, again)
  plan.add(guard, FILE_GUARD.size, guard)
  plan.jump(next)
  plan.place(done)
}
