import { resumeContainer } from '../../lifecycle/pause.ts'
import type { Command } from '../command.ts'

export const resume: Command = {
  name: 'resume',
  operands: 'ID',
  summary: 'let a paused container go on',
  details: ['Signals that were sent meanwhile arrive now.'],
  flags: [],
  examples: [['runt resume mine', 'after runt pause mine']],
  arity: [1, 1],
  async run({ operands: [id = ''] }, { store }) {
    resumeContainer(store, id)
    return 0
  },
}
