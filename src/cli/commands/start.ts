import { startContainer } from '../../lifecycle/start.ts'
import type { Command } from '../command.ts'

export const start: Command = {
  name: 'start',
  operands: 'ID',
  summary: 'start the program of a created container',
  details: [
    "start runs the startContainer hooks in the container, executes the program, and then runs the poststart hooks. It fails when the program can't be executed.",
  ],
  flags: [],
  examples: [['runt start mine', 'let the program of a created container begin']],
  arity: [1, 1],
  async run({ operands: [id = ''] }, { store }) {
    await startContainer(store, id)
    return 0
  },
}
