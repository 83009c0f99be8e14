// Grammar → a script for fish.

import { type CommandGrammar, type FlagGrammar, type Grammar, type Values, valueFlags } from './grammar.ts'
import { quote } from './quote.ts'

export function fishScript(grammar: Grammar): string {
  const { globals, commands } = grammar
  const noCommand = "__runt_at ''"
  return `# Completion of runt for fish: made by "runt completion fish"; put it into ~/.config/fish/completions/runt.fish.

function __runt_ids
    set -l root (string match -r -- '--root[= ]+(\\S+)' (commandline -pc))[2]
    if test -n "$root"
        runt --root $root list --quiet 2>/dev/null
    else
        runt list --quiet 2>/dev/null
    end
end

# Is the cursor behind this command ('' for none), and behind so many of its operands ('' for any number)?
function __runt_at -a command operands
    set -l current ''
    set -l count 0
    set -l skip 0
    for word in (commandline -poc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch "$current:$word"
            case ${valueFlags(grammar).join(' ')}
                set skip 1
            case '*:-*'
            case ':*'
                set current $word
            case '*'
                set count (math $count + 1)
        end
    end
    test "$current" = "$command" && test -z "$operands" -o "$operands" = $count
end

complete -c runt -f
${globals.map((flag) => flagLine(noCommand, flag)).join('\n')}
${commands.map(({ name, summary }) => `complete -c runt -n ${quote(noCommand)} -a ${name} -d ${quote(summary)}`).join('\n')}
${commands.flatMap(commandLines).join('\n')}
`
}

function commandLines({ name, flags, operands, isOpen }: CommandGrammar): string[] {
  return [
    ...flags.map((flag) => flagLine(`__runt_at ${name}`, flag)),
    ...operands.flatMap((values, index) => {
      const candidates = candidatesOf(values)
      if (candidates === undefined) return []
      const place = isOpen && index === operands.length - 1 ? '' : ` ${index}`
      return [`complete -c runt -n ${quote(`__runt_at ${name}${place}`)} -a ${quote(candidates)}`]
    }),
  ]
}

function flagLine(condition: string, { name, short, help, values }: FlagGrammar): string {
  const letter = short === undefined ? '' : ` -s ${short}`
  const line = `complete -c runt -n ${quote(condition)} -l ${name}${letter} -d ${quote(help)}`
  if (values === undefined) return line
  if (values.kind === 'files') return `${line} -r -F`
  const candidates = candidatesOf(values)
  return candidates === undefined ? `${line} -x` : `${line} -x -a ${quote(candidates)}`
}

function candidatesOf(values: Values): string | undefined {
  switch (values.kind) {
    case 'words':
      return values.words.join(' ')
    case 'ids':
      return '(__runt_ids)'
    case 'directories':
      return '(__fish_complete_directories)'
    case 'files':
      return '(__fish_complete_path)'
    case 'anything':
      return undefined
    default:
      return values satisfies never
  }
}
