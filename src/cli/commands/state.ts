import { containerState } from '../../lifecycle/state.ts'
import type { Command } from '../command.ts'
import { printJson } from '../output.ts'

export const state: Command = {
  name: 'state',
  operands: 'ID',
  summary: 'print the state of a container as JSON',
  details: [
    'Status is one of creating, created, running, paused and stopped, and found out at that moment. pid is 0 once the container has stopped.',
  ],
  flags: [],
  arity: [1, 1],
  async run({ operands: [id = ''] }, { store }) {
    printJson(containerState(store, id))
    return 0
  },
}
