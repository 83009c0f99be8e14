// Words of runt for the caller: all on stdout.

import { writeAll } from '../native/file.ts'
import { printable, printableJson } from '../printable.ts'

const STDOUT = 1

/** Nobody reads what is printed any more. */
export class Unread extends Error {}

/** @throws Unread when the reader has gone: the command ends then, and nothing is said of it */
export function print(text: string): void {
  try {
    writeAll(STDOUT, text)
  } catch (error) {
    // JavaScript engines ignore SIGPIPE.
    if (error instanceof Error && 'code' in error && error.code === 'EPIPE') throw new Unread()
    throw error
  }
}

/** As runc prints JSON: indented by two, with a line feed at the end or without. */
export function printJson(value: unknown): void {
  print(printableJson(JSON.stringify(value, undefined, 2)))
}

/** JSON in one line, with numbers of 64 bits whole: JSON.stringify refuses bigint. */
export function toJson(value: unknown): string {
  return printableJson(wideJson(value))
}

function wideJson(value: unknown): string {
  if (typeof value === 'bigint') return `${value}`
  if (Array.isArray(value)) return `[${value.map(wideJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${wideJson(member)}`).join(',')}}`
}

/** Columns padded to their widest cell. What steers a terminal isn't shown: some cells come from others' files. */
export function table(lines: readonly (readonly string[])[]): string {
  const rows = lines.map((line) => line.map(printable))
  const widths: number[] = []
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, index) => cell.padEnd((widths[index] ?? 0) + 3))
          .join('')
          .trimEnd()}\n`,
    )
    .join('')
}
