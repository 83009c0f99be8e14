// Words of runt for the caller: all on stdout.

import { writeAll } from '../native/file.ts'
import { printable } from '../printable.ts'

const STDOUT = 1

export function print(text: string): void {
  writeAll(STDOUT, text)
}

/** As runc prints JSON: indented by two, with a line feed at the end or without. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2))
}

/** JSON in one line, with numbers of 64 bits whole: JSON.stringify refuses bigint. */
export function toJson(value: unknown): string {
  if (typeof value === 'bigint') return `${value}`
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${toJson(member)}`).join(',')}}`
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
