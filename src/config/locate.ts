// JSON pointer → line and column in the text. Loaded only when there is something to complain about, or a number to re-read.

import type { Node } from 'jsonc-parser'
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
  return findings
    .map((finding) => {
      const { node, complete } = nodeAt(tree, finding.pointer)
      const at = finding.rule === 'propertyNames' ? (keyOf(node) ?? node) : node
      const exact = complete && node?.type === 'number' && finding.found !== '' ? textOf(text, node) : finding.found
      return { ...finding, found: exact, ...position(text, at?.offset ?? 0) }
    })
    .sort((one, other) => one.line - other.line || one.column - other.column)
}

/** A text that JSON.parse refuses: where, and why. */
export async function syntaxProblem(text: string, error: unknown): Promise<ConfigProblem> {
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
    ...position(text, first?.offset ?? 0),
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

/** From 1, columns in UTF-16 units. */
function position(text: string, offset: number): { line: number; column: number } {
  let line = 1
  let start = 0
  for (;;) {
    const end = text.indexOf('\n', start)
    if (end < 0 || end >= offset) return { line, column: offset - start + 1 }
    line++
    start = end + 1
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

function memberOf(node: Node | undefined, name: string): Node | undefined {
  return node?.children?.findLast((property) => property.children?.[0]?.value === name)?.children?.[1]
}

function keyOf(node: Node | undefined): Node | undefined {
  return node?.parent?.type === 'property' ? node.parent.children?.[0] : undefined
}

export function textOf(text: string, node: Node): string {
  return text.slice(node.offset, node.offset + node.length)
}
