// Text that comes from outside (files of an image, output of hooks, names that others chose) as a terminal or a log may have it.

/** Controls, halves of surrogate pairs, line separators, and what changes the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The text in one line: what isn't printable is written as in JavaScript, \n, \x1b or \u202e. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped)
}

/** The same for words of runt's own, which may have several lines. Texts from outside in them were made one line before. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

/** JSON is the same value with other characters written as escapes. */
export function printableJson(json: string): string {
  return json
    .split('\n')
    .map((line) =>
      line.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`),
    )
    .join('\n')
}

function escaped(character: string): string {
  const code = character.charCodeAt(0)
  const hex = code.toString(16)
  return SHORT[character] ?? (code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`)
}
