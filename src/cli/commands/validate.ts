import { describeProblem, validateBundle } from '../../lifecycle/validate.ts'
import type { Command } from '../command.ts'
import { print, printJson } from '../output.ts'
import { absolute } from '../path.ts'
import { formatOf } from './format.ts'

export const validate: Command = {
  name: 'validate',
  operands: '',
  summary: 'check the config.json of a bundle, and say all that is wrong with it',
  details: [
    'Every problem is told with its line and column. A config may be valid and still ask for what runt does not support; that is told in the same way.',
  ],
  flags: [
    { name: 'bundle', short: 'b', kind: 'string', value: 'DIR', help: 'the folder with config.json (.)' },
    { name: 'format', short: 'f', kind: 'string', value: 'text|json', help: 'form of the verdict (text)' },
  ],
  arity: [0, 0],
  async run(args) {
    const format = formatOf(args, ['text', 'json'])
    const bundle = args.string('bundle') ?? '.'
    const problems = await validateBundle(absolute(bundle))
    if (format === 'json') printJson(problems)
    else if (problems.length === 0) print('config.json is valid\n')
    else print(problems.map((problem) => `${describeProblem(problem)}\n`).join(''))
    return problems.length === 0 ? 0 : 1
  },
}
