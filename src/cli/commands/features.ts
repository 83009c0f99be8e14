import { featuresOf } from '../../lifecycle/features.ts'
import type { Command } from '../command.ts'
import { print } from '../output.ts'
import { BUILD } from '../version.ts'

export const features: Command = {
  name: 'features',
  operands: '',
  summary: 'print what this build of runt understands, as JSON',
  details: [
    'The structure is the one of features.md of the specification. It depends on the build alone, not on the machine: what is listed here may still be refused by a kernel.',
  ],
  flags: [],
  examples: [['runt features', 'what engines ask']],
  arity: [0, 0],
  async run(_args, { commands }) {
    const structure = featuresOf({ ...BUILD, checkpoint: Object.hasOwn(commands, 'checkpoint') })
    print(`${JSON.stringify(structure, undefined, 4)}\n`)
    return 0
  },
}
