// A text as one word of a POSIX shell, or of fish, which knows backslashes in quotes as well.

export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
