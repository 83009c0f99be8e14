// The list of commands → what may stand where on the command line: what the three shells' scripts are made of.

import { signalNames } from '../../lifecycle/kill.ts'
import type { Flag } from '../args.ts'
import type { Commands } from '../command.ts'
import { GLOBAL_FLAGS } from '../global-flags.ts'

/** What may be written in a place. */
export type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' | 'directories' | 'ids' | 'anything' }

export interface FlagGrammar {
  /** Without dashes. */
  readonly name: string
  readonly short: string | undefined
  readonly help: string
  /** undefined: it takes none. */
  readonly values: Values | undefined
}

export interface CommandGrammar {
  readonly name: string
  readonly summary: string
  readonly flags: readonly FlagGrammar[]
  /** One for each operand; the last holds for all that follow when `isOpen`. */
  readonly operands: readonly Values[]
  readonly isOpen: boolean
}

export interface Grammar {
  readonly globals: readonly FlagGrammar[]
  readonly commands: readonly CommandGrammar[]
}

const HELP: Flag = { name: 'help', short: 'h', kind: 'boolean', help: 'show help' }

export async function grammarOf(commands: Commands): Promise<Grammar> {
  const loaded = await Promise.all(Object.values(commands).map((load) => load()))
  const described = loaded.map(({ name, summary, flags, operands }) => ({
    name,
    summary,
    flags: [...flags, HELP].map(flagGrammar),
    operands: operandWords(operands).map(valuesOf),
    isOpen: operands.includes('...'),
  }))
  const names = Object.keys(commands)
  const help: CommandGrammar = {
    name: 'help',
    summary: 'show help, of a command or of all',
    flags: [],
    operands: [{ kind: 'words', words: names }],
    isOpen: false,
  }
  return { globals: GLOBAL_FLAGS.map(flagGrammar), commands: [...described, help] }
}

function flagGrammar({ name, short, help, value }: Flag): FlagGrammar {
  return { name, short, help, values: value === undefined ? undefined : valuesOf(value) }
}

/** "ID [PS_OPTION ...]" → ID, PS_OPTION */
function operandWords(operands: string): string[] {
  return operands
    .replace(/[[\]]|\.\.\./g, ' ')
    .split(' ')
    .filter(Boolean)
}

/** What a placeholder of the help stands for. */
const PLACEHOLDERS: Readonly<Record<string, Values>> = {
  ID: { kind: 'ids' },
  DIR: { kind: 'directories' },
  BUNDLE: { kind: 'directories' },
  FILE: { kind: 'files' },
  PATH: { kind: 'files' },
  SIGNAL: { kind: 'words', words: signalNames() },
}

function valuesOf(placeholder: string): Values {
  if (placeholder.includes('|')) return { kind: 'words', words: placeholder.split('|') }
  return PLACEHOLDERS[placeholder] ?? { kind: 'anything' }
}

/** The flags that take the next word, as "command:--flag"; the global ones as ":--flag". */
export function valueFlags({ globals, commands }: Grammar): string[] {
  const patterns = (command: string, flags: readonly FlagGrammar[]) =>
    flags
      .filter(({ values }) => values !== undefined)
      .flatMap((flag) => namesOf(flag).map((name) => `${command}:${name}`))
  return [...patterns('', globals), ...commands.flatMap(({ name, flags }) => patterns(name, flags))]
}

/** As they are written. */
export function namesOf({ name, short }: FlagGrammar): string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]
}
