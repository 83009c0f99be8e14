// Help texts, from the list of commands.

import type { Flag } from './args.ts'
import { COMMANDS, loadCommand } from './commands.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import { table } from './output.ts'

/** @param name a command, or undefined for all of them */
export async function helpText(name: string | undefined): Promise<string> {
  if (name === undefined) return overview()
  const command = await loadCommand(name)
  const flags = command.flags.length === 0 ? '' : `\nFlags:\n${flagTable(command.flags)}`
  const details = (command.details ?? []).map((text) => `\n${wrap(text)}`).join('')
  const examples = command.examples.map(([line, what]) => `  ${line}\n      ${what}\n`).join('')
  return `runt ${name} ${command.operands}\n\n  ${command.summary}\n${details}${flags}\nExamples:\n${examples}`
}

const WIDTH = 78

/** Lines of two blanks and at most 78 letters. */
function wrap(text: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map((each) => `  ${each}\n`).join('')
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()))
  const rows = commands.map(({ name, operands, summary }) => [`  ${name}`, operands, summary])
  return `runt runs containers from OCI bundles.\n\nUsage: runt [global flags] COMMAND [flags] OPERANDS\n\nCommands:\n${table(rows)}\nGlobal flags:\n${flagTable(GLOBAL_FLAGS)}`
}

function flagTable(flags: readonly Flag[]): string {
  return table(
    flags.map(({ name, short, value, help }) => [
      `  --${name}${short === undefined ? '' : `, -${short}`}${value === undefined ? '' : ` ${value}`}`,
      help,
    ]),
  )
}
