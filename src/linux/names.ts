// Names, links, command lines and environments are bytes to the kernel, and need not be UTF-8. As strings, those bytes that
// aren't part of a character are halves of surrogate pairs, U+DC80 to U+DCFF, which no text has: a name that was read
// is the same bytes when it is used.

const encoder = new TextEncoder()
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What the lenient decoder writes for bytes that are no character. */
const LOST = '\ufffd'
const ESCAPE = 0xdc00
/** One that is no half of a pair. */
const ESCAPED = /([\udc80-\udcff])/u
const LONGEST_CHARACTER = 4

/** The string for the bytes of a name. */
export function decodeName(bytes: Uint8Array): string {
  const text = lenient.decode(bytes)
  if (!text.includes(LOST)) return text
  let name = ''
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at)
    name +=
      length === 0 ? String.fromCharCode(ESCAPE + (bytes[at] ?? 0)) : lenient.decode(bytes.subarray(at, at + length))
    at += length || 1
  }
  return name
}

/** @returns how many bytes the character there has; 0 when there is none */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : LONGEST_CHARACTER
  try {
    strict.decode(bytes.subarray(at, at + length))
    return length
  } catch {
    return 0
  }
}

/** Is a name's string not simply its bytes as UTF-8? */
export function hasEscapes(name: string): boolean {
  return ESCAPED.test(name)
}

/** The bytes of a name; of any other text, its UTF-8. */
export function encodeName(name: string): Uint8Array<ArrayBuffer> {
  if (!hasEscapes(name)) return encoder.encode(name)
  const parts = name.split(ESCAPED).map((part) => {
    return hasEscapes(part) ? Uint8Array.of(part.charCodeAt(0) - ESCAPE) : encoder.encode(part)
  })
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let end = 0
  for (const part of parts) {
    bytes.set(part, end)
    end += part.length
  }
  return bytes
}
