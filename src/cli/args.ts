// One command's words → flags and operands. The only file that knows minimist, and its four traps:
// ids that look like numbers, --no-… flags, flags behind the operands of exec, unknown flags.

import minimist from 'minimist'
import { RuntError } from '../errors.ts'

export interface Flag {
  /** Without dashes. */
  readonly name: string
  readonly short?: string
  readonly kind: 'string' | 'boolean'
  /** What stands for the value in the help. */
  readonly value?: string
  readonly help: string
}

export interface Parsed {
  readonly operands: readonly string[]
  /** A flag's text; undefined when it wasn't given. Of several the last counts. */
  string(name: string): string | undefined
  boolean(name: string): boolean
  /** A decimal number in a range. @throws RuntError */
  number(name: string, least: number, most: number): number | undefined
}

export interface ParseOptions {
  /** Stop at the first operand: what follows belongs to somebody else. */
  readonly stopEarly?: boolean
}

/** @throws RuntError 'usage' for an unknown flag or one without its value */
export function parseArgs(words: readonly string[], flags: readonly Flag[], options: ParseOptions = {}): Parsed {
  checkValues(words, flags, options)
  const parsed = minimist([...words], {
    string: ['_', ...flags.filter(({ kind }) => kind === 'string').map(({ name }) => name)],
    boolean: flags.filter(({ kind }) => kind === 'boolean').map(({ name }) => positive(name)),
    alias: Object.fromEntries(
      flags.flatMap(({ name, short }) => (short === undefined ? [] : [[short, positive(name)]])),
    ),
    stopEarly: options.stopEarly ?? false,
    unknown: (word) => {
      if (!word.startsWith('-') || word === '-') return true
      throw new RuntError('usage', `unknown flag ${word}`)
    },
  })
  const read = (name: string): unknown => {
    const value: unknown = parsed[name]
    return Array.isArray(value) ? value.at(-1) : value
  }
  return {
    operands: parsed._,
    string: (name) => {
      const value = read(name)
      return typeof value === 'string' ? value : undefined
    },
    // minimist reads --no-pivot as pivot=false, as it does a flag that wasn't given: ask the words themselves.
    boolean: (name) => (name.startsWith('no-') ? given(words, name, options) : read(name) === true),
    number(name, least, most) {
      const text = this.string(name)
      if (text === undefined) return undefined
      const number = Number(text)
      if (/^\d+$/.test(text) && number >= least && number <= most) return number
      throw new RuntError('usage', `--${name} ${JSON.stringify(text)} is not a number from ${least} to ${most}`)
    },
  }
}

/** pivot for no-pivot, which minimist negates by itself. */
function positive(name: string): string {
  return name.startsWith('no-') ? name.slice('no-'.length) : name
}

/** Is a negative flag among the words that are ours to read? */
function given(words: readonly string[], name: string, options: ParseOptions): boolean {
  for (const word of words) {
    if (word === '--' || (options.stopEarly === true && !word.startsWith('-'))) return false
    if (word === `--${name}` || word === `--${name}=true`) return true
  }
  return false
}

/** A string flag at the end, or before another flag, has no value: minimist would make it ''. */
function checkValues(words: readonly string[], flags: readonly Flag[], options: ParseOptions): void {
  for (const [index, word] of words.entries()) {
    if (word === '--') return
    const flag = flags.find(({ name, short }) => word === `--${name}` || (short !== undefined && word === `-${short}`))
    if (flag === undefined) {
      if (options.stopEarly === true && !word.startsWith('-') && !isValue(words[index - 1], flags)) return
      continue
    }
    const next = words[index + 1]
    if (flag.kind === 'string' && (next === undefined || /^--?[A-Za-z]/.test(next))) {
      throw new RuntError('usage', `flag ${word} needs a value`)
    }
  }
}

function isValue(before: string | undefined, flags: readonly Flag[]): boolean {
  return flags.some(({ name, short, kind }) => kind === 'string' && (before === `--${name}` || before === `-${short}`))
}
