// What may be wrong with a config, as data: one shape for schema errors, failed checks and unsupported properties.

/** A problem before anybody has looked where in the file it is. */
export interface Finding {
  /** JSON pointer of the property, also when it is missing. */
  readonly pointer: string
  /** The value as JSON, shortened; "nothing" when it is missing. */
  readonly found: string
  /** What is wrong with it, after "found …, ". */
  readonly message: string
  /** The name of the check or the schema keyword that says so. */
  readonly rule: string
  readonly allowed?: string
  readonly suggestion?: string
  /** What the property is for. */
  readonly property?: string
}

export interface ConfigProblem extends Finding {
  /** From 1. */
  readonly line: number
  readonly column: number
}

/** The text that a person reads: `config.json:12:7: /hostname: found "…", …`. */
export function printProblem(problem: ConfigProblem): string {
  const { line, column, pointer, found, message, allowed, suggestion } = problem
  const about = pointer === '' ? '' : ` ${pointer}:`
  const said = found === '' ? message : `found ${found}, ${message}`
  const choice = allowed === undefined ? '' : `${message === '' ? '' : ': '}${allowed}`
  const guess = suggestion === undefined ? '' : `; did you mean ${JSON.stringify(suggestion)}?`
  return `config.json:${line}:${column}:${about} ${said}${choice}${guess}`
}

/** Collects findings of checks. */
export type Report = (
  pointer: string,
  value: unknown,
  message: string,
  more?: Pick<Finding, 'allowed' | 'suggestion'>,
) => void

/** A value as JSON of bearable length. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'bigint') return String(value)
  const text = JSON.stringify(value)
  return text.length <= 100 ? text : `${text.slice(0, 90)}…"`
}

/** One step of a JSON pointer, escaped (RFC 6901). */
export function step(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** The word that was probably meant: the nearest within two edits, or three for long words. */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = word.length > 8 ? 4 : word.length > 3 ? 3 : 2
  for (const candidate of words) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), least)
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours; gives up at a limit. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit || a.length > 100) return limit
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const next = [row]
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1
      let least = Math.min((last[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + cost)
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) least = Math.min(least, (before[column - 2] ?? 0) + 1)
      next.push(least)
    }
    before = last
    last = next
  }
  return last[b.length] ?? limit
}
