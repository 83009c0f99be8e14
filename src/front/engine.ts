// How the front becomes the engine: where that is, and what of the environment it gets to see.

import { HIDING } from '../linux/environment.ts'
import { AT, O, S_IF } from '../linux/open-flags.ts'
import type { DataObject } from '../plan/builder.ts'
import { lowerEnvironment } from '../plan/entry.ts'
import type { Label, Value } from '../plan/step.ts'
import { expectPrefix, putText } from '../plan/text.ts'
import { type Front, flags, lowerTrusted, lowerWords } from './calls.ts'

const ENGINE = 'runt-engine'
/** Where it is installed, as seen from a folder beside `lib`. */
const LIBRARY = '/../lib/runt'
const PATH_ROOM = 4096

/** What the dynamic linker needs to start the engine. */
const LINKERS_OWN = 'LD_'
const LAST_OF_ASCII = 0x7f

/**
 * execve(2) of the engine. It lies beside this very file; a copy that was made of it finds the engine where it was installed,
 * or as in an installation that was moved as a whole.
 * @param place the folder that it was installed into
 */
export function lowerEngine(front: Front, argv: Value, place: string): void {
  const { plan } = front
  lowerHide(front, argv)
  const environment = lowerEnvironment(plan, argv)
  const unknown = plan.label('unknown')
  const missing = plan.label('missing')
  const here = plan.buffer('folder', PATH_ROOM + ENGINE.length + LIBRARY.length + 8)
  const end = lowerFolder(front, here, unknown)

  const elsewhere = plan.label('elsewhere')
  putText(plan, here, end, `/${ENGINE}`)
  plan.syscall('execve', [here.address, argv, environment], { onError: { '*': elsewhere } })

  plan.place(elsewhere)
  const moved = plan.label('moved')
  plan.syscall('execve', [`${place}/${ENGINE}`, argv, environment], { onError: { '*': moved } })

  plan.place(moved)
  // Anybody may have made this folder, when ours is one in /tmp.
  putText(plan, here, end, `${LIBRARY}/${ENGINE}`)
  const found = plan.syscall('openat', [AT.FDCWD, here.address, flags(O.PATH), 0], { onError: { '*': missing } })
  lowerTrusted(front, found, S_IF.REG, missing)
  plan.syscall('execveat', [found, '', argv, environment, AT.EMPTY_PATH], { onError: { '*': missing } })

  plan.place(missing)
  putText(plan, here, end, '')
  const words = `runt: ${ENGINE} can't be executed: it is looked for in `
  lowerWords(plan, [words, here, ` (where this file is), ${place} and `, here, `${LIBRARY}\n`])
  lowerWords(plan, ['  make install puts it there; or copy it and ffi-rs.node along\n'])
  plan.exit(1)
  plan.place(unknown)
  lowerWords(plan, [`runt: ${ENGINE} can't be found: /proc/self/exe can't be read; is /proc mounted?\n`])
  plan.exit(1)
}

/** The folder that this file is in, links resolved. @returns what points to its end */
function lowerFolder({ plan }: Front, room: DataObject, unknown: Label): Value {
  const length = plan.syscall('readlinkat', [AT.FDCWD, '/proc/self/exe', room.address, PATH_ROOM], {
    onError: { '*': unknown },
  })
  const end = plan.add(room.address, length, plan.value('end'))
  plan.loop(({ done }) => {
    plan.add(end, -1, end)
    plan.branch(plan.load(end, 1), 'eq', '/'.charCodeAt(0), done)
  })
  return end
}

/**
 * Hide the environment from the engine's own machinery, which takes parts of it for orders: options, modules to load before
 * all others, how to decode text. What it means to runt, and to hooks, the engine reads by itself: native/caller.ts
 */
function lowerHide(front: Front, argv: Value): void {
  const { plan } = front
  const byte = plan.value('byte')
  plan.each(lowerEnvironment(plan, argv), (entry) => {
    const others = plan.label('others_entry')
    const done = plan.label('hidden')
    expectPrefix(plan, entry, LINKERS_OWN, others)
    plan.jump(done)
    plan.place(others)
    plan.load(entry, 1, byte)
    for (const none of ['\0', '=']) plan.branch(byte, 'eq', none.charCodeAt(0), done)
    plan.branch(byte, 'above', LAST_OF_ASCII, done)
    const cursor = plan.add(entry, 0, plan.value('cursor'))
    plan.loop(({ done: found }) => {
      plan.add(cursor, 1, cursor)
      plan.load(cursor, 1, byte)
      plan.branch(byte, 'eq', 0, done)
      plan.branch(byte, 'eq', '='.charCodeAt(0), found)
    })
    plan.storeOutside(cursor, 1, HIDING.sign)
    plan.storeOutside(entry, 1, plan.add(plan.load(entry, 1), HIDING.first))
    plan.place(done)
  })
}
