// Grammar → a script for zsh, as its _arguments wants it.

import type { CommandGrammar, FlagGrammar, Grammar, Values } from './grammar.ts'
import { quote } from './quote.ts'

export function zshScript({ globals, commands }: Grammar): string {
  return `#compdef runt
# Completion of runt for zsh: made by "runt completion zsh"; put it into a folder of $fpath as _runt.

_runt_ids() {
    local -a root ids
    [[ -n \${opt_args[--root]} ]] && root=(--root \${opt_args[--root]})
    [[ -n $_runt_root ]] && root=(--root $_runt_root)
    ids=(\${(f)"$(runt $root list --quiet 2>/dev/null)"})
    _describe container ids
}

_runt() {
    local curcontext=$curcontext state line _runt_root
    local -a commands
    typeset -A opt_args
    commands=(
${commands.map(({ name, summary }) => `        ${quote(`${name}:${summary}`)}`).join('\n')}
    )
    _arguments -C \\
${globals.map((flag) => `        ${flagSpec(flag)} \\`).join('\n')}
        '1:command:->command' \\
        '*::operand:->operands' && return
    _runt_root=\${opt_args[--root]}
    case $state in
    command) _describe command commands ;;
    operands)
        case $words[1] in
${commands.map(commandCase).join('\n')}
        esac
        ;;
    esac
}

if [[ $funcstack[1] == _runt ]]; then _runt "$@"; else compdef _runt runt; fi
`
}

function commandCase({ name, flags, operands, isOpen }: CommandGrammar): string {
  const places = operands.map((values, index) => {
    const isRest = isOpen && index === operands.length - 1
    return quote(`${isRest ? '*' : index + 1}:${values.kind}:${actionOf(values)}`)
  })
  return `        ${name}) _arguments ${[...flags.map(flagSpec), ...places].join(' ')} ;;`
}

/** '(-b --bundle)'{-b+,--bundle=}'[help]:value:action' */
function flagSpec({ name, short, help, values }: FlagGrammar): string {
  const value = values === undefined ? '' : `:${name}:${actionOf(values)}`
  const text = `[${help.replace(/[[\]:\\]/g, '\\$&')}]${value}`
  const long = values === undefined ? `--${name}` : `--${name}=`
  if (short === undefined) return quote(`${long}${text}`)
  return `${quote(`(-${short} --${name})`)}{-${short}${values === undefined ? '' : '+'},${long}}${quote(text)}`
}

function actionOf(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `(${values.words.join(' ')})`
    case 'ids':
      return '_runt_ids'
    case 'files':
      return '_files'
    case 'directories':
      return '_files -/'
    case 'anything':
      return ' '
    default:
      return values satisfies never
  }
}
