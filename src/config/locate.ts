// JSON pointer → line and column in the text. Loaded only when there is something to complain about, or a number to re-read.

import type { Node } from 'jsonc-parser'
import { RuntError } from '../errors.ts'
import { pointerText, stepsOf } from '../pointer.ts'
import { printableLines } from '../printable.ts'
import { TooDeep } from './json.ts'
import type { ConfigProblem, Finding, Place } from './problems.ts'
import { HOOK_KINDS } from './types.ts'

const STRICT = { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false }

async function parser(): Promise<typeof import('jsonc-parser')> {
  const module = await import('jsonc-parser')
  return 'default' in module ? (module.default as typeof module) : module // Node sees its CommonJS form
}

/** The syntax tree of a text that JSON.parse takes. */
export async function parseTree(text: string): Promise<Node | undefined> {
  return (await parser()).parseTree(text, [], STRICT)
}

/** Findings with their places; numbers as they are written in the file. */
export async function locate(text: string, findings: readonly Finding[]): Promise<ConfigProblem[]> {
  const tree = await parseTree(text)
  const place = placesIn(text, tree)
  return findings
    .map((finding) => {
      const { node, complete } = nodeAt(tree, finding.pointer)
      const exact = complete && node?.type === 'number' && finding.found !== '' ? textOf(text, node) : finding.found
      return { ...finding, found: exact, ...place(finding) }
    })
    .sort((one, other) => one.line - other.line || one.column - other.column)
}

/** Rules about the name of a property: its place is that of the name. */
const ABOUT_NAMES = new Set(['propertyNames', 'unknown'])

/** @returns the place of a finding in a text */
function placesIn(text: string, tree: Node | undefined): (finding: Pick<Finding, 'pointer' | 'rule'>) => Place {
  const position = positions(text)
  return ({ pointer, rule }) => {
    const { node, name } = nodeAt(tree, pointer)
    const at = ABOUT_NAMES.has(rule) ? (keyOf(node) ?? node) : node
    return { ...position(at?.offset ?? 0), place: pointerText(pointer) + (name === undefined ? '' : ` (${name})`) }
  }
}

/**
 * What an error says of a property, with its place in the file.
 * @param text of the file, in which the property may be missing
 * @param root pointer of what the file holds, when it isn't a whole config
 */
export async function locateError(error: RuntError, text: string, file: string, root = ''): Promise<RuntError> {
  const { pointer } = error.data
  if (typeof pointer !== 'string' || !pointer.startsWith(`${root}/`)) return error
  const said = pointerText(pointer)
  if (!error.message.startsWith(`${said}: `)) return error
  const tree = await parseTree(text)
  const { line, column, place } = placesIn(text, tree)({ pointer: pointer.slice(root.length), rule: '' })
  const why = error.message.slice(said.length + 2)
  const { name } = nodeAt(tree, pointer.slice(root.length))
  const words = name !== undefined && why.startsWith(`${name}: `) ? why.slice(name.length + 2) : why
  return new RuntError(error.code, printableLines(`${file}:${line}:${column}: ${place}: ${words}`), error)
}

/** A text that parseJson() refuses: where, and why. */
export async function syntaxProblem(text: string, error: unknown): Promise<ConfigProblem> {
  const position = positions(text)
  if (error instanceof TooDeep) {
    return { pointer: '', found: '', message: error.message, rule: 'depth', place: '', ...position(error.offset) }
  }
  const { parseTree, printParseErrorCode } = await parser()
  const errors: { error: number; offset: number; length: number }[] = []
  parseTree(text, errors, STRICT)
  const first = errors[0]
  const reason = first === undefined ? (error as Error).message : WORDS[printParseErrorCode(first.error)]
  return {
    pointer: '',
    found: first === undefined ? '' : show(text.slice(first.offset, first.offset + Math.max(first.length, 1))),
    message: `not JSON: ${reason ?? 'not expected here'}`,
    rule: 'syntax',
    place: '',
    ...position(first?.offset ?? 0),
  }
}

const WORDS: Readonly<Record<string, string>> = {
  InvalidSymbol: 'neither a value nor punctuation',
  InvalidNumberFormat: 'not a number as JSON writes it',
  PropertyNameExpected: 'a property name in quotes is expected here',
  ValueExpected: 'a value is expected here',
  ColonExpected: 'a colon is expected here',
  CommaExpected: 'a comma is expected here',
  CloseBraceExpected: 'a closing brace is expected here',
  CloseBracketExpected: 'a closing bracket is expected here',
  EndOfFileExpected: 'the end of the file is expected here',
  InvalidCommentToken: 'JSON has no comments',
  UnexpectedEndOfComment: 'JSON has no comments',
  UnexpectedEndOfString: 'a string without its closing quote',
  UnexpectedEndOfNumber: 'a number without its last digits',
  InvalidUnicode: 'not a unicode escape',
  InvalidEscapeCharacter: 'not an escape',
  InvalidCharacter: 'a control character in a string: write it as \\u00XX',
}

function show(found: string): string {
  return found === '' ? 'the end of the file' : JSON.stringify(found.length > 40 ? `${found.slice(0, 40)}…` : found)
}

/** @returns line and column of an offset, from 1, columns in UTF-16 units */
function positions(text: string): (offset: number) => { readonly line: number; readonly column: number } {
  const starts = [0]
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) starts.push(end + 1)
  return (offset) => {
    let [line, beyond] = [1, starts.length + 1]
    while (line + 1 < beyond) {
      const middle = (line + beyond) >> 1
      if ((starts[middle - 1] ?? 0) <= offset) line = middle
      else beyond = middle
    }
    return { line, column: offset - (starts[line - 1] ?? 0) + 1 }
  }
}

/** Lists whose elements a person knows by one of their members. */
const CALLED: Readonly<Record<string, string>> = {
  mounts: 'destination',
  devices: 'path',
  namespaces: 'type',
  rlimits: 'type',
  ...Object.fromEntries(HOOK_KINDS.map((kind) => [kind, 'path'])),
}

interface Found {
  readonly node: Node | undefined
  readonly complete: boolean
  /** What the element of a list on the way is called. */
  readonly name: string | undefined
}

/** The node at a pointer, or the nearest around it. Of properties with one name the last counts, as for JSON.parse. */
export function nodeAt(tree: Node | undefined, pointer: string): Found {
  let node = tree
  let list = ''
  let name: string | undefined
  for (const token of stepsOf(pointer)) {
    const next = node?.type === 'array' ? node.children?.[Number(token)] : memberOf(node, token)
    if (next === undefined) return { node, complete: false, name }
    if (node?.type === 'array') name = textIn(memberOf(next, CALLED[list] ?? '')) ?? name
    else if (token === CALLED[list])
      name = undefined // it is that member which is spoken of
    else list = token
    node = next
  }
  return { node, complete: true, name }
}

function textIn(node: Node | undefined): string | undefined {
  return node?.type === 'string' ? String(node.value) : undefined
}

/** The values of an object by name, as soon as somebody has asked for one. */
const members = new WeakMap<Node, ReadonlyMap<unknown, Node | undefined>>()

function memberOf(node: Node | undefined, name: string): Node | undefined {
  if (node?.children === undefined) return undefined
  const known = members.get(node) ?? new Map(node.children.map(({ children }) => [children?.[0]?.value, children?.[1]]))
  members.set(node, known)
  return known.get(name)
}

function keyOf(node: Node | undefined): Node | undefined {
  return node?.parent?.type === 'property' ? node.parent.children?.[0] : undefined
}

export function textOf(text: string, node: Node): string {
  return text.slice(node.offset, node.offset + node.length)
}
