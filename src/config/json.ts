// The text of a config → its value: JSON as engines write it.

/** Nobody means more; what walks through a text or a value counts on it. */
const MOST_LEVELS = 1000

/** A text whose lists and objects stand in too many others. */
export class TooDeep extends Error {
  readonly offset: number

  constructor(offset: number) {
    super(`is nested deeper than ${MOST_LEVELS} levels`)
    this.offset = offset
  }
}

/**
 * JSON.parse, but a property of null is one that isn't there: engines in Go write it so.
 * @throws SyntaxError, TooDeep
 */
export function parseJson(text: string): unknown {
  const offset = firstTooDeep(text)
  if (offset !== undefined) throw new TooDeep(offset)
  const value: unknown = JSON.parse(text)
  if (text.includes('null')) dropNulls(value)
  return value
}

/** @returns where the text gets too deep */
function firstTooDeep(text: string): number | undefined {
  if (text.split('[').length + text.split('{').length <= MOST_LEVELS) return undefined
  let level = 0
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '[' || token === '{') level++
    if (token === ']' || token === '}') level--
    if (level > MOST_LEVELS) return index
  }
  return undefined
}

function dropNulls(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    if (member !== null) dropNulls(member)
    else if (!Array.isArray(value)) delete (value as Record<string, unknown>)[name]
  }
}
