import { startContainer } from '../../lifecycle/start.ts'
import type { Command } from '../command.ts'

export const start: Command = {
  name: 'start',
  operands: 'ID',
  summary: 'start the program of a created container',
  flags: [],
  arity: [1, 1],
  async run({ operands: [id = ''] }, { store }) {
    startContainer(store, id)
    return 0
  },
}
