// The front: the program that users call as `runt`. Small, static, made of steps like a container's init. It answers start,
// state and delete by itself where a container's card says that it may; for everything else, and whenever anything is not as it
// expects, it becomes the engine with the same words, and nothing has happened yet that the engine
// would not do again.

import { PlanBuilder, WORD } from '../plan/builder.ts'
import { lowerArgv } from '../plan/entry.ts'
import type { Plan, Value } from '../plan/step.ts'
import { expectPrefix, expectText } from '../plan/text.ts'
import { type Front, lowerWords, STDERR } from './calls.ts'
import { lowerDelete, lowerStart, lowerState } from './commands.ts'
import { lowerEngine } from './engine.ts'
import { defaultRoot, lowerUsersRoot } from './root.ts'

/** Global flags that change nothing of what the front does: they say where problems are told, and it tells none. */
const VALUE_FLAGS = ['--log', '--log-format'] as const
const BARE_FLAGS = ['--systemd-cgroup'] as const

/**
 * The front's plan.
 * @param place the folder that `make install` puts the engine into
 */
export function lowerFront(place: string): Plan {
  const plan = new PlanBuilder(STDERR)
  const argv = lowerArgv(plan)
  const nameless = plan.label('nameless')
  const front: Front = { plan, caller: plan.syscall('geteuid', []), engine: plan.label('engine') }
  plan.branch(plan.load(argv, 8), 'eq', 0, nameless)
  const word = plan.add(argv, WORD, plan.value('word'))
  const unset = defaultRoot(front)
  const root = lowerGlobalFlags(front, word, unset)
  lowerUsersRoot(front, argv, { root, unset })
  lowerCommands(front, word, root)
  plan.place(front.engine)
  lowerEngine(front, argv, place)
  plan.place(nameless)
  // Linux before 5.18 lets a caller do so; the environment stands where the first word is looked for then.
  lowerWords(plan, ['runt: called without a name: argv is empty\n'])
  plan.exit(1)
  return plan.finish()
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
    lowerCheckId(front, id)
    lower(front, { root, id })
    plan.place(other)
  }
  plan.jump(engine)
}

/** An id that is more than a name, or looks like a flag, is the engine's to refuse. */
function lowerCheckId({ plan, engine }: Front, id: Value): void {
  const byte = plan.load(id, 1)
  for (const character of ['\0', '-', '.']) plan.branch(byte, 'eq', character.charCodeAt(0), engine)
  const cursor = plan.add(id, 0, plan.value('cursor'))
  plan.loop(({ done }) => {
    plan.load(cursor, 1, byte)
    plan.branch(byte, 'eq', 0, done)
    plan.branch(byte, 'eq', '/'.charCodeAt(0), engine)
    plan.add(cursor, 1, cursor)
  })
}
