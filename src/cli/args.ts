// One command's words → flags and operands. The only file that knows minimist, and its five traps:
// ids that look like numbers, --no-… flags, flags behind the operands of exec, unknown flags, long flags with one dash.

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
  /** All texts of a flag that may be given more than once. */
  strings(name: string): readonly string[]
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
  const own = withTwoDashes(options.stopEarly === true ? words.slice(0, firstOperand(words, flags)) : words, flags)
  checkValues(own, flags)
  const parsed = minimist([...own], {
    string: ['_', ...flags.filter(({ kind }) => kind === 'string').map(({ name }) => name)],
    boolean: flags.filter(({ kind }) => kind === 'boolean').map(({ name }) => positive(name)),
    alias: Object.fromEntries(
      flags.flatMap(({ name, short }) => (short === undefined ? [] : [[short, positive(name)]])),
    ),
    unknown: (word) => {
      if (!word.startsWith('-') || word === '-') return true
      throw new RuntError('usage', `unknown flag ${word}`)
    },
  })
  const all = (name: string): unknown[] => {
    const value: unknown = parsed[name]
    return Array.isArray(value) ? value : [value]
  }
  const strings = (name: string): string[] => all(name).filter((value) => typeof value === 'string')
  return {
    // Behind the first operand nothing is ours, not even "--".
    operands: [...parsed._, ...words.slice(own.length)],
    strings,
    string: (name) => strings(name).at(-1),
    // minimist reads --no-pivot as pivot=false, as it does a flag that wasn't given: ask the words themselves.
    boolean: (name) => (name.startsWith('no-') ? given(own, name) : all(name).at(-1) === true),
    number(name, least, most) {
      const text = this.string(name)
      if (text === undefined) return undefined
      const number = Number(text)
      if (/^\d+$/.test(text) && number >= least && number <= most) return number
      throw new RuntError('usage', `--${name} ${JSON.stringify(text)} is not a number from ${least} to ${most}`)
    },
  }
}

/** Where the first operand stands, or the "--" before it. */
function firstOperand(words: readonly string[], flags: readonly Flag[]): number {
  let index = 0
  for (let word = words[0]; word !== undefined && /^-./.test(word) && word !== '--'; word = words[index]) {
    const flag = flagOf(word, flags)
    index += flag?.kind === 'string' ? 2 : 1
  }
  return Math.min(words[index] === '--' ? index + 1 : index, words.length)
}

function flagOf(word: string, flags: readonly Flag[]): Flag | undefined {
  return flags.find(({ name, short = name }) => [`--${name}`, `-${name}`, `-${short}`].includes(word))
}

/** -bundle is --bundle, as in programs written in Go: containerd's shim restores with -no-subreaper. */
function withTwoDashes(words: readonly string[], flags: readonly Flag[]): readonly string[] {
  const end = words.indexOf('--')
  return words.map((word, index) => {
    const name = /^-([^-=]{2}[^=]*)/.exec(word)?.[1]
    const isLong = (end < 0 || index < end) && flags.some((flag) => flag.name === name)
    return isLong ? `-${word}` : word
  })
}

/** pivot for no-pivot, which minimist negates by itself. */
function positive(name: string): string {
  return name.startsWith('no-') ? name.slice('no-'.length) : name
}

/** Is a negative flag among the words? */
function given(words: readonly string[], name: string): boolean {
  for (const word of words) {
    if (word === '--') return false
    if (word === `--${name}` || word === `--${name}=true`) return true
  }
  return false
}

/**
 * A string flag at the end, or before another flag, has no value: minimist would make it ''. Podman takes a runtime that says
 * these words of restore --lsm-mount-context for one that restores into pods.
 */
function checkValues(words: readonly string[], flags: readonly Flag[]): void {
  for (const [index, word] of words.entries()) {
    if (word === '--') return
    const next = words[index + 1]
    if (flagOf(word, flags)?.kind === 'string' && (next === undefined || /^--?[A-Za-z]/.test(next))) {
      throw new RuntError('usage', `flag needs an argument: ${word}`)
    }
  }
}
