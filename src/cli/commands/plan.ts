import { planOf } from '../../lifecycle/plan.ts'
import { print as printPlan, toJson } from '../../plan/print.ts'
import { printableLines } from '../../printable.ts'
import { oneOf } from '../args.ts'
import type { Command } from '../command.ts'
import { print, printJson } from '../output.ts'
import { bundleOf } from '../path.ts'

export const plan: Command = {
  name: 'plan',
  operands: '[BUNDLE]',
  summary: 'print what create would ask of the kernel, without doing any of it',
  details: [
    "Each line is a system call that the container's first process will make, with the property of config.json that asks for it. The kernel is not asked anything.",
  ],
  flags: [
    { name: 'bundle', short: 'b', kind: 'string', value: 'DIR', help: 'the folder with config.json (.)' },
    { name: 'format', short: 'f', kind: 'string', value: 'text|json', help: 'form of the plan (text)' },
  ],
  examples: [
    ['runt plan box', 'every system call that makes the container of the bundle box'],
    ['runt plan --format json box', 'the same for a program'],
  ],
  arity: [0, 1],
  async run(args, { store, systemdCgroup }) {
    const format = oneOf(args, 'format', ['text', 'json'])
    const lowered = await planOf(store, bundleOf(args), systemdCgroup)
    if (format === 'json') printJson(toJson(lowered))
    else print(printableLines(printPlan(lowered)))
    return 0
  },
}
