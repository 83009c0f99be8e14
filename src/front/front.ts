// The front: the program that users call as `runt`. Small, static, made of steps like a container's init. It answers start,
// state and delete by itself where a container's card says that it may; for everything else, and whenever anything is not as it
// expects, it becomes the engine (runt-engine beside it) with the same words, and nothing has happened yet that the engine
// would not do again.

import { AT } from '../linux/open-flags.ts'
import { PlanBuilder, u64 } from '../plan/builder.ts'
import { lowerArgv, lowerEnvironment, WORD } from '../plan/entry.ts'
import type { Plan, Value } from '../plan/step.ts'
import { copyString, expectPrefix, expectText, putText } from '../plan/text.ts'
import { eachString, type Front } from './calls.ts'
import { lowerDelete, lowerStart, lowerState } from './commands.ts'
import { defaultRoot, lowerUsersRoot } from './root.ts'

const STDERR = 2
const PATH_ROOM = 4096

/** What the engine is called, beside the front. */
export const ENGINE = 'runt-engine'

/** Bun reads BUN_OPTIONS, BUN_JSC_* and others even in an executable that it made. */
const ENGINES_OWN = 'BUN_'

/** Global flags that change nothing of what the front does: they say where problems are told, and it tells none. */
const VALUE_FLAGS = ['--log', '--log-format'] as const
const BARE_FLAGS = ['--systemd-cgroup'] as const

/** The front's plan. */
export function lowerFront(): Plan {
  const plan = new PlanBuilder(STDERR, 0, { loops: true })
  const front: Front = { plan, path: plan.buffer('path', PATH_ROOM + WORD), engine: plan.label('engine') }
  const argv = lowerArgv(plan)
  lowerOwnEnvironment(front, argv)
  const word = plan.add(argv, WORD, plan.value('word'))
  const unset = defaultRoot(front)
  const root = lowerGlobalFlags(front, word, unset)
  lowerUsersRoot(front, argv, { root, unset })
  lowerCommands(front, word, root)
  lowerEngine(front, argv)
  return plan.finish()
}

/**
 * Leave out what the engine's own machinery would take for orders: options, modules to load before all others, a debugger. The
 * pointers move up in their place, which is ours to write to.
 */
function lowerOwnEnvironment(front: Front, argv: Value): void {
  const { plan } = front
  const environment = lowerEnvironment(plan, argv)
  const to = plan.add(environment, 0, plan.value('kept'))
  const pointer = plan.struct('pointer', [u64(0)])
  const putPointer = (value: Value | 0): void => {
    plan.store(pointer.address, 8, value)
    for (const half of [0, 4]) plan.put(plan.add(to, half), plan.add(pointer.field(half, 4), 0))
  }
  eachString(front, environment, (entry) => {
    const kept = plan.label('kept_entry')
    const next = plan.label('next_entry')
    expectPrefix(plan, entry, ENGINES_OWN, kept)
    plan.jump(next)
    plan.place(kept)
    putPointer(entry)
    plan.add(to, WORD, to)
    plan.place(next)
  })
  putPointer(0)
}

/** Step over the global flags. @param unset the root that nobody has given @returns the state root; `word` points to the command's name then */
function lowerGlobalFlags({ plan, engine }: Front, word: Value, unset: Value): Value {
  const root = plan.add(unset, 0, plan.value('root'))
  const text = plan.value('text')
  const again = plan.label('next_flag')
  const command = plan.label('command')
  plan.place(again)
  plan.load(word, 8, text)
  plan.branch(text, 'eq', 0, engine)
  expectPrefix(plan, text, '--', command)
  const next = (words: number): void => {
    plan.add(word, words * WORD, word)
    plan.jump(again)
  }
  for (const flag of ['--root', ...VALUE_FLAGS]) {
    const other = plan.label('other_flag')
    const joined = plan.label('joined')
    const behind = expectPrefix(plan, text, flag, other)
    const byte = plan.load(behind, 1)
    plan.branch(byte, 'ne', 0, joined)
    const value = plan.load(plan.add(word, WORD), 8)
    plan.branch(value, 'eq', 0, engine)
    if (flag === '--root') plan.add(value, 0, root)
    next(2)
    plan.place(joined)
    plan.branch(byte, 'ne', '='.charCodeAt(0), other)
    if (flag === '--root') plan.add(behind, 1, root)
    next(1)
    plan.place(other)
  }
  for (const flag of BARE_FLAGS) {
    const other = plan.label('other_flag')
    expectText(plan, text, flag, other)
    next(1)
    plan.place(other)
  }
  plan.jump(engine)
  plan.place(command)
  return root
}

const COMMANDS = [
  { name: 'state', flags: [], lower: lowerState },
  { name: 'start', flags: [], lower: lowerStart },
  { name: 'delete', flags: ['--force', '-f'], lower: lowerDelete },
] as const

function lowerCommands(front: Front, word: Value, root: Value): void {
  const { plan, engine } = front
  const text = plan.load(word, 8)
  for (const { name, flags, lower } of COMMANDS) {
    const other = plan.label('other_command')
    expectText(plan, text, name, other)
    const id = plan.load(plan.add(word, WORD, word), 8)
    plan.branch(id, 'eq', 0, engine)
    for (const flag of flags) {
      const none = plan.label('no_flag')
      expectText(plan, id, flag, none)
      plan.load(plan.add(word, WORD, word), 8, id)
      plan.branch(id, 'eq', 0, engine)
      plan.place(none)
    }
    plan.branch(plan.load(plan.add(word, WORD), 8), 'ne', 0, engine)
    lowerPath(front, root, id)
    lower(front)
    plan.place(other)
  }
  plan.jump(engine)
}

/** "ROOT/ID"; an id that is more than a name, or looks like a flag, is the engine's to refuse. */
function lowerPath({ plan, path, engine }: Front, root: Value, id: Value): void {
  const first = plan.load(id, 1)
  for (const character of ['\0', '-', '.']) plan.branch(first, 'eq', character.charCodeAt(0), engine)
  const to = plan.add(path.address, 0, plan.value('end'))
  const end = plan.add(path.at(PATH_ROOM - 8), 0)
  copyString(plan, root, to, { end, tooLong: engine })
  plan.put(to, '/'.charCodeAt(0))
  plan.add(to, 1, to)
  copyString(plan, id, to, { end, tooLong: engine, refuse: ['/', engine] })
}

/** execve(2) of the engine, which stands beside this very file. */
function lowerEngine({ plan, engine }: Front, argv: Value): void {
  plan.place(engine)
  const lost = plan.label('lost')
  const exe = plan.buffer('exe', PATH_ROOM + 32)
  const length = plan.syscall('readlinkat', [AT.FDCWD, '/proc/self/exe', exe.address, PATH_ROOM], {
    onError: { '*': lost },
  })
  const end = plan.add(exe.address, length, plan.value('end'))
  const byte = plan.value('byte')
  const again = plan.label('again')
  plan.place(again)
  plan.add(end, -1, end)
  plan.load(end, 1, byte)
  plan.branch(byte, 'ne', '/'.charCodeAt(0), again)
  putText(plan, end, `/${ENGINE}`)
  plan.syscall('execve', [exe.address, argv, lowerEnvironment(plan, argv)], { onError: { '*': lost } })
  plan.place(lost)
  const words = `runt: ${ENGINE} can't be executed; it belongs beside runt\n`
  plan.syscall('write', [STDERR, words, words.length], { ignore: { EBADF: 'nobody listens', EPIPE: 'nobody listens' } })
  plan.exit(1)
}
