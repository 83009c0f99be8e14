// A document for users → a manual page of section 5: the Markdown that the documents of this project use, no more.

import { bold, escaped, title } from './manual.ts'

const SECTION = 5

/**
 * @param name of the page
 * @param markdown "# Title", paragraphs, lists, tables of two columns, and code that is indented by four
 */
export function filePage(name: string, summary: string, markdown: string, { version, date }: Edition): string {
  const [, ...blocks] = markdown.trim().split(/\n{2,}/)
  return [
    title(name, SECTION, { version, date }),
    `.SH NAME\n${escaped(name)} \\- ${escaped(summary)}\n`,
    '.SH DESCRIPTION\n',
    ...blocks.map(blockOf),
    `.SH SEE ALSO\n${bold('runt')}(8), ${bold('runt-state')}(8), ${bold('runt-create')}(8)\n`,
  ].join('')
}

export interface Edition {
  readonly version: string
  /** YYYY-MM-DD */
  readonly date: string
}

function blockOf(block: string): string {
  const lines = block.split('\n')
  if (lines.every((line) => line.startsWith('    '))) return codeOf(lines)
  if (lines.every((line) => line.startsWith('|'))) return lines.slice(2).map(rowOf).join('')
  if (block.startsWith('- '))
    return block
      .split(/\n(?=- )/)
      .map(itemOf)
      .join('')
  if (block.startsWith('## ')) return `.SH ${escaped(block.slice('## '.length).toUpperCase())}\n`
  return `.PP\n${inline(block)}\n`
}

function codeOf(lines: readonly string[]): string {
  return `.PP\n.in +4n\n.EX\n${lines.map((line) => escaped(line.slice(4))).join('\n')}\n.EE\n.in\n`
}

function rowOf(row: string): string {
  const [, term = '', text = ''] = row.split(/(?<!\\)\|/)
  return `.TP\n${inline(term.trim())}\n${inline(text.trim())}\n`
}

function itemOf(item: string): string {
  return `.IP \\(bu 2\n${inline(item.replace(/^- /, ''))}\n`
}

/** `code` is bold; of a link its text stays. */
function inline(text: string): string {
  return text
    .replace(/\n */g, ' ')
    .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
    .split('`')
    .map((part, index) => (index % 2 === 0 ? escaped(part) : bold(part)))
    .join('')
}
