// JSON pointer → line and column in the text. Loaded only when there is something to complain about, or a number to re-read.

import type { Node } from 'jsonc-parser'
import { TooDeep } from './json.ts'
import type { ConfigProblem, Finding } from './problems.ts'

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
  const position = positions(text)
  return findings
    .map((finding) => {
      const { node, complete } = nodeAt(tree, finding.pointer)
      const at = finding.rule === 'propertyNames' ? (keyOf(node) ?? node) : node
      const exact = complete && node?.type === 'number' && finding.found !== '' ? textOf(text, node) : finding.found
      return { ...finding, found: exact, ...position(at?.offset ?? 0) }
    })
    .sort((one, other) => one.line - other.line || one.column - other.column)
}

/** A text that parseJson() refuses: where, and why. */
export async function syntaxProblem(text: string, error: unknown): Promise<ConfigProblem> {
  const position = positions(text)
  if (error instanceof TooDeep) {
    return { pointer: '', found: '', message: error.message, rule: 'depth', ...position(error.offset) }
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

/** The node at a pointer, or the nearest around it. Of properties with one name the last counts, as for JSON.parse. */
export function nodeAt(
  tree: Node | undefined,
  pointer: string,
): { readonly node: Node | undefined; readonly complete: boolean } {
  let node = tree
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
    const next = node?.type === 'array' ? node.children?.[Number(name)] : memberOf(node, name)
    if (next === undefined) return { node, complete: false }
    node = next
  }
  return { node, complete: true }
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
