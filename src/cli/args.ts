// One command's words → flags and operands. The table of flags tells which words are flags and which of them take a value;
// they are written as --name=value, which minimist (known to this file alone) reads in one way only.

import minimist from 'minimist'
import { RuntError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { NEEDS_ARGUMENT, NO_SUCH_FLAG } from '../words.ts'

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
  const { given, operands } = split(words, flags, options.stopEarly === true)
  const namesOf = (kind: Flag['kind']) => flags.filter((flag) => flag.kind === kind).map(({ name }) => name)
  const parsed = minimist(given, { string: namesOf('string'), boolean: namesOf('boolean') })
  const all = (name: string): unknown[] => [parsed[name]].flat()
  const strings = (name: string): string[] => all(name).filter((value) => typeof value === 'string')
  return {
    operands,
    strings,
    string: (name) => strings(name).at(-1),
    boolean: (name) => all(name).at(-1) === true,
    number(name, least, most) {
      const text = this.string(name)
      if (text === undefined) return undefined
      const number = Number(text)
      if (/^\d+$/.test(text) && number >= least && number <= most) return number
      throw new RuntError('usage', `--${name} ${JSON.stringify(text)} is not a number from ${least} to ${most}`)
    },
  }
}

/**
 * A flag that takes one of some words.
 * @param words the first is the one without the flag
 * @throws RuntError 'usage' for another word
 */
export function oneOf<T extends string>(args: Parsed, name: string, words: readonly [T, ...T[]]): T {
  const given = args.string(name) ?? words[0]
  const word = words.find((each) => each === given)
  if (word !== undefined) return word
  throw new RuntError('usage', `--${name} ${JSON.stringify(given)} is none of ${words.join(', ')}`)
}

/** The flags among the words, as --name=value, and the operands; all is one behind "--", or an operand that stops early. */
function split(words: readonly string[], flags: readonly Flag[], stopEarly: boolean) {
  const given: string[] = []
  const operands: string[] = []
  const left = words[Symbol.iterator]()
  for (const word of left) {
    const isOperand = !/^-./.test(word)
    if (isOperand) operands.push(word)
    if (word === '--' || (isOperand && stopEarly)) return { given, operands: [...operands, ...left] }
    if (!isOperand) given.push(...spelledOut(word, left, flags))
  }
  return { given, operands }
}

/** @param following the words behind it: a flag takes its value from there */
function spelledOut(word: string, following: Iterator<string>, flags: readonly Flag[]): string[] {
  const [, name = '', value] = /^(--?[^=]+)(?:=(.*))?$/s.exec(word) ?? []
  const flag = flagOf(name, flags)
  if (flag === undefined) return groupOf(word, flags) ?? refuse(word, flags)
  if (flag.kind === 'boolean') return [`--${flag.name}=${truth(flag, value ?? 'true')}`]
  return [`--${flag.name}=${value ?? nextValue(flag, following, flags)}`]
}

/** -bundle is --bundle, as in programs written in Go: containerd's shim restores with -no-subreaper. */
function flagOf(word: string, flags: readonly Flag[]): Flag | undefined {
  return flags.find(({ name, short = name }) => [`--${name}`, `-${name}`, `-${short}`].includes(word))
}

/** -aq is -a -q. */
function groupOf(word: string, flags: readonly Flag[]): string[] | undefined {
  const group = [...word.slice(1)].map((letter) => flags.find(({ short }) => short === letter))
  return group.every((flag) => flag?.kind === 'boolean') ? group.map((flag) => `--${flag?.name}=true`) : undefined
}

/**
 * The next word, whatever it looks like (--memory -1), but for another flag. Podman takes a runtime that says
 * these words of restore --lsm-mount-context for one that restores into pods.
 */
function nextValue({ name }: Flag, following: Iterator<string>, flags: readonly Flag[]): string {
  const { done = false, value } = following.next()
  if (!done && value !== '--' && flagOf(value.replace(/=.*/s, ''), flags) === undefined) return value
  throw new RuntError('usage', `${NEEDS_ARGUMENT}: --${name}`)
}

/** The words that Go's flags take. */
function truth({ name }: Flag, text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true
  if (/^(0|f|false)$/i.test(text)) return false
  throw new RuntError('usage', `--${name} ${JSON.stringify(text)} is neither true nor false`)
}

function refuse(word: string, flags: readonly Flag[]): never {
  const name = word.replace(/^-+|=.*/gs, '')
  const meant = nearest(
    name,
    flags.map((flag) => flag.name),
  )
  throw new RuntError(
    'usage',
    `${NO_SUCH_FLAG}: ${word}`,
    meant === undefined ? {} : { hint: `did you mean --${meant}?` },
  )
}
