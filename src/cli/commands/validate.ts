import { RuntError } from '../../errors.ts'
import { describeProblem, type Told, validateBundle } from '../../lifecycle/validate.ts'
import { oneOf } from '../args.ts'
import type { Command } from '../command.ts'
import { print, printJson } from '../output.ts'
import { bundleOf } from '../path.ts'

export const validate: Command = {
  name: 'validate',
  operands: '[BUNDLE]',
  summary: 'check the config.json of a bundle, and say all that is wrong with it',
  details: [
    'Every problem is told with its line and column. A config may be valid and still ask for what runt does not support; that is told in the same way.',
    'Warnings tell what the specification allows and hardly anybody means: properties that it does not have, as a rule misspelt; capabilities and system calls that nobody knows; what is ignored or taken otherwise than it is written.',
    'The exit status is 0 when there are no problems but warnings.',
  ],
  flags: [
    { name: 'bundle', short: 'b', kind: 'string', value: 'DIR', help: 'the folder with config.json (.)' },
    { name: 'format', short: 'f', kind: 'string', value: 'text|json', help: 'form of the verdict (text)' },
    { name: 'strict', kind: 'boolean', help: 'take warnings for problems: the exit status is 1 then' },
  ],
  examples: [
    ['runt validate box', 'all that is wrong or odd with box/config.json'],
    ['runt validate --strict --format json box', 'for a program: JSON, and warnings count'],
  ],
  arity: [0, 1],
  async run(args) {
    const format = oneOf(args, 'format', ['text', 'json'])
    const told = await problemsOf(bundleOf(args), format)
    const isValid = !told.some(({ severity }) => severity === 'error' || args.boolean('strict'))
    if (format === 'json') printJson(told)
    else print(`${told.map(lineOf).join('')}${isValid ? 'config.json is valid\n' : ''}`)
    return isValid ? 0 : 1
  },
}

/** A program that asked for JSON gets JSON, also of a file that isn't there or no text. */
async function problemsOf(bundle: string, format: 'text' | 'json'): Promise<readonly Told[]> {
  try {
    return await validateBundle(bundle)
  } catch (error) {
    if (format === 'text' || !(error instanceof RuntError)) throw error
    const { code, message } = error
    return [{ pointer: '', found: '', message, rule: code, place: '', line: 1, column: 1, severity: 'error' }]
  }
}

function lineOf(problem: Told): string {
  return `${describeProblem(problem, problem.severity === 'error' ? undefined : 'warning: config.json')}\n`
}
