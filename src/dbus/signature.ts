// D-Bus type signatures. D-Bus Specification, Type System

/** Boundary that a type begins at, in bytes. */
export function alignmentOf(type: string): number {
  const alignment = ALIGNMENTS[type.charAt(0)]
  if (alignment === undefined) throw new RangeError(`${JSON.stringify(type)} is no D-Bus type`)
  return alignment
}

const ALIGNMENTS: Readonly<Record<string, number>> = {
  ...{ y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, h: 4, s: 4, o: 4, a: 4 },
  ...{ x: 8, t: 8, d: 8, '(': 8, '{': 8 },
}

const CLOSING: Readonly<Record<string, string>> = { '(': ')', '{': '}' }

/** "sa(sv)u" → s, a(sv), u @throws RangeError for what is no signature */
export function typesIn(signature: string): string[] {
  const types: string[] = []
  for (let at = 0; at < signature.length; ) {
    const end = endOf(signature, at)
    types.push(signature.slice(at, end))
    at = end
  }
  return types
}

/** Where the complete type that begins at `at` ends. */
function endOf(signature: string, at: number): number {
  const code = signature.charAt(at)
  alignmentOf(code)
  if (code === 'a') return endOf(signature, at + 1)
  const closing = CLOSING[code]
  if (closing === undefined) return at + 1
  let end = at + 1
  while (signature.charAt(end) !== closing) end = endOf(signature, end)
  // Nothing would be its value, and an array of them would never end.
  if (end === at + 1) throw new RangeError(`${JSON.stringify(signature)}: a structure of nothing is no D-Bus type`)
  return end + 1
}

/** What is in the brackets of a structure or of a dictionary's entry. */
export function membersOf(type: string): string[] {
  return typesIn(type.slice(1, -1))
}
