import { deleteContainer } from '../../lifecycle/delete.ts'
import type { Command } from '../command.ts'
import { forEachContainer, REGEX_FLAG } from './by-regex.ts'

export const deleteCommand: Command = {
  name: 'delete',
  operands: 'ID',
  summary: 'delete a container that has stopped or was not started',
  details: [
    'What create made goes, cgroups and record, and the poststop hooks run. With --force, a container in any state is killed first, and what a crash left behind is removed; that can be repeated until nothing is left.',
  ],
  flags: [
    { name: 'force', short: 'f', kind: 'boolean', help: 'kill it first; an unknown id is no error' },
    REGEX_FLAG,
    {
      name: 'explain',
      kind: 'boolean',
      help: 'say why the kernel killed its program, if it did and somebody saw its end',
    },
  ],
  examples: [
    ['runt delete mine', 'after its program has ended'],
    ["runt delete --force --regex '^test-'", 'kill and delete all whose ids begin so'],
  ],
  arity: [1, 1],
  async run(args, globals) {
    const options = { force: args.boolean('force'), explain: args.boolean('explain') }
    await forEachContainer(args, globals, (id) => deleteContainer(globals.store, id, options))
    return 0
  },
}
