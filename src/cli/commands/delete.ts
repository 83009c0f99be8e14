import { deleteContainer } from '../../lifecycle/delete.ts'
import type { Command } from '../command.ts'

export const deleteCommand: Command = {
  name: 'delete',
  operands: 'ID',
  summary: 'delete a container that has stopped or was not started',
  flags: [{ name: 'force', short: 'f', kind: 'boolean', help: 'kill it first; an unknown id is no error' }],
  arity: [1, 1],
  async run(args, { store }) {
    deleteContainer(store, args.operands[0] ?? '', { force: args.boolean('force') })
    return 0
  },
}
