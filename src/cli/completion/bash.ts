// Grammar → a script for bash.

import { type CommandGrammar, type FlagGrammar, type Grammar, namesOf, type Values, valueFlags } from './grammar.ts'
import { quote } from './quote.ts'

/**
 * The words before the cursor are walked: a flag with a value takes the next one (bash makes three words of --root=DIR).
 * What is under the cursor is then such a value, a flag, a command or an operand.
 */
export function bashScript(grammar: Grammar): string {
  const { globals, commands } = grammar
  return `# Completion of runt for bash: made by "runt completion bash"; source it, or put it into a folder of bash-completion.

_runt_ids() {
    local i root=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ \${COMP_WORDS[i]} == --root ]] || continue
        [[ \${COMP_WORDS[i + 1]} == = ]] && ((i++))
        root=(--root "\${COMP_WORDS[i + 1]}")
    done
    "\${COMP_WORDS[0]}" "\${root[@]}" list --quiet 2>/dev/null
}

_runt_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }
_runt_files() { compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen "$1" -- "$cur")); }

_runt() {
    local cur=\${COMP_WORDS[COMP_CWORD]} command='' flag='' i=1 operand=0
    COMPREPLY=()
    while ((i < COMP_CWORD)); do
        flag=\${COMP_WORDS[i]}
        case "$command:$flag" in
        ${valueFlags(grammar).join(' | ')})
            [[ \${COMP_WORDS[i + 1]} == = ]] && ((i++))
            ((i++))
            ;;
        *:-*) ;;
        :*) command=$flag ;;
        *) ((operand++)) ;;
        esac
        ((i++))
    done
    [[ $cur == = ]] && cur=''
    if ((i > COMP_CWORD)); then
        case "$command:$flag" in
${[...flagCases('', globals), ...commands.flatMap(({ name, flags }) => flagCases(name, flags))].join('\n')}
        esac
    elif [[ $cur == -* ]]; then
        case "$command" in
        '') _runt_words ${quote(flagWords(globals))} ;;
${commands.map(({ name, flags }) => `        ${name}) _runt_words ${quote(flagWords(flags))} ;;`).join('\n')}
        esac
    else
        case "$command:$operand" in
        :*) _runt_words ${quote(commands.map(({ name }) => name).join(' '))} ;;
${commands.flatMap(operandCases).join('\n')}
        esac
    fi
}

complete -F _runt runt
`
}

function flagCases(command: string, flags: readonly FlagGrammar[]): string[] {
  return flags.flatMap((flag) => {
    const action = flag.values === undefined ? undefined : actionOf(flag.values)
    if (action === undefined) return []
    const patterns = namesOf(flag).map((name) => `${command}:${name}`)
    return [`        ${patterns.join(' | ')}) ${action} ;;`]
  })
}

function operandCases({ name, operands, isOpen }: CommandGrammar): string[] {
  return operands.flatMap((values, index) => {
    const action = actionOf(values)
    const isLast = index === operands.length - 1
    return action === undefined ? [] : [`        ${name}:${isOpen && isLast ? '*' : index}) ${action} ;;`]
  })
}

function actionOf(values: Values): string | undefined {
  switch (values.kind) {
    case 'words':
      return `_runt_words ${quote(values.words.join(' '))}`
    case 'ids':
      return '_runt_words "$(_runt_ids)"'
    case 'files':
      return '_runt_files -f'
    case 'directories':
      return '_runt_files -d'
    case 'anything':
      return undefined
    default:
      return values satisfies never
  }
}

function flagWords(flags: readonly FlagGrammar[]): string {
  return flags.flatMap(namesOf).join(' ')
}
