// HOME for a program whose environment has none: what the container's own /etc/passwd says when the image runs. passwd(5)
// The file is the image's author's: only a plain one counts, of a bounded length, reached without magic links, and all that is
// taken from it is this text (CVE-2016-3697).

import { AT, O, RESOLVE, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import type { DataObject } from '../plan/builder.ts'
import type { Address, Operand } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'
import { openIn } from './in-root.ts'
import { statDescriptor } from './statx.ts'

const PASSWD = '/etc/passwd'
const LARGEST_PASSWD = 1 << 20
const CHUNK = 4096
const VARIABLE = 'HOME='
/** What is longer than a path can be is no home. */
export const HOME_ROOM = 4096

/** Fields of a line, counted from 0. */
const UID = 2
const HOME = 5

const COLON = 58
const NEWLINE = 10
const SLASH = 47

/**
 * Find the home of the program's user, while the file can be read by whomever it belongs to.
 * @returns where "HOME=…" stands then; "HOME=/" when the file names none
 */
export function lowerHome(context: ProcessContext, uid: number): Address {
  const { plan } = context
  const home = homeRoom(context)
  plan.section('/process/user', PASSWD, () => {
    const found = plan.label('home_found')
    const file = openIn(context, AT.FDCWD, PASSWD, {
      flags: O.RDONLY | O.NONBLOCK | O.NOCTTY,
      resolve: RESOLVE.NO_MAGICLINKS,
      name: 'passwd',
      path: 'container',
      onError: { '*': found },
    })
    plan.branch(statDescriptor(context, file).field(STATX.mode, 2, S_IFMT), 'ne', S_IF.REG, found)
    lowerSearch(context, file, home, uid)
    plan.place(found)
  })
  return home.address
}

/** Room for "HOME=…" that says that there is none. */
export function homeRoom(context: ProcessContext): DataObject {
  const home = context.plan.buffer('home', HOME_ROOM + 1)
  storeNone(context, home)
  return home
}

function storeNone({ plan }: ProcessContext, home: DataObject): void {
  const bytes = new TextEncoder().encode(`${VARIABLE}/`.padEnd(8, '\0'))
  plan.store(home.address, 8, new DataView(bytes.buffer).getBigUint64(0, true))
}

/**
 * The first line of this uid whose home is a path from the root.
 * @param file its descriptor
 * @param home from homeRoom()
 */
export function lowerSearch(context: ProcessContext, file: Operand, home: DataObject, uid: number): void {
  const { plan } = context
  const found = plan.label('line_found')
  const none = plan.label('no_line')
  const number = plan.string(`${uid}`)
  const start = plan.add(home.at(VARIABLE.length), 0, plan.value('start'))
  const most = plan.add(home.at(HOME_ROOM), 0, plan.value('most'))
  const [field, matches] = [plan.value('field'), plan.value('matches')]
  /** Where the next byte of the uid stands, and where the next one of the home goes. */
  const [expected, to] = [plan.value('expected'), plan.value('to')]
  const beginLine = (): void => {
    plan.add(0, 0, field)
    plan.add(1, 0, matches)
    plan.add(number.address, 0, expected)
    plan.add(start, 0, to)
  }
  const endHome = (): void =>
    plan.when([field, 'eq', HOME], () =>
      plan.when([to, 'ne', start], () => {
        plan.storeIn(home, to, 1, 0)
        plan.jump(found)
      }),
    )

  const bytes = plan.buffer('passwd', CHUNK)
  const byte = plan.value('byte')
  const total = plan.add(0, 0, plan.value('total'))
  beginLine()
  plan.loop(() => {
    const length = plan.syscall('read', [file, bytes.address, CHUNK], { onError: { '*': none } })
    plan.when([length, 'eq', 0], () => {
      endHome()
      plan.jump(none)
    })
    plan.add(total, length, total)
    plan.branch(total, 'above', LARGEST_PASSWD, none)
    const cursor = plan.add(bytes.address, 0, plan.value('cursor'))
    const end = plan.add(cursor, length, plan.value('end'))
    plan.loop(({ next, done }) => {
      plan.branch(cursor, 'eq', end, done)
      plan.load(cursor, 1, byte)
      plan.add(cursor, 1, cursor)
      plan.branch(byte, 'eq', 0, none)
      plan.when([byte, 'eq', NEWLINE], () => {
        endHome()
        beginLine()
        plan.jump(next)
      })
      plan.when([byte, 'eq', COLON], () => {
        endHome()
        // Only all of the uid is the uid.
        plan.when([field, 'eq', UID], () => plan.when([plan.load(expected, 1), 'ne', 0], () => plan.add(0, 0, matches)))
        plan.add(field, 1, field)
        plan.jump(next)
      })
      plan.branch(matches, 'eq', 0, next)
      plan.when([field, 'eq', UID], () => {
        plan.when([plan.load(expected, 1), 'ne', byte], () => plan.add(0, 0, matches))
        plan.add(expected, matches, expected)
        plan.jump(next)
      })
      plan.branch(field, 'ne', HOME, next)
      plan.when([to, 'eq', start], () =>
        plan.when([byte, 'ne', SLASH], () => {
          plan.add(0, 0, matches)
          plan.jump(next)
        }),
      )
      plan.branch(to, 'eq', most, none)
      plan.storeIn(home, to, 1, byte)
      plan.add(to, 1, to)
    })
  })
  plan.place(none)
  storeNone(context, home)
  plan.place(found)
}
