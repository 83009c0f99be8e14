import { RuntError } from '../../errors.ts'
import type { Command } from '../command.ts'
import { bashScript } from '../completion/bash.ts'
import { fishScript } from '../completion/fish.ts'
import { grammarOf } from '../completion/grammar.ts'
import { zshScript } from '../completion/zsh.ts'
import { print } from '../output.ts'

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

export const completion: Command = {
  name: 'completion',
  operands: Object.keys(SCRIPTS).join('|'),
  summary: 'print a script that lets a shell complete commands, flags and ids',
  details: [
    'For bash: runt completion bash >/usr/share/bash-completion/completions/runt. For zsh: put it into a folder of $fpath as _runt. For fish: into ~/.config/fish/completions/runt.fish. make install does all three.',
  ],
  flags: [],
  examples: [
    ['runt completion bash >/etc/bash_completion.d/runt', 'for all who use bash'],
    ['source <(runt completion zsh)', 'in the shell that is open'],
  ],
  arity: [1, 1],
  async run({ operands: [shell = ''] }, { commands }) {
    if (!Object.hasOwn(SCRIPTS, shell)) {
      throw new RuntError('usage', `${JSON.stringify(shell)} is none of ${Object.keys(SCRIPTS).join(', ')}`)
    }
    print(SCRIPTS[shell as keyof typeof SCRIPTS](await grammarOf(commands))) // hasOwn
    return 0
  },
}
