// Where containers are when nobody says where, as far as the front can tell: the machine's root has them in /run/runt, others in
// $XDG_RUNTIME_DIR/runt. Where else a user may have them, the engine looks (lifecycle/state-root.ts).

import { AT, O } from '../linux/open-flags.ts'
import { lowerEnvironment } from '../plan/entry.ts'
import type { Value } from '../plan/step.ts'
import { copyString, expectPrefix, expectText, putText } from '../plan/text.ts'
import { type Front, flags, lowerCall } from './calls.ts'

/** Where containers are when nobody says where: the engine's default for root. */
const DEFAULT_ROOT = '/run/runt'
const PATH_ROOM = 4096

/** What /proc/self/uid_map says in the machine's own user namespace. */
const IDENTITY = '         0          0 4294967295\n'

/** @returns a value that points to the default root; lowerUsersRoot() looks whether it is the caller's */
export function defaultRoot({ plan }: Front): Value {
  return plan.add(plan.string(DEFAULT_ROOT).address, 0, plan.value('default_root'))
}

/**
 * Let `root` point to the user's root, when it points to the default one and the caller isn't the machine's root.
 * @param root may be written
 */
export function lowerUsersRoot(front: Front, argv: Value, { root, unset }: { root: Value; unset: Value }): void {
  const { plan, engine } = front
  const known = plan.label('root_known')
  const user = plan.label('user')
  const others = plan.label('users_root')
  plan.branch(root, 'ne', unset, known)
  const directory = plan.add(root, 0, plan.value('runtime_directory'))
  lowerFind(front, argv, directory)
  plan.branch(front.caller, 'ne', 0, user)
  plan.branch(directory, 'eq', root, known) // no such variable: root, wherever
  const map = plan.buffer('uid_map', IDENTITY.length + 8)
  const file = lowerCall(front, 'openat', [AT.FDCWD, '/proc/self/uid_map', flags(O.RDONLY), 0])
  lowerCall(front, 'read', [file, map.address, IDENTITY.length + 1])
  lowerCall(front, 'close', [file])
  expectText(plan, plan.add(map.address, 0, plan.value('map')), IDENTITY, others)
  plan.jump(known)
  plan.place(user)
  plan.branch(directory, 'eq', root, engine)
  plan.place(others)
  expectPrefix(plan, directory, '/', engine)
  const room = plan.buffer('root', PATH_ROOM + 8)
  const end = plan.add(room.address, 0, plan.value('end'))
  copyString(plan, directory, end, { object: room, end: plan.add(room.at(PATH_ROOM - 8), 0), tooLong: engine })
  putText(plan, room, end, '/runt')
  plan.add(room.address, 0, root)
  plan.place(known)
}

/** Let `found` point to the value of XDG_RUNTIME_DIR, if the environment has it. */
function lowerFind(front: Front, argv: Value, found: Value): void {
  const { plan } = front
  plan.each(lowerEnvironment(plan, argv), (entry) => {
    const other = plan.label('other_entry')
    plan.add(expectPrefix(plan, entry, 'XDG_RUNTIME_DIR=', other), 0, found)
    plan.place(other)
  })
}
