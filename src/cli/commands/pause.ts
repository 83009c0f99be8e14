import { pauseContainer } from '../../lifecycle/pause.ts'
import type { Command } from '../command.ts'

export const pause: Command = {
  name: 'pause',
  operands: 'ID',
  summary: 'stop all processes of a container where they are, until resume',
  flags: [],
  arity: [1, 1],
  async run({ operands: [id = ''] }, { store }) {
    pauseContainer(store, id)
    return 0
  },
}
